"""What a server remembers of one client on one link: only which image it is sending."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sending:
    """An image on its way: the name of its part, its announced size, and the SHA-256 that was announced, if any."""

    part: str
    size: int
    sha: bytes


@dataclass
class Session:
    """One client.

    Attributes:
        link: what it comes over, for people.
        sending: the image that it is sending; None: it is not.
        after: what is to be done once the answer has left.
        baud: that the link shall have once the answer has left; 0: as it is.
        can_change_baud: whether the link has one.
    """

    link: str
    can_change_baud: bool = False
    sending: Sending | None = None
    after: list[Callable[[], None]] = field(default_factory=list)
    baud: int = 0

    def see_to_the_rest(self) -> None:
        """Do what was to be done once the answer has left."""
        after, self.after = self.after, []
        for act in after:
            act()
