"""Finished candidates of a search, kept until it is over: what was interrupted goes on where it was."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.errors import BundleError
from edge_runtime.strict import decode
from edgert_tools.cache import cache_folder, keep, work_folder
from edgert_tools.evaluate import Quality

_FOLDER, _JUDGED, _BUNDLE = "searches", "judged.json", "bundle"
_FORGOTTEN_S = 7 * 86_400.0  # a search that nobody went on with for so long


@dataclass(frozen=True)
class Judged:
    """One scheme's bundle, and all of its figures that do not depend on what else this machine is doing."""

    scheme: str
    folder: Path
    quality: Quality
    peak_bytes: int | None


class KeptCandidates:
    """The folder of one search.

    Args:
        lock: everything that decides what comes out, the weights included: another lock is another search.
    """

    def __init__(self, lock: Mapping[str, object]) -> None:
        digest = hashlib.sha256(json.dumps(lock, sort_keys=True, default=str).encode()).hexdigest()
        self._folder = cache_folder() / _FOLDER / digest[:24]
        _forget_old(self._folder.parent)

    def get(self, scheme: str) -> Judged | None:
        """What was finished before; something half or damaged is as good as nothing."""
        place = self._folder / scheme
        try:
            read_bundle(place / _BUNDLE)
            return _read(scheme, place)
        except (OSError, ValueError, KeyError, TypeError, BundleError):
            shutil.rmtree(place, ignore_errors=True)
            return None

    def make(self, scheme: str, fill: Callable[[Path], tuple[Quality, int | None]]) -> Judged:
        """Let `fill` make a bundle in an empty folder and judge it, and keep it: all of it, or nothing."""
        with work_folder() as work:
            made = work / scheme
            (made / _BUNDLE).mkdir(parents=True)
            quality, peak = fill(made / _BUNDLE)
            figures = {"kind": type(quality).__name__, "quality": dataclasses.asdict(quality), "peak_bytes": peak}
            (made / _JUDGED).write_text(json.dumps(figures), encoding="utf-8")
            return _read(scheme, keep(made, self._folder / scheme))

    def clear(self) -> None:
        """The search is over."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _read(scheme: str, place: Path) -> Judged:
    figures: dict[str, Any] = json.loads((place / _JUDGED).read_bytes())
    kinds: dict[str, Any] = {kind.__name__: kind for kind in get_args(Quality)}
    quality: Quality = decode(kinds[figures["kind"]], figures["quality"])
    return Judged(scheme, place / _BUNDLE, quality, figures["peak_bytes"])


def _forget_old(folder: Path) -> None:
    for place in folder.glob("*"):
        with suppress(OSError):  # another process may be sweeping too
            if time.time() - place.stat().st_mtime > _FORGOTTEN_S:
                shutil.rmtree(place)
