"""How large the pieces are in which something is sent, pure: large costs little on a good line, small on a bad one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

LEAST_BYTES = 32
_BEFORE_LOSSES, _BEFORE_BYTES = 0.5, 32768  # as if so much had been sent and lost before: begins at about 2 KB


@dataclass
class PieceSize:
    """The size of the next piece, learned from what was lost.

    With `p` losses a byte, a piece of `n` bytes costs `overhead / n` for its frame and `p * n` for being sent again, so
    the best `n` is the root of `overhead / p`. A device that drops what is too long for its buffers never answers a
    large piece: after a loss nothing is sent that is larger than what was answered before.

    Attributes:
        most: bytes that one message can carry.
        overhead: bytes that a message and its answer take besides.
    """

    most: int
    overhead: int = 64
    sent_bytes: int = field(default=0, init=False)
    losses: int = field(default=0, init=False)
    worked: int = field(default=0, init=False)
    _ceiling: int = field(default=0, init=False)

    @property
    def bytes(self) -> int:
        """Of the next piece."""
        best = int(math.sqrt(self.overhead * (self.sent_bytes + _BEFORE_BYTES) / (self.losses + _BEFORE_LOSSES)))
        most = min(self.most, max(self.worked, self._ceiling)) if self.losses else self.most
        return max(min(LEAST_BYTES, self.most), min(most, best))

    def sent(self, size: int) -> None:
        """A piece was sent."""
        self.sent_bytes += size

    def answered(self, size: int) -> None:
        """A piece has come there."""
        self.worked = max(self.worked, size)

    def lost(self, size: int) -> None:
        """A piece, or its answer, was lost."""
        self.losses += 1
        self._ceiling = size // 2
