"""Models that write token by token: what a board says of them as long as it has no engine that writes."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.errors import UnsupportedModel


def open_generate(folder: Path, manifest: Manifest, threads: int) -> NoReturn:
    """Refuse, in words. UnsupportedModel: always."""
    del folder, threads
    raise UnsupportedModel(
        f"{manifest.name} is for the task generate: this edgert makes and shows such bundles (`edgert inspect`), but "
        "generation is not served yet; load a model of another task (docs/tasks.md)"
    )
