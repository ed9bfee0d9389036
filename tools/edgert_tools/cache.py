"""The folder for downloads: what is in it was checked, so a second use needs no network."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_WORK = "work-"
_LEFT_BEHIND_S = 86_400.0  # nothing works so long


def cache_folder() -> Path:
    """`$EDGERT_CACHE`, else `$XDG_CACHE_HOME/edgert`, else `~/.cache/edgert`; made if missing."""
    named = os.environ.get("EDGERT_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    folder = Path(named).absolute() if named else (Path(base) if base else Path.home() / ".cache") / "edgert"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def work_folder() -> Iterator[Path]:
    """An empty folder that is gone afterwards, on the cache's disk so that moving into the cache is a rename.

    What a killed process left behind goes when it is a day old: a conversion of a large model leaves gigabytes.
    """
    for left in cache_folder().glob(_WORK + "*"):
        with suppress(OSError):  # another process may be sweeping too
            if time.time() - left.stat().st_mtime > _LEFT_BEHIND_S:
                shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_WORK, dir=cache_folder()) as name:
        yield Path(name)


def keep(made: Path, kept: Path) -> Path:
    """Move a finished file or folder to its place in the cache; another process that was first wins."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError, NotADirectoryError):
        if not kept.exists():
            _rename(made, kept)
    return kept


def _rename(made: Path, kept: Path) -> None:
    try:
        made.rename(kept)
    except OSError:
        # A folder that another process put there since the check cannot be renamed over: theirs is as good.
        if not kept.exists():
            raise
        if made.is_dir():
            shutil.rmtree(made)
