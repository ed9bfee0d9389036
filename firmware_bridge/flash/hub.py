"""A hub that knows our group of SMP: only what is missing travels, in many pieces at once, and what was lost again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from firmware_bridge.errors import NotDecided, PeerRefused, RolledBack
from firmware_bridge.flash.cargo import Cargo, Item
from firmware_bridge.flash.target import End, Progress, Sent, Wanted
from firmware_bridge.link import Link
from firmware_bridge.smp.client_edgert import HubClient
from firmware_bridge.smp.client_put import Putting, Sending, ranges_of
from firmware_bridge.smp.codecs import codecs_here
from firmware_bridge.smp.edgert_group import missing_files
from firmware_bridge.smp.ranges import Ranges

_SMALL_BYTES = 8192  # of an object that is not worth asking how much of it is there
_LOOK_S = 0.5
_COBS_OVERHEAD, _CONSOLE_OVERHEAD, _DATAGRAM_OVERHEAD = 1.02, 1.38, 1.015
_OFFERS = 3


@dataclass(frozen=True)
class _Source:
    cargo: Cargo
    item: Item

    @property
    def digest(self) -> bytes:
        return self.item.digest

    @property
    def size(self) -> int:
        return self.item.entry.size

    def read(self, offset: int, size: int) -> bytes:
        return self.cargo.read(self.item, offset, size)


class HubTarget:
    """A hub at the other end of a link.

    Args:
        link: open; closed with the target.
        hub: that was greeted.
        baud: of the link, if it has one.
        compress: whether pieces are compressed.
        patience_s: how long nothing may be heard.
    """

    def __init__(
        self, link: Link, hub: HubClient, baud: int = 0, *, compress: bool = True, patience_s: float = 10.0
    ) -> None:
        self._link, self._hub, self._baud, self._patience_s = link, hub, baud, patience_s
        assert hub.hello is not None
        common = [name for name in codecs_here() if name in hub.hello.codecs]
        self._codec = common[0] if common and compress else ""
        self._sendings: list[Sending] = []

    def look(self, cargo: Cargo) -> Wanted:
        """See `Target`. The board keeps the signed manifest, so that a cut costs nothing; what runs is untouched."""
        hello = self._hub.hello
        assert hello is not None
        state = self._offer(cargo)
        items = [item for item in cargo.items if any(item.digest == one.source.digest for one in self._sendings)]
        return Wanted(
            items,
            sum(one.source.size - one.there.total for one in self._sendings),
            free_bytes=hello.free,
            rate=self._baud / 10 if self._baud else None,
            overhead=self._overhead(),
            compresses=bool(self._codec),
            state="" if state == "receiving" else state,
            way=f"{hello.device or 'a board'}, edgert {hello.edgert}, {self._hub.channel.framing.name}"
            + (f" at {self._baud} baud" if self._baud else ""),
        )

    def _overhead(self) -> float:
        kinds = {"cobs": _COBS_OVERHEAD, "console": _CONSOLE_OVERHEAD}
        return kinds.get(self._hub.channel.framing.name, _DATAGRAM_OVERHEAD)

    def _offer(self, cargo: Cargo) -> str:
        """Offer the bundle, and note what is missing of it; what the board has made of it before."""
        answer = self._hub.offer(cargo.signed)
        entries = cargo.signed.manifest.files
        wanted = {
            entry.sha256
            for entry, miss in zip(entries, missing_files(answer.missing, len(entries)), strict=True)
            if miss
        }
        self._sendings = [
            Sending(_Source(cargo, item), self._have(item)) for item in cargo.items if item.entry.sha256 in wanted
        ]
        return answer.state

    def _have(self, item: Item) -> Ranges:
        """What has come of an object before."""
        if item.entry.size <= _SMALL_BYTES:
            return Ranges()
        said = self._hub.object_status(item.digest)
        return ranges_of(said.off, said.ranges)

    def send(self, cargo: Cargo, wanted: Wanted, progress: Progress) -> Sent:
        """See `Target`. A hub that was restarted meanwhile is offered the bundle again."""
        before = self._hub.channel.counts.wire_bytes
        sent_bytes = 0
        for attempt in range(_OFFERS):
            had = sum(one.there.total for one in self._sendings)
            putting = Putting(
                self._hub,
                self._sendings,
                self._codec,
                lambda there, had=had: progress(wanted.bytes - self._left_of(had) + there - had),  # type: ignore[misc]
                self._baud,
                self._patience_s,
            )
            try:
                putting.run()
            except PeerRefused as error:
                sent_bytes += putting.sent_bytes
                if error.code != "not_offered" or attempt == _OFFERS - 1:
                    raise
                self._offer(cargo)
                continue
            sent_bytes += putting.sent_bytes
            break
        counts = self._hub.channel.counts
        return Sent(
            wanted.bytes,
            max(0, sent_bytes - wanted.bytes),
            counts.wire_bytes - before,
            {"messages": counts.messages, "lost": counts.lost, "framing": self._hub.channel.framing.name},
        )

    def _left_of(self, had: int) -> int:
        return sum(one.source.size for one in self._sendings) - had

    def commit(self, cargo: Cargo, *, test: bool) -> None:
        """See `Target`."""
        self._hub.commit(bytes.fromhex(cargo.signed.digest), test=test)

    def outcome(self, cargo: Cargo, limit_s: float, tell: Callable[[str], None]) -> End:
        """See `Target`."""
        bundle, version = bytes.fromhex(cargo.signed.digest), cargo.signed.manifest.version
        end_s, told = time.monotonic() + limit_s, ""
        while True:
            said = self._hub.status(bundle)
            if said.state in ("active", "previous"):
                return "confirmed"
            if said.state == "refused":
                raise RolledBack(f"{version} did not stay: {said.reason or 'the board does not say why'}")
            now = f"{said.state}, begun {said.begun} times" if said.begun else said.state
            if now != told:
                tell(now)
                told = now
            if time.monotonic() >= end_s:
                hint = "keep it with `edgert confirm`" if said.begun else "is the board's daemon running?"
                raise NotDecided(f"{version} is installed, and not decided on after {limit_s:g} s ({now}): {hint}")
            time.sleep(_LOOK_S)

    def close(self) -> None:
        """See `Target`."""
        self._link.close()
