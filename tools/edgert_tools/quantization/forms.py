"""The bundle that a search ends with: of one form, or of one for each kind of board."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

from edge_runtime.bundle.manifest import Manifest, read_manifest
from edgert_tools.combine import join
from edgert_tools.quantization.outcome import Outcome

# Adds golden rows and reports to a bundle's folder and seals it again: folder, manifest so far -> manifest.
Finish = Callable[[Path, Manifest], Manifest]


def put_together(outcome: Outcome, work: Path, finish: Finish) -> Manifest:
    """Leave the finished bundle in `work/bundle`; several forms are joined as `edgert combine` does it."""
    if len(outcome.forms) < 2:
        return finish(*_copied(outcome.folder, work / "bundle"))
    made = []
    for form in outcome.forms:
        folder, manifest = _copied(outcome.folders[form.scheme], work / f"form-{form.scheme}")
        if form.scheme != outcome.chosen:  # which is for all other processors, too
            manifest = dataclasses.replace(manifest, targets=form.processors)
        finish(folder, manifest)
        made.append(folder)
    return join(made, work / "bundle")


def _copied(tried: Path, folder: Path) -> tuple[Path, Manifest]:
    shutil.copytree(tried, folder)
    return folder, read_manifest(folder)
