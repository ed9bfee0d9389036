"""What is nearest when a model does not fit: fewer tokens, another scheme, a larger board, a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgert_tools.checkpoint import WEIGHTS
from edgert_tools.planning.boards import Board
from edgert_tools.planning.folder_model import Asked, Place, model_of_folder
from edgert_tools.planning.memory import MIB, PROCESS_MB, SESSION_MB, TOKENIZER_MB, memory_of
from edgert_tools.planning.model import Model
from edgert_tools.planning.refusal import BadSource
from edgert_tools.planning.safetensors_header import read_safetensors
from edgert_tools.planning.sizes import Size, sizes_of
from edgert_tools.planning.source import fetched_checkpoint
from edgert_tools.planning.verdict import BoardVerdict, judge_board, schemes_made
from edgert_tools.recipe import Recipe, list_recipes

FEWEST_TOKENS = 16
_INT8_SHARE = 0.30  # of float, at most: what recipes promise


@dataclass(frozen=True)
class Offer:
    """A recipe instead, and what it takes at its longest input; `about`: known from its package's size only."""

    name: str
    task: str
    need_mb: float
    about: bool


def offers_for(model: Model) -> Iterator[Offer]:
    """Recipes for the same task; for any, where there is none for it. Each reads a header, so take them when needed."""
    others = [recipe for recipe in list_recipes() if recipe.name != model.source]
    for recipe in [recipe for recipe in others if recipe.task == model.task] or others:
        yield Offer(recipe.name, recipe.task, *recipe_mb(recipe))


def alternatives(
    model: Model,
    sizes: Sequence[Size],
    verdict: BoardVerdict,
    known: Sequence[Board],
    offers: Callable[[], Sequence[Offer]],
) -> tuple[str, ...]:
    """Lines for a person, nearest first; none if the model fits, is not slower than float and can be converted."""
    if verdict.fits and not verdict.best.slow and not model.blockers:
        return ()
    lines = []
    if not verdict.fits:
        lines += [*_other_schemes(verdict), *_fewer_tokens(model, sizes, verdict)]
        lines += _larger_board(model, sizes, known)
    for offer in offers():
        if offer.need_mb <= verdict.board.left_mb:
            about = "about " if offer.about else ""
            lines.append(f"recipe {offer.name} ({offer.task}) fits: {about}{offer.need_mb:.0f} MB")
    return tuple(lines)


def most_tokens(model: Model, size: Size, left_mb: float, max_tokens: int) -> int:
    """The longest input, at most `max_tokens`, with which this size fits; 0 if not even the shortest does."""
    low, high = 0, max_tokens
    while low < high:
        middle = (low + high + 1) // 2
        fits = memory_of(model, size, middle).sum_mb <= left_mb
        low, high = (middle, high) if fits else (low, middle - 1)
    return low if low >= FEWEST_TOKENS else 0


def _other_schemes(verdict: BoardVerdict) -> list[str]:
    return [
        f"{fit.scheme} would fit ({fit.memory.sum_mb:.0f} MB), its recipe does not try it"
        for fit in verdict.schemes
        if fit.fits and not fit.made and fit.scheme != "float32"
    ]


def _fewer_tokens(model: Model, sizes: Sequence[Size], verdict: BoardVerdict) -> list[str]:
    size = next(size for size in sizes if size.scheme == verdict.best.scheme)
    tokens = most_tokens(model, size, verdict.board.left_mb, model.max_tokens)
    return [f"{size.scheme} fits with --max-tokens {tokens} instead of {model.max_tokens}"] if tokens else []


def _larger_board(model: Model, sizes: Sequence[Size], known: Sequence[Board]) -> list[str]:
    """The board with the least memory that would do, of every size that boards are sold with."""
    for board in sorted(known, key=lambda board: board.left_mb):
        if judge_board(model, sizes, board).fits:
            return [f"it fits on {board.name} ({board.title}, {board.memory_mb[0]} MB)"]
    return []


def recipe_mb(recipe: Recipe) -> tuple[float, bool]:
    """What a recipe's model takes at its longest input, and whether that is only known from its package's size."""
    assert recipe.source is not None
    folder = fetched_checkpoint(recipe.source)
    if folder is not None:
        place = Place(recipe.name, recipe.source.model, "recipe", recipe.source.revision)
        try:
            model = model_of_folder(folder, read_safetensors(folder / WEIGHTS), place, Asked(), recipe)
        except BadSource:  # what a killed download left: the package's size still tells
            pass
        else:
            made = [size for size in sizes_of(model) if size.scheme in schemes_made(model)]
            return max(memory_of(model, size, recipe.max_tokens).sum_mb for size in made), False
    package = recipe.source.package
    float_mb = package.megabytes * 1e6 / MIB if package is not None else 0.0
    weights_mb = float_mb * _INT8_SHARE * 1.5 + SESSION_MB
    return PROCESS_MB + max(TOKENIZER_MB.values()) + weights_mb + float_mb * 0.1, True
