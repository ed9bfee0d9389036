"""From what the user typed to one `Recipe`: a recipe's own values, or a checkpoint's, with the options on top."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

from edge_runtime.errors import UsageError
from edgert_tools.checkpoint import (
    MOST_TOKENS,
    Checkpoint,
    architectures_of,
    asked_spec,
    guess_max_tokens,
    guess_pooling,
    guess_task,
    labels_of,
    positions_of,
)
from edgert_tools.quantization.scheme import SEARCHED
from edgert_tools.recipe import QuantizeRecipe, Recipe, TaskName, check_recipe
from edgert_tools.text_tasks import ASKED, check_head

_MOST_TOKENS = {"question-answer": 384}  # what such models are trained with, and transformers gives them


@dataclass(frozen=True)
class Options:
    """What `edgert convert` was given beside SOURCE and the output folder; None: not given.

    `search`: try all `schemes` (none: those of `SEARCHED`) and take the best, as `edgert quantize` does.
    """

    task: TaskName | None = None
    revision: str | None = None
    name: str | None = None
    max_tokens: int | None = None
    scheme: str | None = None
    search: bool = False
    schemes: tuple[str, ...] = ()


def from_recipe(recipe: Recipe, options: Options) -> Recipe:
    """The recipe with the options on top.

    Raises:
        UsageError: an option that a recipe does not leave open.
    """
    if options.revision is not None:
        raise UsageError(f"recipe {recipe.name} pins its revision: leave out --revision, or give the hub id as SOURCE")
    if options.task not in (None, recipe.task):
        raise UsageError(f"recipe {recipe.name} is for {recipe.task}, not {options.task}: leave out --task")
    return _with_options(recipe, options)


def from_checkpoint(checkpoint: Checkpoint, options: Options) -> Recipe:
    """Settings for a checkpoint without a recipe: what its files say, and the default budget.

    Raises:
        UnsupportedModel: its pooling, its labels, or a task that its head is not for.
    """
    task = options.task or guess_task(checkpoint)
    check_head(task, architectures_of(checkpoint))
    if task == "classify":
        labels_of(checkpoint)
    elif task in ASKED:
        asked_spec(checkpoint, task, MOST_TOKENS)
    pooling, normalize = guess_pooling(checkpoint) if task == "embed" else ("none", False)
    recipe = Recipe(
        name=plain_name(checkpoint.model),
        version="1.0.0",
        task=task,
        max_tokens=min(guess_max_tokens(checkpoint), _MOST_TOKENS.get(task, MOST_TOKENS)),
        pooling=pooling,
        normalize=normalize,
    )
    return _with_options(recipe, options)


def check_positions(recipe: Recipe, checkpoint: Checkpoint) -> None:
    """Refuse a text length that the model has no positions for."""
    positions = positions_of(checkpoint)
    if positions is not None and recipe.max_tokens > positions:
        raise UsageError(f"max_tokens is {recipe.max_tokens}, this model has positions for {positions}: give fewer")


def _with_options(recipe: Recipe, options: Options) -> Recipe:
    if options.name is not None:
        recipe = dataclasses.replace(recipe, name=options.name)
    if options.max_tokens is not None:
        recipe = dataclasses.replace(recipe, max_tokens=options.max_tokens)
    if options.scheme is not None:
        recipe = dataclasses.replace(recipe, quantize=QuantizeRecipe(candidates=(options.scheme,)))
    if options.search:
        candidates = tuple(dict.fromkeys(options.schemes)) or SEARCHED
        recipe = dataclasses.replace(recipe, quantize=QuantizeRecipe(candidates, "best"))
    return check_recipe(recipe)


def plain_name(model: str) -> str:
    """A name for topics and folders from an upstream id: `org/My Model` -> `my-model`."""
    plain = re.sub(r"[^a-z0-9_.-]+", "-", model.rpartition("/")[2].lower()).strip("-.")
    return plain[:64] or "model"
