"""`edgert recipes`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from edgert_tools.commands import options

if TYPE_CHECKING:
    from edgert_tools.existing.recipe import GraphRecipe
    from edgert_tools.generation.recipe import DecoderRecipe
    from edgert_tools.recipe import Recipe
    from edgert_tools.speech.recipe import SpeechRecipe


@click.command()
@options.as_json
def recipes(as_json: bool) -> None:
    """List the recipes that `edgert convert` knows by name."""
    from edgert_tools.existing.convert import list_graph_recipes
    from edgert_tools.generation.convert import list_decoder_recipes
    from edgert_tools.recipe import list_recipes
    from edgert_tools.speech.convert import list_speech_recipes

    rows = [row_of(recipe, _quality(recipe)) for recipe in list_recipes()]
    rows += [row_of(recipe, _speech_quality(recipe)) for recipe in list_speech_recipes()]
    rows += [row_of(recipe, _graph_quality(recipe)) for recipe in list_graph_recipes()]
    rows += [row_of(recipe, _decoder_quality(recipe)) for recipe in list_decoder_recipes()]
    rows.sort(key=lambda row: row["name"])
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in ("name", "task", "licence", "budget")}
    for row in [{key: key for key in rows[0]}, *rows]:
        click.echo("  ".join(row[key].ljust(width) for key, width in widths.items()) + "  " + row["source"])


def row_of(recipe: Recipe | GraphRecipe | SpeechRecipe | DecoderRecipe, quality: str) -> dict[str, str]:
    """A recipe's line in the table; `quality` is how much worse than float it may be."""
    source = recipe.source
    return {
        "name": recipe.name,
        "task": recipe.task,
        "licence": source.license if source else "Apache-2.0",  # what is trained here is edgert's own
        "budget": f"{quality}, size <= {recipe.budget.size_ratio:.0%}",
        "source": source.model if source else "trained by edgert",
    }


def _quality(recipe: Recipe) -> str:
    from edgert_tools.asked.quality import MEASURES

    budget = recipe.budget
    if recipe.task == "embed":
        return f"cosine mean >= {budget.cosine_mean}, min >= {budget.cosine_min}"
    measure = MEASURES.get(recipe.task, "accuracy")
    return f"{measure} drop <= {budget.accuracy_drop_points} points"


def _speech_quality(recipe: SpeechRecipe) -> str:
    budget = recipe.budget
    return f"words wrong +{budget.loss_points} points or same transcript >= {budget.agreement_min:.0%}, else float"


def _graph_quality(recipe: GraphRecipe) -> str:
    if not recipe.budget.cosine_mean:  # what is right is known, and is all that counts
        return f"right answers drop <= {recipe.budget.accuracy_drop_points} points, else float"
    return f"cosine mean >= {recipe.budget.cosine_mean}, gap <= {recipe.budget.gap_max:.0%}, else float"


def _decoder_quality(recipe: DecoderRecipe) -> str:
    budget = recipe.budget
    return f"KL <= {budget.kl_max}, same token >= {budget.agreement_min:.0%}, perplexity +{budget.perplexity_rise:.1%}"
