"""Uploads as every SMP server knows them: one stream of bytes, in order, with the server's word for how far it is.

Several pieces are under way as long as nothing is lost; a server takes them in order only, so a loss means going back
to where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firmware_bridge.errors import LinkLost, PeerRefused
from firmware_bridge.smp.client import CONSOLE_OVERHEAD_BYTES, Client, Params
from firmware_bridge.smp.client_pieces import PieceSize
from firmware_bridge.smp.client_window import Asks, Window
from firmware_bridge.smp.message import WRITE, Message

_FIRST_S = 20.0  # before the first answer a board may erase a whole slot
_SMALL_BUFFERS = 4096  # bytes; who has less may be a microcontroller that reads its port slowly


@dataclass(frozen=True)
class Stream:
    """Where an upload goes.

    Attributes:
        group, command: that take it.
        first: what the first piece says besides, as the length.
        each: what every piece says besides.
        in_order_only: the server answers an early or repeated piece with an error, not with where it stands.
    """

    group: int
    command: int
    first: Mapping[str, object]
    each: Mapping[str, object]
    in_order_only: bool = False


@dataclass(frozen=True)
class _Piece:
    """A piece under way; `epoch` tells whether it was sent before or after going back."""

    offset: int
    size: int
    epoch: int


class Upload:
    """One upload.

    Args:
        client: to a server that takes `params` at once.
        stream: where to.
        data: all of it.
        progress: told how many bytes are there.
        baud: of the link, if it has one.
    """

    def __init__(
        self,
        client: Client,
        params: Params,
        stream: Stream,
        data: bytes,
        progress: Callable[[int], None] = lambda done: None,
        baud: int = 0,
    ) -> None:
        self._client, self._stream, self._data, self._progress = client, stream, data, progress
        overhead = len(self._message(len(data), b"").to_bytes()) + 4  # the length of `data` takes up to 3 bytes more
        self._pieces = PieceSize(params.message_bytes - overhead, overhead + 2 * CONSOLE_OVERHEAD_BYTES)
        self._first_most = params.message_bytes - len(self._first(b"").to_bytes()) - 4
        self.there, self._next, self._epoch, self.resumed, self.sent_bytes = 0, 0, 0, 0, 0
        self.match: bool | None = None
        pipelined = 1 if stream.in_order_only else max(1, params.requests - 1)
        if params.message_bytes < _SMALL_BUFFERS:
            pipelined = min(pipelined, 3)
        self._window = Window(client.channel, pipelined, 1 << 20, baud=baud)

    def run(self) -> None:
        """Send all of it.

        Raises:
            PeerRefused: the board does not take it.
            LinkLost: it does not answer any more.
        """
        self._begin()
        self._window.run(Asks(self._ask, self._answered, self._lost))
        if self.there < len(self._data):
            raise LinkLost(f"the board stopped at byte {self.there} of {len(self._data)}")

    def _begin(self) -> None:
        """Send the first piece alone: its answer says whether some of it is there from before."""
        size = min(self._first_most, self._pieces.most)
        for attempt in range(6):
            piece = self._data[: max(size >> attempt, min(16, size))]
            message = self._first(piece)
            try:
                wait_s = _FIRST_S if attempt == 0 and len(self._data) > 1 << 16 else 2.0 + attempt
                body = self._client.request(
                    message.op, message.group, message.command, message.body, timeout_s=wait_s, tries=1
                )
            except LinkLost:
                if attempt == 5:
                    raise
                self._pieces.lost(len(piece))
                continue
            self.sent_bytes += len(piece)
            self._take(body)
            self.resumed = max(0, self.there - len(piece))
            self._next = self.there
            return

    def _first(self, piece: bytes) -> Message:
        body = {"off": 0, "data": piece, **self._stream.first, **self._stream.each}
        return Message(WRITE, self._stream.group, self._stream.command, body)

    def _message(self, offset: int, piece: bytes) -> Message:
        body = {"off": offset, "data": piece, **self._stream.each}
        return Message(WRITE, self._stream.group, self._stream.command, body)

    def _ask(self) -> tuple[_Piece, Message] | None:
        if self._next >= len(self._data):
            return None
        piece = self._data[self._next : self._next + self._pieces.bytes]
        key = _Piece(self._next, len(piece), self._epoch)
        message = self._message(self._next, piece)
        self._next += len(piece)
        self._pieces.sent(len(piece))
        self.sent_bytes += len(piece)
        return key, message

    def _answered(self, key: _Piece, body: Mapping[str, object]) -> None:
        self._take(body)
        if self.there >= key.offset + key.size:
            self._pieces.answered(key.size)
        elif key.epoch == self._epoch:
            self._go_back()
        self._next = max(self._next, self.there)

    def _take(self, body: Mapping[str, object]) -> None:
        offset = body.get("off")
        if not isinstance(offset, int) or not 0 <= offset <= len(self._data):
            raise PeerRefused("upload", self._stream.group, 0, f"offset {offset!r} of {len(self._data)} bytes")
        self.there = max(self.there, offset)
        if isinstance(body.get("match"), bool):
            self.match = bool(body["match"])
        self._progress(self.there)

    def _lost(self, key: _Piece) -> None:
        if key.epoch == self._epoch:
            self._pieces.lost(key.size)
            self._go_back()

    def _go_back(self) -> None:
        """Go on where the server stands; what is still under way will be too early for it."""
        self._epoch += 1
        self._next = self.there
        self._window.most_requests = max(1, self._window.most_requests // 2)
