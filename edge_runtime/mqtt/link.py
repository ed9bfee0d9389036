"""What a session needs of an MQTT client library, so that only one file has to know which library it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge_runtime.mqtt.packet import Outgoing

NOT_MQTT = 2  # what `loop_read` returns for a packet that cannot be read; paho's MQTT_ERR_PROTOCOL


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    """What the broker said in CONNACK about what it takes; the defaults are MQTT's."""

    receive_maximum: int = 65_535
    max_packet_bytes: int = 268_435_460
    max_qos: int = 2
    retain: bool = True
    shared_subscriptions: bool = True


class Link(Protocol):
    """One connection that was not opened yet; after `dial()` nothing here blocks.

    Attributes:
        broken: why the link ended the connection by itself, else empty.
    """

    broken: str

    def dial(self) -> None:
        """Connect and send CONNECT. BrokerUnreachable: no connection."""

    def socket(self) -> Any:
        """The open socket (plain or TLS); None before dialling and after the end."""

    def loop_read(self) -> int:
        """Read what is there and report it to the session; not 0 when the connection ended."""

    def has_unread(self) -> bool:
        """Whether bytes are held that poll() cannot see, so that `loop_read` must be called again."""

    def loop_write(self) -> int:
        """Write what is parked; not 0 when the connection ended."""

    def want_write(self) -> bool:
        """Whether something is parked because the kernel had no room."""

    def loop_misc(self) -> int:
        """Keep-alive; to be called about every second. Not 0 when the broker is found dead."""

    def request(self, subscriptions: Sequence[tuple[str, int]]) -> None:
        """Send one SUBSCRIBE for all."""

    def send(self, packet: Outgoing, qos: int, *, retain: bool) -> int | None:
        """Write or park a message; its packet id (0 with QoS 0), or None if it was not taken."""
