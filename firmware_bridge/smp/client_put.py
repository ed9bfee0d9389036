"""Objects to a hub, in pieces of any order: only what was lost is sent again."""

from __future__ import annotations

import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from firmware_bridge.errors import LinkLost, PeerRefused
from firmware_bridge.smp.client_edgert import HubClient
from firmware_bridge.smp.client_pieces import LEAST_BYTES, PieceSize
from firmware_bridge.smp.client_window import Asks, Window
from firmware_bridge.smp.codecs import compress
from firmware_bridge.smp.edgert_group import GROUP, MOST_RAW_BYTES, Command, PutAnswer, PutRequest
from firmware_bridge.smp.fields import read_fields, write_fields
from firmware_bridge.smp.message import WRITE, BadMessage, Message
from firmware_bridge.smp.ranges import Ranges

_OVERHEAD_BYTES = 104  # header, keys, digest, offset, CRC and codec of a piece
_WORTH = 0.97  # what compression must at least make of a piece
_AGAIN = frozenset({"chunk_damaged", "bad_codec"})  # a piece that was damaged in a way that the frame's CRC missed
_ROUNDS = 8
_CHECKED_S = 60.0


class Source(Protocol):
    """Where an object's bytes come from."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of all of it."""

    @property
    def size(self) -> int:
        """Bytes of it."""

    def read(self, offset: int, size: int) -> bytes:
        """Some of it."""


@dataclass
class Sending:
    """An object on its way; `there` is what has come, `share` what compression leaves of it."""

    source: Source
    there: Ranges = field(default_factory=Ranges)
    share: float = 1.0
    compresses: bool = True
    done: bool = False

    def gaps(self) -> list[tuple[int, int]]:
        """What has not come."""
        gaps, at = [], 0
        for start, end in self.there:
            if at < start:
                gaps.append((at, start))
            at = end
        return [*gaps, (at, self.source.size)] if at < self.source.size or not self.source.size else gaps


@dataclass(frozen=True)
class _Piece:
    sending: Sending
    start: int
    end: int
    wire: int


class Putting:
    """Sends objects until each is whole and checked there.

    Args:
        hub: that was greeted and has been offered their bundle.
        sendings: what to send.
        codec: of the pieces; empty for none.
        progress: told how many bytes are there.
        baud: of the link, if it has one.
        patience_s: how long nothing may be heard.
    """

    def __init__(
        self,
        hub: HubClient,
        sendings: Iterable[Sending],
        codec: str = "",
        progress: Callable[[int], None] = lambda done: None,
        baud: int = 0,
        patience_s: float = 10.0,
    ) -> None:
        self._hub, self._codec, self._progress = hub, codec, progress
        self._sendings = list(sendings)
        most = hub.params.message_bytes - _OVERHEAD_BYTES
        self._pieces = PieceSize(most, _OVERHEAD_BYTES)
        most_bytes = max(2 * hub.params.message_bytes, baud // 100) if baud else 1 << 20
        self._window = Window(hub.channel, hub.params.requests, most_bytes, patience_s=patience_s, baud=baud)
        self._waiting: deque[tuple[Sending, int, int]] = deque()
        self.sent_bytes = 0

    @property
    def there_bytes(self) -> int:
        """How much has come, of all objects."""
        return sum(one.there.total for one in self._sendings)

    def run(self) -> None:
        """Send.

        Raises:
            PeerRefused: the hub does not take an object; `not_offered`: it has forgotten the offer.
            LinkLost: it does not answer any more.
        """
        for _ in range(_ROUNDS):
            open_ones = [one for one in self._sendings if not one.done]
            if not open_ones:
                return
            self._waiting.extend((one, start, end) for one in open_ones for start, end in one.gaps())
            self._window.run(Asks(self._ask, self._answered, self._lost, self._refused))
            for one in open_ones:
                if not one.done:
                    self._look(one)
        raise LinkLost("the board loses again and again what it has received")

    def _ask(self) -> tuple[_Piece, Message] | None:
        while self._waiting:
            sending, start, end = self._waiting.popleft()
            if not sending.done and (start == end or not sending.there.covers(start, end)):
                piece, message = self._piece(sending, start, end)
                if piece.end < end:
                    self._waiting.appendleft((sending, piece.end, end))
                self.sent_bytes += piece.end - start
                self._pieces.sent(piece.wire)
                return piece, message
        return None

    def _piece(self, sending: Sending, start: int, end: int) -> tuple[_Piece, Message]:
        """The next piece of a stretch, as much as fits into a message."""
        room = self._pieces.bytes
        raw, data, codec = self._squeezed(sending, start, end, room)
        request = PutRequest(sending.source.digest, start, data, zlib.crc32(raw), codec, len(raw) if codec else 0)
        message = Message(WRITE, GROUP, Command.PUT, write_fields(request))
        return _Piece(sending, start, start + len(raw), len(data)), message

    def _squeezed(self, sending: Sending, start: int, end: int, room: int) -> tuple[bytes, bytes, str]:
        """Bytes that fill the room when they are compressed, and what becomes of them."""
        if self._codec and sending.compresses:
            size = min(MOST_RAW_BYTES, int(room / sending.share), end - start)
            for _ in range(4):
                raw = sending.source.read(start, size)
                data = compress(self._codec, raw)
                sending.share = max(0.02, len(data) / max(1, len(raw)))
                if sending.share >= _WORTH:
                    sending.compresses = False
                    break
                if len(data) <= room:
                    return raw, data, self._codec
                size = max(LEAST_BYTES, int(size * room / len(data) * 0.97))
        raw = sending.source.read(start, min(room, end - start))
        return raw, raw, ""

    def _answered(self, piece: _Piece, body: Mapping[str, object]) -> None:
        try:
            answer = read_fields(PutAnswer, body)
        except BadMessage as error:
            raise PeerRefused("put", GROUP, 0, f"something that is not understood: {error}") from error
        self._pieces.answered(piece.wire)
        sending = piece.sending
        sending.there.add(piece.start, piece.end)
        if answer.done:
            sending.there.add(0, sending.source.size)
            sending.done = True
        self._progress(self.there_bytes)

    def _lost(self, piece: _Piece) -> None:
        self._pieces.lost(piece.wire)
        self._waiting.appendleft((piece.sending, piece.start, piece.end))

    def _refused(self, piece: _Piece, error: PeerRefused) -> None:
        if error.code not in _AGAIN:
            raise error
        self._lost(piece)

    def _look(self, sending: Sending) -> None:
        """All of it was answered, but not that it is whole: the hub still checks it, or was restarted meanwhile."""
        end_s = time.monotonic() + _CHECKED_S
        while True:
            said = self._hub.object_status(sending.source.digest)
            if said.done:
                sending.done = True
                return
            if said.state == "unknown":
                raise PeerRefused("put", GROUP, 0, "the object was not offered", "not_offered")
            if not said.busy:
                sending.there = ranges_of(said.off, said.ranges)
                return
            if time.monotonic() >= end_s:
                raise LinkLost(f"the board has been checking a file for {_CHECKED_S:g} s")
            time.sleep(0.1)


def ranges_of(prefix: int, ranges: tuple[int, ...]) -> Ranges:
    """What has come, of an answer's `off` and `ranges`."""
    return Ranges([(0, prefix), *zip(ranges[::2], ranges[1::2], strict=False)])
