"""A connection to an MQTT 5 broker that keeps itself alive: paho-mqtt behind a wall. The one file that imports paho.

paho alone does not survive: one exception in a callback ends its thread in silence, it never connects once 1024 files
are open, queues without bound, and costs 44 ms a message with a broker that nobody tuned.
"""

from __future__ import annotations

import errno
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from paho.mqtt import __version__ as PAHO_VERSION
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_runtime.errors import BrokerUnreachable
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.connection import KeptConnection
from edge_runtime.mqtt.link import BrokerLimits, Link
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.packet import MAX_PACKET_BYTES, Outgoing
from edge_runtime.mqtt.session import Session
from edge_runtime.mqtt.shortcuts import KNOWN_VERSIONS, Shortcuts
from edge_runtime.mqtt.tcp import cut_off, tune
from edge_runtime.mqtt.tls import client_context, handshake_failure, refusal_of

log = logging.getLogger("edgert.mqtt")

CONNECT_WITHIN_S = 5.0  # for TCP and TLS


class Connection(KeptConnection):
    """A connection to an MQTT 5 broker by paho-mqtt; arguments and methods are `KeptConnection`'s."""

    def _make_link(self, session: Session) -> Link:
        link = _link_class()(self._address, self._client_id)
        link.max_packet_bytes, link.window, link.keepalive_s = self._max_packet_bytes, self._window, self._keepalive_s
        link.bind(session, self._deliver, self._complain)
        if self._will is not None:
            link.will_set(self._will.topic, self._will.payload, self._will.qos, self._will.retain)
        return link


class _Link(paho.Client):
    """paho as it is, as a session's `Link`."""

    broken = ""
    max_packet_bytes = MAX_PACKET_BYTES
    window = 64
    keepalive_s = 30

    def __init__(self, address: BrokerAddress, client_id: str) -> None:
        transport: Any = "unix" if address.scheme == "unix" else "tcp"
        version = MQTTProtocolVersion.MQTTv5
        super().__init__(CallbackAPIVersion.VERSION2, client_id, protocol=version, transport=transport)
        self._broker = address
        self.connect_timeout = CONNECT_WITHIN_S
        self.max_inflight_messages_set(0)  # the outbox keeps the window
        self.on_socket_open = _opened
        if address.username:
            self.username_pw_set(address.username, address.password or None)

    def bind(self, session: Session, deliver: Callable[[Message], None], complain: Callable[[str], None]) -> None:
        """Report to this session, and messages to `deliver`."""

        def connected(_c: object, _u: object, _f: object, code: Any, properties: Properties | None) -> None:
            if code.is_failure:
                session.refused(code.value)
            else:
                session.accepted(_limits(properties))

        def disconnected(_c: object, _u: object, flags: paho.DisconnectFlags, code: Any, _p: object) -> None:
            if flags.is_disconnect_packet_from_server:
                session.disconnected(code.value)

        self.on_connect, self.on_disconnect = connected, disconnected
        self.on_subscribe = lambda _c, _u, _m, codes, _p: session.granted([code.value for code in codes])
        self._bind_messages(session, deliver, complain)

    def _bind_messages(
        self, session: Session, deliver: Callable[[Message], None], complain: Callable[[str], None]
    ) -> None:
        def received(_c: object, _u: object, message: paho.MQTTMessage) -> None:
            try:
                plain = _plain(message)
            except ValueError as error:
                complain(str(error))
            else:
                deliver(plain)

        self.on_message = received
        self.on_publish = lambda _c, _u, packet_id, code, _p: session.confirmed(packet_id, code.value)

    def dial(self) -> None:
        """Connect and send CONNECT. BrokerUnreachable: no connection."""
        address = self._broker
        properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        properties.ReceiveMaximum = self.window
        properties.MaximumPacketSize = self.max_packet_bytes
        try:
            if address.scheme == "mqtts":
                context = client_context(address)
                context.sslsocket_class = _PromptTls
                self.tls_set_context(context)
            host, port = address.path or address.host, address.port or 1
            self.connect(host, port, self.keepalive_s, clean_start=True, properties=properties)
        except OSError as error:
            raise BrokerUnreachable(_unreachable(error, address)) from error

    def request(self, subscriptions: Sequence[tuple[str, int]]) -> None:
        """Send one SUBSCRIBE for all."""
        self.subscribe(list(subscriptions))

    def send(self, packet: Outgoing, qos: int, *, retain: bool) -> int | None:
        """Hand over; the packet id (0 with QoS 0), or None if it was not taken."""
        properties: Any = packet  # paho only calls its pack(); its own Properties are slow
        info = self.publish(packet.topic, packet.payload, qos, retain, properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return None
        return info.mid if qos else 0

    def _create_socket_connection(self) -> socket.socket:
        """As paho's, but its TimeoutError has a number, unlike that of a TLS handshake: nobody answered at all."""
        try:
            return super()._create_socket_connection()
        except TimeoutError as error:
            raise OSError(errno.ETIMEDOUT, str(error)) from error

    def _create_unix_socket_connection(self) -> socket.socket:
        """As paho's, which would wait for ever for a broker that stands still."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(CONNECT_WITHIN_S)
            connection.connect(self._broker.path)
        except OSError:
            connection.close()
            raise
        return connection

    def _sock_recv(self, bufsize: int) -> bytes:
        try:
            return super()._sock_recv(bufsize)
        except ssl.SSLError as error:  # with TLS 1.3 the broker's word on our certificate comes after the handshake
            self.broken = self.broken or refusal_of(error)
            raise
        except OSError as error:
            self.broken = self.broken or cut_off(error)
            raise

    def _sock_send(self, buf: bytes | bytearray) -> int:
        try:
            return super()._sock_send(buf)
        except OSError as error:  # the kernel tells of a cut connection once, to whoever touches it first
            self.broken = self.broken or cut_off(error)
            raise

    def has_unread(self) -> bool:
        """Whether TLS holds bytes that poll() cannot see."""
        connection = self.socket()
        return isinstance(connection, ssl.SSLSocket) and connection.pending() > 0


class _PromptTls(ssl.SSLSocket):
    """TLS whose handshake takes no longer than connecting may; paho 2.1 allows it the keep-alive interval."""

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(CONNECT_WITHIN_S)
        super().do_handshake(block)


class _FastLink(Shortcuts, _Link):
    """The same with the shortcuts: messages and confirmations come without paho's callbacks."""

    def _bind_messages(
        self, session: Session, deliver: Callable[[Message], None], complain: Callable[[str], None]
    ) -> None:
        self.deliver, self.complain, self.is_awaited = deliver, complain, session.is_awaited
        self.confirm, self.refuse, self.ended = session.confirmed, session.refused, session.disconnected

    def has_unread(self) -> bool:
        return Shortcuts.has_unread(self) or _Link.has_unread(self)


def _opened(_client: object, _userdata: object, connection: Any) -> None:
    tune(connection)


def _unreachable(error: OSError, address: BrokerAddress) -> str:
    """Why dialling failed, with the remedy where there is one."""
    if isinstance(error, ssl.SSLError):
        return handshake_failure(error)
    if isinstance(error, ConnectionResetError | BrokenPipeError) and address.scheme == "mqtts":
        return handshake_failure(error)
    if isinstance(error, socket.gaierror):
        return f"the host's name cannot be resolved ({error.strerror})"
    if isinstance(error, TimeoutError):
        return f"no answer in {CONNECT_WITHIN_S:g} s"
    if isinstance(error, BlockingIOError):  # of a unix socket
        return "it takes no more connections: does the broker stand still?"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: is the broker running there?"
    return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"


def _limits(properties: Properties | None) -> BrokerLimits:
    """What CONNACK announced, MQTT's defaults for the rest."""
    standard = BrokerLimits()
    return BrokerLimits(
        receive_maximum=getattr(properties, "ReceiveMaximum", standard.receive_maximum),
        max_packet_bytes=getattr(properties, "MaximumPacketSize", standard.max_packet_bytes),
        max_qos=getattr(properties, "MaximumQoS", standard.max_qos),
        retain=bool(getattr(properties, "RetainAvailable", standard.retain)),
        shared_subscriptions=bool(getattr(properties, "SharedSubscriptionAvailable", standard.shared_subscriptions)),
    )


def _plain(message: paho.MQTTMessage) -> Message:
    """paho's message as ours. ValueError: the topic is not UTF-8."""
    properties = message.properties
    return Message(
        message.topic,
        bytes(message.payload),
        message.qos,
        message.retain,
        getattr(properties, "ResponseTopic", None),
        getattr(properties, "CorrelationData", None),
        getattr(properties, "ContentType", None),
        getattr(properties, "MessageExpiryInterval", None),
        tuple(getattr(properties, "UserProperty", ())),
    )


@cache
def _link_class() -> type[_Link]:
    """The class with the shortcuts if they fit this paho, else the stock one: slower, but by documented calls only."""
    if PAHO_VERSION.startswith(KNOWN_VERSIONS) and shortcuts_work():
        return _FastLink
    log.warning("paho-mqtt %s is not one that edgert knows: messages cost more time", PAHO_VERSION)
    return _Link


def shortcuts_work() -> bool:
    """Run packets through the fast class over a socket pair, as a broker would send them."""
    heard: list[object] = []
    link = _FastLink(BrokerAddress("unix", path="/"), "self-test")
    link.deliver, link.complain = heard.append, heard.append
    link.confirm = lambda packet_id, code: heard.append((packet_id, code))
    link.is_awaited = [].__contains__
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        far.settimeout(1.0)
        try:
            link._sock = near
            packets = b"\x32\x0d\0\x01t\0\x07\x04\x09\0\x01cabc\x40\x03\0\x09\x10"
            far.sendall(packets[:5])  # a part goes paho's way, what comes whole does not
            link.loop_read()
            far.sendall(packets[5:] + packets)
            while not link.loop_read() and link.has_unread():
                pass
            answered = far.recv(64)
            own = Outgoing.of(Message("u", b"x", correlation=b"c"))
            packet_ids = [link.send(own, qos, retain=True) for qos in (0, 1)]
            published = far.recv(64)
        except Exception:  # whatever a strange version raises, it means no
            log.debug("the shortcuts do not fit this paho", exc_info=True)
            return False
        finally:
            link._sock = None
    message = Message("t", b"abc", qos=1, correlation=b"c")
    sent = b"\x31\x09\0\x01u\x04\x09\0\x01cx" + b"\x33\x0b\0\x01u\0\x01\x04\x09\0\x01cx"
    return (
        packet_ids == [0, 1]
        and published == sent
        and heard == 2 * [message, (9, 16)]
        and answered == 2 * b"\x40\x02\0\x07"
    )
