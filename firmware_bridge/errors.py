"""What goes wrong on the way to a board; the family's root is in `edge_runtime.errors`."""

from __future__ import annotations

from edge_runtime.errors import EdgertError, UsageError


class BadTarget(UsageError):
    """A target's URL cannot be read, or nothing of that kind can be reached."""

    code = "bad_target"


class LinkLost(EdgertError):
    """The way to the board is gone, or the board does not answer; what it has received, it keeps."""

    code = "link_lost"


class PortBusy(EdgertError):
    """Another program uses the port."""

    code = "port_busy"


class PeerRefused(EdgertError):
    """The board understood, and said no.

    Attributes:
        group, rc: as the board said it; group -1 is SMP's own list of reasons.
        code: the board's own word for it, if it has one.
    """

    code = "peer_refused"

    def __init__(self, what: str, group: int, rc: int, reason: str = "", word: str = "") -> None:
        said = reason or (f"error {rc} of group {group}" if group >= 0 else f"error {rc}")
        super().__init__(f"{what}: the board says: {said}" if what else said)
        self.group, self.rc = group, rc
        if word:
            self.code = word


class NotThere(EdgertError):
    """The board has no such command or group."""

    code = "not_supported"


class RolledBack(EdgertError):
    """The bundle, or the firmware, was installed and tried, and did not stay."""

    code = "rolled_back"


class NotDecided(EdgertError):
    """It is installed, but whether it stays was not decided in the time that there was."""

    code = "not_decided"


class ProgramFailed(EdgertError):
    """A program that was asked to do a part of it could not; says what it said."""

    code = "program_failed"
