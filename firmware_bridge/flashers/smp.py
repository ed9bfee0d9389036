"""Firmware to a board with an SMP server and MCUboot: upload, test, reset, look whether it runs, confirm.

The board's loader goes back by itself to what ran before, unless the new firmware has answered here and is confirmed.
Upload with "upgrade" or a confirmation before the first start would skip that trial: neither is ever used.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge_runtime.errors import EdgertError
from firmware_bridge.errors import LinkLost, NotThere, PeerRefused, RolledBack
from firmware_bridge.flashers.mcuboot import FirmwareImage
from firmware_bridge.link import Link, LinkAddress
from firmware_bridge.smp.client import Channel, Client, framing_named
from firmware_bridge.smp.client_image import (
    ImageSlot,
    confirm,
    mark_for_test,
    read_slots,
    upload_file,
    upload_image,
)

End = Literal["confirmed", "on_trial", "uploaded", "present"]
_AGAIN_S = 0.5
_BOOT_S = 1.0  # nobody listens meanwhile, and what is sent to a booting board may stop its port


@dataclass(frozen=True)
class FirmwareReport:
    """What came of it; `sent_bytes` on the wire."""

    end: End
    version: str
    before: str
    image_bytes: int
    sent_bytes: int
    seconds: float


class SmpBoard:
    """A microcontroller at the end of a link that may go away while it restarts.

    Args:
        address: of the link.
        open: opens it.
        restart_s: how long a restart, with the copying of a whole image, may take.
    """

    def __init__(self, address: LinkAddress, open: Callable[[LinkAddress], Link], restart_s: float = 120.0) -> None:
        self._address, self._open, self._restart_s = address, open, restart_s
        self._baud = address.baud if address.kind in ("serial", "rfc2217") else 0
        self._wire_bytes = 0
        self._connect()

    def _connect(self) -> None:
        self._link = self._open(self._address)
        framing = self._address.option("framing")
        self._client = Client(Channel(self._link, framing_named(framing) if framing else None))

    def flash(
        self,
        image: FirmwareImage,
        *,
        manual: bool = False,
        progress: Callable[[int], None] = lambda done: None,
        tell: Callable[[str], None] = lambda line: None,
        number: int = 0,
    ) -> FirmwareReport:
        """Bring an image to the board.

        Args:
            manual: leave it on trial: without `confirm` the next restart goes back.
            number: of the image, where a board has several.

        Raises:
            PeerRefused, NotThere: the board does not take it, or has no image group.
            LinkLost: it does not answer any more.
            RolledBack: the new firmware did not start; what was there before runs.
        """
        begun_s = time.monotonic()
        slots = self._slots(number)
        before = next((slot.version for slot in slots if slot.active), "")
        there = next((slot for slot in slots if slot.hash == image.hash), None)
        if there is not None and there.active:
            if not there.confirmed and not manual:
                confirm(self._client)
            return self._report("present", image, before, begun_s)
        if there is None:
            upload_image(self._client, image.data, number, progress, self._baud)
        tell(f"{image.version} is on the board beside {before or 'what runs'}; restarting")
        mark_for_test(self._client, image.hash)
        self._client.reset()
        slot = self._after_restart(image, number)
        if slot is None or not slot.active:
            raise RolledBack(f"firmware {image.version} did not start: {before} runs again")
        if manual:
            return self._report("on_trial", image, before, begun_s)
        if self._client.echo("edgert") != "edgert":
            raise LinkLost(f"firmware {image.version} runs and does not echo: it is not confirmed")
        confirmed = confirm(self._client)
        if not any(slot.hash == image.hash and slot.active and slot.confirmed for slot in confirmed):
            raise PeerRefused("confirm", 1, 0, "the image that runs is not confirmed")
        return self._report("confirmed", image, before, begun_s)

    def put_file(self, data: bytes, name: str, progress: Callable[[int], None] = lambda done: None) -> FirmwareReport:
        """Put a file into the board's file system, whose hash is compared there. Raises as `upload_file`."""
        begun_s = time.monotonic()
        upload_file(self._client, data, name, progress, self._baud)
        return self._report("uploaded", FirmwareImage(data, name, b""), "", begun_s)

    def _after_restart(self, image: FirmwareImage, number: int) -> ImageSlot | None:
        """The slot of the image once the board answers again; None: its loader has thrown it away."""
        time.sleep(_BOOT_S)
        end_s = time.monotonic() + self._restart_s
        while True:
            try:
                slots = self._slots(number)
                found = next((slot for slot in slots if slot.hash == image.hash), None)
                if slots and (found is None or not found.pending):
                    return found
            except (LinkLost, PeerRefused):
                self._reconnect()
            if time.monotonic() >= end_s:
                raise LinkLost(f"no answer from the board {self._restart_s:g} s after its restart")
            time.sleep(_AGAIN_S)

    def _reconnect(self) -> None:
        """A USB port goes away with the board, and comes back."""
        if self._address.kind != "serial":
            return
        self.close()
        with contextlib.suppress(EdgertError):  # it is tried again
            self._connect()

    def _slots(self, number: int) -> list[ImageSlot]:
        try:
            return [slot for slot in read_slots(self._client) if slot.image == number]
        except NotThere as error:
            raise NotThere("the board has no image group: its firmware cannot be exchanged over SMP") from error

    def _report(self, end: End, image: FirmwareImage, before: str, begun_s: float) -> FirmwareReport:
        wire_bytes = self._wire_bytes + self._client.channel.counts.wire_bytes
        return FirmwareReport(end, image.version, before, len(image.data), wire_bytes, time.monotonic() - begun_s)

    def close(self) -> None:
        """Let go of the board."""
        self._wire_bytes += self._client.channel.counts.wire_bytes
        self._client.channel.counts.wire_bytes = 0
        self._link.close()
