"""What the groups serve: the store, what is on its way into it, the folder of files, and what people are told."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime import __version__
from edge_runtime.bundle.store.disk import Disk, RealDisk
from edge_runtime.bundle.store.store import Store
from edge_runtime.bundle.trust import Trust
from firmware_bridge.smp.files import Files
from firmware_bridge.smp.finishing import PATIENCE_S, Finishing
from firmware_bridge.smp.offers import Offers
from firmware_bridge.smp.parts import Parts
from firmware_bridge.smp.slots import MarkedSlots
from firmware_bridge.smp.statistics import Statistics
from firmware_bridge.smp.uploads import Uploads

log = logging.getLogger("edgert.smp")

FOLDER = "smp"  # in the store; its garbage collection does not look there
FILES_BYTES = 64 << 20


def _nothing() -> None:
    """No reset does more than the slots say."""


@dataclass
class Hub:
    """Everything behind the groups.

    Attributes:
        device: the board's name.
        reset: called after a reset was answered and the slots were changed.
        boot: 8 bytes, others each time.
        last_refusal: why the last bundle was not taken, for people.
    """

    device: str
    store: Store
    disk: Disk
    slots: MarkedSlots
    uploads: Uploads
    offers: Offers
    files: Files
    parts: tuple[Parts, Parts]
    finishing: Finishing
    reset: Callable[[], None] = _nothing
    boot: bytes = field(default_factory=lambda: secrets.token_bytes(8))
    statistics: Statistics = field(default_factory=Statistics)
    last_refusal: list[str] = field(default_factory=list)
    edgert: str = __version__

    def close(self) -> None:
        """Make certain what has come, finish what is being installed."""
        self.finishing.close()
        for parts in self.parts:
            parts.close()


def open_hub(
    device: str,
    root: Path,
    store: Store,
    trust: Callable[[], Trust],
    *,
    reset: Callable[[], None] = _nothing,
    files_bytes: int = FILES_BYTES,
    patience_s: float = PATIENCE_S,
) -> Hub:
    """A hub over the store in `root`; what it keeps of its own is in `root/smp`.

    Args:
        device: the board's name.
        root, store: the store and its folder.
        trust: the keys that are trusted now.
        reset: what a reset does besides changing slots.
        files_bytes: what the fs group's folder may hold.
        patience_s: how long an answer may wait for a large file to be checked.
    """
    disk = RealDisk(root / FOLDER)
    refusals: list[str] = []

    def refused(reason: str) -> None:
        log.warning("not taken: %s", reason)
        refusals[:] = [reason]

    finishing = Finishing(patience_s)
    images, objects = Parts(root / FOLDER / "images"), Parts(root / FOLDER / "objects")
    return Hub(
        device,
        store,
        disk,
        MarkedSlots(store, disk, lambda line: log.info("%s", line)),
        Uploads(store, trust, disk, images, finishing, refused),
        Offers(store, trust, objects, finishing, refused),
        Files(root / FOLDER / "files", files_bytes),
        (images, objects),
        finishing,
        reset,
        last_refusal=refusals,
    )
