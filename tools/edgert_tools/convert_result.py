"""What a conversion of any kind of model comes to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.bundle.manifest import Manifest

if TYPE_CHECKING:
    from edgert_tools.existing.report import GraphReport
    from edgert_tools.generation.report import DecoderReport
    from edgert_tools.report import Report
    from edgert_tools.speech.report import SpeechReport


@dataclass(frozen=True)
class ConvertResult:
    """A bundle that is in its place. `up_to_date`: it was there already, nothing was done (and `report` is None)."""

    folder: Path
    manifest: Manifest
    up_to_date: bool
    report: Report | GraphReport | SpeechReport | DecoderReport | None
    seconds: float
