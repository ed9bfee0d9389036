"""Which form of a model each target gets: the fewest instructions, never more than float's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgert_tools.arm.figures import OnBoard
from edgert_tools.arm.measuring import on_boards, typical_requests
from edgert_tools.budget import Candidate
from edgert_tools.planning.boards import CoreClass, find_board
from edgert_tools.progress import Say
from edgert_tools.quantization.calibration import encode_rows
from edgert_tools.quantization.pareto import AS_SMALL, loss_of
from edgert_tools.quantization.scheme import WITHOUT_DOT_PRODUCT, facts_of
from edgert_tools.recipe import Recipe
from edgert_tools.settings import Options

AS_FEW = 1.02  # times the fewest instructions: nearer than this, other merits decide
# From the least able cores to the ablest, with the word by which a board finds its form (engine/processor.py).
CLASSES: dict[CoreClass, str] = {
    "no-dot": "cpu-aarch64",
    "dot": "cpu-aarch64-dotprod",
    "i8mm": "cpu-aarch64-i8mm",
}
Figures = Mapping[str, tuple[OnBoard, ...]]


@dataclass(frozen=True)
class Form:
    """One scheme in a bundle: the targets that use it, and the word that their processors find it by."""

    scheme: str
    boards: tuple[str, ...]
    processors: tuple[str, ...]


def for_targets(recipe: Recipe, options: Options, targets: Sequence[str]) -> Recipe:
    """The recipe with what else is worth trying for the targets, in a search that was not told which schemes to try."""
    plain = any(find_board(name).core_class == "no-dot" for name in targets)
    if not plain or not options.search or options.schemes:
        return recipe
    candidates = tuple(dict.fromkeys((*recipe.quantize.candidates, *WITHOUT_DOT_PRODUCT)))
    return dataclasses.replace(recipe, quantize=dataclasses.replace(recipe.quantize, candidates=candidates))


def on_texts(
    tokenizer: Path, texts: Sequence[str], max_tokens: int, targets: Sequence[str], note: Say
) -> Callable[[Path, Mapping[str, Path]], Figures] | None:
    """What counts float's graph and others, by scheme, on the targets, reading these texts; None without targets."""
    if not targets:
        return None
    requests = typical_requests(encode_rows(tokenizer, texts, max_tokens))
    return lambda original, graphs: on_boards(original, graphs, requests, targets, note)


def forms_for(
    candidates: Sequence[Candidate], figures: Figures, targets: Sequence[str]
) -> tuple[tuple[Form, ...], tuple[str, ...]]:
    """The forms that serve all targets, preferred ones first, the one for every other board last.

    Boards are told apart by their class of cores, as a board has no more to choose by. A class takes the scheme of the
    lesser class where that has at most 2 % more instructions than its own best; so there are few forms, and none comes
    back in an abler class after another one, where boards could not find it.

    Args:
        candidates: those that may be used.
        figures: by scheme, on each target.
        targets: names of boards.

    Returns:
        The forms, and the targets for which there is none.
    """
    chosen: list[tuple[CoreClass, str]] = []
    without: list[str] = []
    for cores in CLASSES:
        names = [name for name in targets if find_board(name).core_class == cores]
        if not names:
            continue
        below = chosen[-1][1] if chosen else ""
        barred = {scheme for _, scheme in chosen} - {below}
        best = _best([one for one in candidates if one.scheme not in barred], figures, names, below)
        if best is None:
            without += names
        else:
            chosen.append((cores, best))
    schemes = list(dict.fromkeys(scheme for _, scheme in reversed(chosen)))
    return tuple(_form(scheme, chosen, targets) for scheme in schemes), tuple(without)


def _form(scheme: str, chosen: Sequence[tuple[CoreClass, str]], targets: Sequence[str]) -> Form:
    classes = [cores for cores, name in chosen if name == scheme]
    boards = tuple(name for name in targets if find_board(name).core_class in classes)
    return Form(scheme, boards, tuple(CLASSES[cores] for cores in classes))


def _best(candidates: Sequence[Candidate], figures: Figures, names: Sequence[str], below: str) -> str | None:
    """The scheme for boards of one class: by what it has at most, in times float's, on any of them."""
    costs = {one.scheme: _cost(figures[one.scheme], names) for one in candidates}
    fitting = [one for one in candidates if costs[one.scheme] is not None]
    if not fitting:
        return None
    fewest = min(costs[one.scheme] or 0.0 for one in fitting)
    few = [one for one in fitting if (costs[one.scheme] or 0.0) <= AS_FEW * fewest]
    if any(one.scheme == below for one in few):
        return below
    smallest = min(one.size_bytes for one in few)
    small = [one for one in few if one.size_bytes <= AS_SMALL * smallest]
    return min(small, key=_merit).scheme


def _cost(figures: Sequence[OnBoard], names: Sequence[str]) -> float | None:
    """None: it is not for one of them."""
    wanted = [one for one in figures if one.board in names]
    return None if any(one.misses for one in wanted) else max(one.ratio for one in wanted)


def _merit(one: Candidate) -> tuple[bool, float, str]:
    return not facts_of(one.scheme).batch_invariant, loss_of(one.quality), one.scheme
