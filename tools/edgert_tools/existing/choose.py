"""int8 forms of one graph, each tried on the board's own model against float; the fastest good one, or float."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import EdgertError
from edge_runtime.model import Answer, Asked, Model, open_model
from edgert_tools.evaluate import Share, wilson
from edgert_tools.existing.examples import Examples
from edgert_tools.existing.judge import Quality, compare, in_short, misses
from edgert_tools.existing.recipe import GraphBudget
from edgert_tools.graph import load_graph
from edgert_tools.progress import Say
from edgert_tools.quantization.build import quantize
from edgert_tools.quiet import quiet
from edgert_tools.timing import Speed

FLOAT, MODEL = "float32", "model.onnx"
_TIMED, _ROUNDS, _MOST_TIMED_S = 12, 9, 20.0
_SHOWN_MISSES = 2
_CLEARLY = 1.15  # times as fast

Pack = Callable[[Path, str], None]


@dataclass(frozen=True)
class Tried:
    """One int8 form: what it gave, or in `failed` why it could not be made; `right`: labels, if the truth is known."""

    scheme: str
    size_bytes: int = 0
    size_ratio: float = 0.0
    quality: Quality = ()
    speed: Speed | None = None
    misses: tuple[str, ...] = ()
    failed: str = ""
    right: Share | None = None

    @property
    def good(self) -> bool:
        """Whether it may be shipped."""
        return not self.failed and not self.misses


@dataclass(frozen=True)
class Choice:
    """What to ship: `scheme` in `folder`, a bundle that runs; `why` says it for people."""

    scheme: str
    folder: Path
    tried: tuple[Tried, ...]
    float_bytes: int
    why: str
    float_right: Share | None = None

    @property
    def chosen(self) -> Tried | None:
        """The int8 form that is shipped, if one is."""
        return next((one for one in self.tried if one.scheme == self.scheme), None)


def choose(
    graph: Path,
    schemes: Sequence[str],
    examples: Examples | None,
    budget: GraphBudget,
    pack: Pack,
    work: Path,
    note: Say,
    *,
    scores: Sequence[str] = (),
    keep_float: Sequence[str] = (),
) -> Choice:
    """Try the schemes.

    Args:
        graph: the float graph, one file.
        schemes: names that `quantization.parse_scheme` knows; none: float it is.
        examples: without any, nothing can be claimed of int8: float it is.
        budget: how far int8 may be off, and how fast it has to be.
        pack: given a folder with `model.onnx` and the scheme, makes a sealed bundle of it that `open_model` opens.
        work: a folder to work in; each scheme gets one inside, and so does float.
        note: told of each scheme as it is done.
        scores: outputs that are class scores; see `judge.compare`.
        keep_float: names of nodes that stay as they are.
    """
    original = work / FLOAT
    original.mkdir()
    shutil.copyfile(graph, original / MODEL)
    pack(original, FLOAT)
    size = (original / MODEL).stat().st_size
    if examples is None or not schemes:
        open_model(original)
        return Choice(FLOAT, original, (), size, "no int8 form was tried")
    trial = _Trial(original, size, examples, budget, pack, scores, keep_float)
    tried = []
    for scheme in schemes:
        tried.append(trial.of(_source(graph, scheme, work), scheme, work / scheme))
        note(line_of(tried[-1]))
    good = [one for one in tried if one.good]
    if not good:
        why = f"none of {len(tried)} int8 forms is good enough and faster"
        return Choice(FLOAT, original, tuple(tried), size, why, trial.right)
    best = _first_that_is_fast(good)
    why = f"the fastest of {len(good)} within the budget" if len(good) > 1 else "the only one within the budget"
    return Choice(best.scheme, work / best.scheme, tuple(tried), size, why, trial.right)


def line_of(one: Tried) -> str:
    """What came of a scheme, on one line."""
    if one.failed or one.speed is None:
        return f"{one.scheme:22} cannot be made: {one.failed}"
    more = f" and {len(one.misses) - _SHOWN_MISSES} more bounds" if len(one.misses) > _SHOWN_MISSES else ""
    verdict = "misses " + "; ".join(one.misses[:_SHOWN_MISSES]) + more if one.misses else "within the budget"
    size = f"{one.size_bytes / 1e6:.2f} MB ({one.size_ratio:.1%})"
    quality = "" if one.misses else in_short(one.quality) + "  "
    quality += f"{one.right.value:.2%} right  " if one.right else ""
    return f"{one.scheme:22} {size}  {quality}{one.speed.ratio:.2f}x float's speed  {verdict}"


def right_labels(answers: Sequence[Answer], truth: Sequence[str]) -> Share | None:
    """How many answers have the label that is right; None if nobody knows."""
    if not truth:
        return None
    return wilson(
        sum(one.rows()[0].get("label") == label for one, label in zip(answers, truth, strict=True)), len(truth)
    )


def right_of(answers: Sequence[Answer], examples: Examples) -> Share | None:
    """How much of the answers is right, by the data's own measure or by its labels; None if nobody knows."""
    return examples.right(answers) if examples.right else right_labels(answers, examples.truth)


def answers_of(model: Model, questions: Sequence[Asked]) -> list[Answer]:
    """Each question asked alone."""
    return [model.answer([question]).answers[0] for question in questions]


def speed_by_turns(original: Model, other: Model, questions: Sequence[Asked]) -> Speed:
    """Time both models on some of the questions, one after the other, so that both meet the same noise."""
    sample = [questions[number * len(questions) // _TIMED] for number in range(_TIMED)]
    for model in (original, other):
        model.answer([sample[-1]])  # the first run allocates
    pairs: list[tuple[float, float]] = []
    end = time.perf_counter() + _MOST_TIMED_S
    for _ in range(_ROUNDS):
        pairs += [(_seconds(original, question), _seconds(other, question)) for question in sample]
        if time.perf_counter() > end:
            break
    return Speed(
        threads=1,
        pairs=len(pairs),
        float_ms=1000 * statistics.median(before for before, _ in pairs),
        int8_ms=1000 * statistics.median(after for _, after in pairs),
        ratio=statistics.median(before / after for before, after in pairs),
    )


class _Trial:
    """What all schemes are held against; the float answers are had once."""

    def __init__(
        self,
        original: Path,
        size: int,
        examples: Examples,
        budget: GraphBudget,
        pack: Pack,
        scores: Sequence[str],
        keep_float: Sequence[str],
    ) -> None:
        self._size, self._examples, self._budget, self._pack = size, examples, budget, pack
        self._scores, self._keep_float = scores, keep_float
        self._model = open_model(original, threads=1)
        self._answers = answers_of(self._model, examples.questions)
        self.right = right_of(self._answers, examples)

    def of(self, graph: Path, scheme: str, folder: Path) -> Tried:
        """Make, pack, ask, compare and time one form."""
        folder.mkdir()
        try:
            quantize(graph, scheme, folder / MODEL, self._keep_float, self._examples.feeds)
        except Exception as error:  # noqa: BLE001 - onnxruntime's quantizers raise all kinds for graphs they cannot take
            return Tried(scheme, failed=" ".join(str(error).split())[:200] or type(error).__name__)
        self._pack(folder, scheme)
        try:
            model = open_model(folder, threads=1)
            found = answers_of(model, self._examples.questions)
        except EdgertError as error:
            return Tried(scheme, failed=str(error)[:200])
        quality = compare(self._answers, found, self._scores)
        speed = speed_by_turns(self._model, model, self._examples.questions)
        size = (folder / MODEL).stat().st_size
        right = right_of(found, self._examples)
        return Tried(
            scheme, size, size / self._size, quality, speed, self._misses(quality, size, speed, right), right=right
        )

    def _misses(self, quality: Quality, size: int, speed: Speed, right: Share | None) -> tuple[str, ...]:
        found, budget, ratio = list(misses(quality, self._budget)), self._budget, size / self._size
        if ratio > budget.size_ratio:
            found.append(f"size {ratio:.1%} of float, at most {budget.size_ratio:.0%}")
        if speed.ratio < budget.speed_min:
            found.append(f"{speed.ratio:.2f}x float's speed, at least {budget.speed_min:g}x")
        if right and self.right and 100 * (self.right.value - right.value) > budget.accuracy_drop_points:
            drop = f"{right.value:.2%} right, float {self.right.value:.2%}"
            found.append(f"{drop}: at most {budget.accuracy_drop_points:g} points less")
        return tuple(found)


def _first_that_is_fast(good: Sequence[Tried]) -> Tried:
    """The first one that none is clearly faster than: noise must not decide between equals."""
    fastest = max(one.speed.ratio for one in good if one.speed)
    return next(one for one in good if one.speed and one.speed.ratio * _CLEARLY >= fastest)


def _source(graph: Path, scheme: str, work: Path) -> Path:
    """The graph to quantize: for static int8 with normalisations folded into convolutions and shapes inferred."""
    if not scheme.startswith("qdq"):
        return graph
    prepared = work / "prepared.onnx"
    if not prepared.exists():
        from onnxruntime.quantization.shape_inference import quant_pre_process

        try:
            with quiet():
                quant_pre_process(load_graph(graph), str(prepared), skip_symbolic_shape=True)
        except Exception:  # noqa: BLE001 - it is a help, not a need
            shutil.copyfile(graph, prepared)
    return prepared


def _seconds(model: Model, question: Asked) -> float:
    start = time.perf_counter()
    model.answer([question])
    return time.perf_counter() - start
