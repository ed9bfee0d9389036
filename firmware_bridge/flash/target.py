"""What flashing asks of a board, whatever the way to it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from firmware_bridge.flash.cargo import Cargo, Item

End = Literal["confirmed", "on_trial", "waiting", "installed"]
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Wanted:
    """What a board wants of a bundle.

    Attributes:
        items: the files that it does not have whole.
        bytes: of them that must still come.
        free_bytes: of disk there; None: it does not tell.
        rate: bytes a second that the link takes; None: nobody knows.
        overhead: bytes on the wire for each useful byte, before compression.
        compresses: whether files are compressed on the way.
        state: what the board has made of this very bundle before; empty if it does not know it.
        way: how it is sent, for people.
    """

    items: list[Item]
    bytes: int
    free_bytes: int | None = None
    rate: float | None = None
    overhead: float = 1.0
    compresses: bool = False
    state: str = ""
    way: str = ""


@dataclass(frozen=True)
class Sent:
    """What sending took: useful bytes, those that were sent again, and all bytes on the wire."""

    useful_bytes: int = 0
    again_bytes: int = 0
    wire_bytes: int = 0
    details: dict[str, object] = field(default_factory=dict)


class Target(Protocol):
    """A board, or a folder that will be one's."""

    def look(self, cargo: Cargo) -> Wanted:
        """Say what the board wants of this bundle; refuse it if the board does."""

    def send(self, cargo: Cargo, wanted: Wanted, progress: Progress) -> Sent:
        """Send it; `progress` is told how many of the wanted bytes are there."""

    def commit(self, cargo: Cargo, *, test: bool) -> None:
        """All is there: make it known, and let it be tried."""

    def outcome(self, cargo: Cargo, limit_s: float, tell: Callable[[str], None]) -> End:
        """Wait until the board has decided. RolledBack: against it. NotDecided: it has not, in this time."""

    def close(self) -> None:
        """Let go of the board."""
