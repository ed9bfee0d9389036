"""A board whose SMP server does not know our group: the whole bundle file goes as an image, by MCUboot's rules."""

from __future__ import annotations

import time
from collections.abc import Callable

from firmware_bridge.errors import LinkLost, NotDecided, PeerRefused, RolledBack
from firmware_bridge.flash.cargo import Cargo, Item
from firmware_bridge.flash.target import End, Progress, Sent, Wanted
from firmware_bridge.link import Link
from firmware_bridge.smp.client import Client
from firmware_bridge.smp.client_image import ImageSlot, mark_for_test, read_slots, upload_image

_OVERHEAD = {"console": 1.45, "cobs": 1.05, "raw": 1.04, "datagram": 1.04}
_LOOK_S = 1.0


class ImageTarget:
    """Such a board at the other end of a link; `image` is the number of the image that the bundle becomes."""

    def __init__(self, link: Link, client: Client, baud: int = 0, image: int = 0) -> None:
        self._link, self._client, self._baud, self._image = link, client, baud, image

    def look(self, cargo: Cargo) -> Wanted:
        """See `Target`. Such a board takes the whole file or nothing of it."""
        slot = self._slot(cargo)
        missing: list[Item] = [] if slot else cargo.items
        return Wanted(
            missing,
            0 if slot else cargo.size_bytes,
            rate=self._baud / 10 if self._baud else None,
            overhead=_OVERHEAD[self._client.channel.framing.name],
            state=_state(slot),
            way=f"image upload, {self._client.channel.framing.name}",
        )

    def send(self, cargo: Cargo, wanted: Wanted, progress: Progress) -> Sent:
        """See `Target`."""
        if not wanted.bytes:
            return Sent()
        before = self._client.channel.counts.wire_bytes
        upload = upload_image(self._client, cargo.whole(), self._image, progress, self._baud)
        counts = self._client.channel.counts
        useful = cargo.size_bytes - upload.resumed
        again = max(0, upload.sent_bytes - useful)
        return Sent(useful, again, counts.wire_bytes - before, {"resumed_at": upload.resumed, "lost": counts.lost})

    def commit(self, cargo: Cargo, *, test: bool) -> None:
        """See `Target`: mark it, and let the board restart what runs it."""
        slot = self._slot(cargo)
        if slot is None:
            raise PeerRefused("upload", 1, 0, "the image is in none of its slots")
        if test and not slot.active:
            mark_for_test(self._client, slot.hash)
            self._client.reset()

    def outcome(self, cargo: Cargo, limit_s: float, tell: Callable[[str], None]) -> End:
        """See `Target`: the board says what runs; this client never confirms what it has not seen running."""
        end_s, told, ran = time.monotonic() + limit_s, "", False
        version = cargo.signed.manifest.version
        while True:
            try:
                slot = self._slot(cargo)
            except LinkLost:
                if time.monotonic() >= end_s:
                    raise
                continue
            now = _state(slot)
            if slot is not None and slot.active and slot.confirmed:
                return "confirmed"
            ran = ran or now == "trial"
            if now not in ("trial", "pending") and ran:
                raise RolledBack(f"{version} was tried, and did not stay")
            if now != told:
                tell(now or "gone")
                told = now
            if time.monotonic() >= end_s:
                raise NotDecided(f"{version} is installed ({now or 'gone'}), and not decided on after {limit_s:g} s")
            time.sleep(_LOOK_S)

    def _slot(self, cargo: Cargo) -> ImageSlot | None:
        """Where this file is, if it is there."""
        wanted = bytes.fromhex(cargo.image)
        return next((slot for slot in read_slots(self._client) if slot.hash == wanted), None)

    def close(self) -> None:
        """See `Target`."""
        self._link.close()


def _state(slot: ImageSlot | None) -> str:
    if slot is None:
        return ""
    if slot.active:
        return "active" if slot.confirmed else "trial"
    return "pending" if slot.pending else "waiting"
