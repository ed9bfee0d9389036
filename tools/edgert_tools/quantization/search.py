"""The guarded search: every scheme built and measured through the board's own pipeline, each with a verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import BudgetMissed, EdgertError
from edge_runtime.pipeline import open_pipeline
from edgert_tools.arm.figures import OnBoard
from edgert_tools.budget import Candidate, in_short, misses
from edgert_tools.evaluate import Quality
from edgert_tools.progress import Say
from edgert_tools.quantization.kept import Judged, KeptCandidates
from edgert_tools.quantization.outcome import Outcome, verdicts_table
from edgert_tools.quantization.pareto import choose, pareto, slower_than_float
from edgert_tools.quantization.targets import forms_for
from edgert_tools.recipe import Budget
from edgert_tools.timing import Speed, compare_speeds

MODEL = "model.onnx"
Stopwatch = Callable[[Path, Mapping[str, Path], Sequence[str]], Mapping[str, Speed]]
Counter = Callable[[Path, Mapping[str, Path]], Mapping[str, tuple[OnBoard, ...]]]


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
        targets: names of boards to choose for; none: this machine.
        count: float's graph and others by scheme, on the targets.
    """

    name: str
    original: Path
    texts: Sequence[str]
    budget: Budget
    make: Callable[[str, Path], None]
    judge: Callable[[str, Path], Quality]
    peak: Callable[[Path], int | None]
    targets: tuple[str, ...] = ()
    count: Counter | None = None


def search(trial: Trial, schemes: Sequence[str], kept: KeptCandidates, note: Say, stopwatch: Stopwatch) -> Outcome:
    """Try every scheme and take the best, for this machine or for each target.

    Args:
        trial: what is tried.
        schemes: names.
        kept: where finished candidates are, and go.
        note: gets a line for each one.
        stopwatch: times all bundles by turns with the float one.

    Raises:
        BudgetMissed: none is within the budget and at least as fast as float (on a target: has at most its
            instructions); the message has each one's verdict.
    """
    judged, failed = _judge_all(trial, schemes, kept, note)
    folders = {name: item.folder for name, item in judged.items()}
    speeds = stopwatch(trial.original, folders, trial.texts)
    candidates = tuple(_candidate(trial, item, speeds[name]) for name, item in judged.items())
    if trial.count is not None:
        return _for_targets(trial, trial.count, Outcome(candidates, "", trial.original, (), failed, folders=folders))
    taken = choose(candidates)
    if taken is None:
        raise _missed(
            trial, "and as fast as float on this machine", Outcome(candidates, "", trial.original, (), failed)
        )
    return Outcome(candidates, taken.scheme, folders[taken.scheme], pareto(candidates), failed)


def _judge_all(
    trial: Trial, schemes: Sequence[str], kept: KeptCandidates, note: Say
) -> tuple[dict[str, Judged], dict[str, str]]:
    """Every scheme made and judged, or why it cannot be."""
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
    return judged, failed


def _for_targets(trial: Trial, count: Counter, tried: Outcome) -> Outcome:
    """Those within the budget counted on every target, and the best for each."""
    within = {one.scheme: one for one in tried.candidates if not one.misses}
    graphs = {scheme: tried.folders[scheme] / MODEL for scheme in within}
    counted = dataclasses.replace(tried, figures=count(trial.original / MODEL, graphs) if graphs else {})
    forms, without = forms_for(list(within.values()), counted.figures, trial.targets)
    if without:
        names = ", ".join(without)
        raise _missed(trial, f"with at most float's instructions on {names} (try other schemes, or targets)", counted)
    chosen = forms[-1].scheme
    return dataclasses.replace(
        counted, chosen=chosen, folder=tried.folders[chosen], forms=forms, pareto=pareto(tried.candidates)
    )


def _missed(trial: Trial, what: str, tried: Outcome) -> BudgetMissed:
    return BudgetMissed(
        f"no int8 scheme of {trial.name} is within its budget {what}, nothing was written:\n{verdicts_table(tried)}"
    )


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
    if trial.targets:  # how fast it is on this machine is no reason for or against
        return made
    return dataclasses.replace(made, misses=(*missed, *slower_than_float(made)))


def _reason(error: Exception) -> str:
    if isinstance(error, EdgertError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
