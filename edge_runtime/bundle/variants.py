"""Which form of a model a board gets: the first variant that is made for it, else the one for every board."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import PurePosixPath

from edge_runtime.bundle.specs import FileEntry, Manifest

FOLDER = "variants"  # each has a folder of its own in here


def for_targets(manifest: Manifest, targets: Collection[str]) -> Manifest:
    """The manifest as if the fitting form were its only one: its model and golden rows, without the others' files.

    Args:
        manifest: of a whole bundle.
        targets: what a board is, as `cpu-aarch64-dotprod`.
    """
    chosen = next((one for one in manifest.variants if not set(targets).isdisjoint(one.targets)), None)
    if not manifest.variants:
        return manifest
    own = PurePosixPath(chosen.model.file).parent.as_posix() if chosen is not None else None
    files = [entry for entry in manifest.files if _belongs(entry, own)]
    if chosen is None:
        return dataclasses.replace(manifest, files=tuple(files), variants=())
    replaced = {manifest.model.file, *(entry.path for entry in files if _is_golden_of_other(entry, chosen.golden))}
    return dataclasses.replace(
        manifest,
        model=chosen.model,
        targets=chosen.targets,
        files=tuple(entry for entry in files if entry.path not in replaced),
        variants=(),
    )


def _belongs(entry: FileEntry, own: str | None) -> bool:
    """Whether a file is everybody's, or of the chosen variant."""
    folder = PurePosixPath(entry.path).parts[:-1]
    return not folder or folder[0] != FOLDER or "/".join(folder) == own


def _is_golden_of_other(entry: FileEntry, golden: str) -> bool:
    return entry.role == "golden" and entry.path != golden
