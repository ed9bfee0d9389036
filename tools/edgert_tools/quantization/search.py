"""The guarded search: every scheme built and measured through the board's own pipeline, each with a verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import BudgetMissed, EdgertError
from edge_runtime.pipeline import open_pipeline
from edgert_tools.budget import Candidate, in_short, misses
from edgert_tools.evaluate import Quality
from edgert_tools.progress import Say
from edgert_tools.quantization.kept import Judged, KeptCandidates
from edgert_tools.quantization.outcome import Outcome, verdicts_table
from edgert_tools.quantization.pareto import choose, pareto, slower_than_float
from edgert_tools.recipe import Budget
from edgert_tools.timing import Speed, compare_speeds

MODEL = "model.onnx"
Stopwatch = Callable[[Path, Mapping[str, Path], Sequence[str]], Mapping[str, Speed]]


@dataclass(frozen=True)
class Trial:
    """What a search needs to know of one conversion.

    Args:
        name: of the recipe, for messages.
        original: the float bundle.
        texts: held back from calibration and training.
        budget: what a candidate must keep.
        make: writes the bundle of a scheme into an empty folder.
        judge: the quality of a bundle on the texts.
        peak: the most memory that a bundle takes, if that can be told.
    """

    name: str
    original: Path
    texts: Sequence[str]
    budget: Budget
    make: Callable[[str, Path], None]
    judge: Callable[[str, Path], Quality]
    peak: Callable[[Path], int | None]


def search(trial: Trial, schemes: Sequence[str], kept: KeptCandidates, note: Say, stopwatch: Stopwatch) -> Outcome:
    """Try every scheme and take the best.

    Args:
        trial: what is tried.
        schemes: names.
        kept: where finished candidates are, and go.
        note: gets a line for each one.
        stopwatch: times all bundles by turns with the float one.

    Raises:
        BudgetMissed: none is within the budget and at least as fast as float; the message has each one's verdict.
    """
    judged: dict[str, Judged] = {}
    failed: dict[str, str] = {}
    for number, scheme in enumerate(schemes, start=1):
        before = kept.get(scheme)
        try:
            judged[scheme] = before or kept.make(scheme, lambda folder, name=scheme: _fill(trial, name, folder))  # type: ignore[misc]
        except OSError:  # a full disk is nothing that a scheme can be blamed for
            raise
        except Exception as error:  # noqa: BLE001  # quantizers of graph patterns fail in any way; the others go on
            failed[scheme] = _reason(error)
        said = in_short(judged[scheme].quality) if scheme in judged else f"cannot be made: {failed[scheme]}"
        note(f"{number}/{len(schemes)} {scheme}: {said}{' (made before)' if before else ''}")
    speeds = stopwatch(trial.original, {name: item.folder for name, item in judged.items()}, trial.texts)
    candidates = tuple(_candidate(trial, item, speeds[name]) for name, item in judged.items())
    taken = choose(candidates)
    if taken is None:
        raise BudgetMissed(
            f"no int8 scheme of {trial.name} is within its budget and as fast as float on this machine, nothing was "
            f"written:\n{verdicts_table(candidates, failed)}"
        )
    return Outcome(candidates, taken.scheme, judged[taken.scheme].folder, pareto(candidates), failed)


def time_by_turns(original: Path, folders: Mapping[str, Path], texts: Sequence[str]) -> Mapping[str, Speed]:
    """The stopwatch of a real search: one thread each, all pipelines in this process."""
    pipelines = {name: open_pipeline(folder, threads=1) for name, folder in folders.items()}
    return compare_speeds(open_pipeline(original, threads=1), pipelines, texts, threads=1)


def _fill(trial: Trial, scheme: str, folder: Path) -> tuple[Quality, int | None]:
    trial.make(scheme, folder)
    return trial.judge(scheme, folder), trial.peak(folder)


def _candidate(trial: Trial, item: Judged, speed: Speed) -> Candidate:
    size = (item.folder / MODEL).stat().st_size
    ratio = size / (trial.original / MODEL).stat().st_size
    missed = misses(item.quality, ratio, trial.budget)
    made = Candidate(item.scheme, size, ratio, item.quality, speed, missed, item.peak_bytes)
    return dataclasses.replace(made, misses=(*missed, *slower_than_float(made)))


def _reason(error: Exception) -> str:
    if isinstance(error, EdgertError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
