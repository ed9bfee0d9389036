"""A request on its way through the service, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_runtime.errors import EdgertError
from edge_runtime.mqtt.contract import Address, Request

_CHARS_PER_TOKEN = 4  # English, by any usual vocabulary
_FRAME_TOKENS = 2
_SHORT_TOKENS = 16  # up to here a run costs nearly the same


@dataclass(frozen=True)
class Outcome:
    """What came of a request: the body of its reply, or an error; and its timing in microseconds.

    `header_bytes` is the length of the JSON in front of a body with binary tensors.
    """

    body: bytes
    error: EdgertError | None
    timing: Mapping[str, int]
    header_bytes: int = 0


@dataclass(eq=False)
class Job:
    """A request that waits or runs: until when it is worth running, and everyone who gets its reply.

    Attributes:
        cancelled: nobody wants the answer any more; what streams ends at its next chunk.
    """

    request: Request
    arrived_s: float
    ends_s: float
    waiting: list[Address] = field(default_factory=list)
    cancelled: bool = False
    longest_tokens: int = field(init=False)

    def __post_init__(self) -> None:
        longest = max(map(len, self.request.texts), default=0) + max(map(len, self.request.pairs), default=0)
        if not self.request.texts:  # numbers, a picture, a sound: a minute of it is not as short as a moment
            longest = self.request.size_bytes
        self.longest_tokens = longest // _CHARS_PER_TOKEN + _FRAME_TOKENS

    @property
    def rows(self) -> int:
        """Texts of the request; at least 1, for a picture too."""
        return max(1, len(self.request.texts), len(self.request.pairs))

    @property
    def bucket(self) -> int:
        """Texts of one bucket are all short, or differ in length by a factor of two at most: padding wastes little."""
        return max(_SHORT_TOKENS, self.longest_tokens).bit_length()
