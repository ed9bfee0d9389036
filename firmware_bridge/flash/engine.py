"""Flashing, whatever the way: look what is wanted, say what it costs, send that, make it known, wait for the verdict.

It is always a resume: what the board has, whole or in part, does not travel again. So "again" means the same command.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

from edge_runtime.bundle.errors import NoSpace
from edge_runtime.errors import EdgertError
from firmware_bridge.errors import LinkLost, NotDecided, PortBusy, RolledBack
from firmware_bridge.flash.cargo import Cargo
from firmware_bridge.flash.target import End, Progress, Sent, Target, Wanted

Confirm = Literal["auto", "manual"]
_SPARE = 1.1  # as the store asks
DONE, USED_WRONGLY, REFUSED, LINK_LOST, ROLLED_BACK, BUSY = range(6)
_NO_UPLOAD = frozenset({"active", "trial", "waiting", "previous", "pending"})


@dataclass(frozen=True)
class Estimate:
    """What flashing will cost, before the first byte.

    Attributes:
        model, version, counter: of the bundle.
        bundle_bytes, files: all of it.
        send_bytes, send_files: what the board does not have.
        wire_bytes: about how much goes over the wire, compressed and framed.
        seconds: on this link; None: its speed is not known.
        free_bytes: of disk there; None: it is not told.
        state: what the board has made of this very bundle before.
        way: how it goes.
    """

    model: str
    version: str
    counter: int
    bundle_bytes: int
    files: int
    send_bytes: int
    send_files: int
    wire_bytes: int
    seconds: float | None
    free_bytes: int | None
    state: str
    way: str

    def describe(self) -> str:
        """One line or two for people."""
        share = f"{self.send_bytes / 1e6:.2f} of {self.bundle_bytes / 1e6:.2f} MB"
        parts = [f"{self.model} {self.version}: to send {share}, {self.send_files} of {self.files} files"]
        if self.send_bytes:
            parts.append(f"about {self.wire_bytes / 1e6:.2f} MB on the wire")
        if self.seconds is not None and self.send_bytes:
            parts.append(f"about {_duration(self.seconds)}")
        if self.free_bytes is not None:
            parts.append(f"{self.free_bytes / 1e6:.0f} MB free there")
        known = f"\nthe board knows this bundle: {self.state}" if self.state else ""
        return f"{', '.join(parts)} ({self.way}){known}"


@dataclass(frozen=True)
class Report:
    """What came of it."""

    estimate: Estimate
    sent: Sent
    seconds: float
    end: End | Literal["dry_run"]

    def plain(self) -> dict[str, object]:
        """For machines."""
        return {
            "ok": True,
            "end": self.end,
            "seconds": round(self.seconds, 3),
            "estimate": asdict(self.estimate),
            "sent": asdict(self.sent),
        }


@dataclass(frozen=True)
class Told:
    """Who is told what happens meanwhile: the estimate, progress in bytes, and single lines."""

    estimate: Callable[[Estimate], None] = lambda estimate: None
    progress: Progress = lambda done: None
    line: Callable[[str], None] = lambda line: None


def flash(
    cargo: Cargo,
    target: Target,
    *,
    confirm: Confirm = "auto",
    dry_run: bool = False,
    limit_s: float = 300.0,
    told: Told = Told(),
) -> Report:
    """Flash a bundle.

    Args:
        confirm: "auto" waits until the board has decided; "manual" leaves it on trial for a person to decide.
        dry_run: only say what it would cost; the board is told of the bundle, nothing else.
        limit_s: for the board's decision.

    Raises:
        NoSpace, PeerRefused, UpdateError: it is refused, before anything that runs was touched.
        LinkLost: the link is gone; the same again goes on where this ended.
        RolledBack: it was installed and did not stay.
        NotDecided: it was installed, and nobody has decided in time.
    """
    begun_s = time.monotonic()
    wanted = target.look(cargo)
    estimate = estimated(cargo, wanted)
    told.estimate(estimate)
    if wanted.free_bytes is not None and wanted.bytes * _SPARE > wanted.free_bytes:
        raise NoSpace(int(wanted.bytes * _SPARE), wanted.free_bytes)
    if dry_run:
        return Report(estimate, Sent(), time.monotonic() - begun_s, "dry_run")
    sent = Sent()
    if wanted.bytes or wanted.state not in _NO_UPLOAD:
        sent = target.send(cargo, wanted, told.progress)
    if wanted.state != "active":
        target.commit(cargo, test=True)
    end: End = "on_trial" if confirm == "manual" else target.outcome(cargo, limit_s, told.line)
    return Report(estimate, sent, time.monotonic() - begun_s, end)


def estimated(cargo: Cargo, wanted: Wanted) -> Estimate:
    """What it will cost."""
    manifest = cargo.signed.manifest
    share = cargo.compressed_share(wanted.items) if wanted.compresses else 1.0
    wire = int(wanted.bytes * share * wanted.overhead)
    return Estimate(
        manifest.name,
        manifest.version,
        manifest.counter,
        cargo.size_bytes,
        len(cargo.items),
        wanted.bytes,
        len(wanted.items),
        wire,
        wire / wanted.rate if wanted.rate else None,
        wanted.free_bytes,
        wanted.state,
        wanted.way,
    )


def exit_code(error: EdgertError) -> int:
    """What `edgert flash` exits with: 1 used wrongly, 2 refused, 3 link lost, 4 rolled back, 5 busy or not decided."""
    if isinstance(error, LinkLost):
        return LINK_LOST
    if isinstance(error, RolledBack):
        return ROLLED_BACK
    if isinstance(error, PortBusy | NotDecided) or error.code in ("store_busy", "busy"):
        return BUSY
    return USED_WRONGLY if error.exit_code == 2 else REFUSED


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
