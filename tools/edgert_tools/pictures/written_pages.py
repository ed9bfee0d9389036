"""Pages whose every line is known: what reading is judged on."""

from __future__ import annotations

from collections.abc import Iterator

from edgert_tools.existing.checks import GraphFacts
from edgert_tools.existing.examples import Examples, Row
from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.pictures.paper import Page, pages, png
from edgert_tools.progress import Say

_SEED, _PAGES = 21, 30


def written(count: int = _PAGES) -> Iterator[Page]:
    """The pages; the same ones each time."""
    return pages(count, _SEED)


def examples(recipe: GraphRecipe, facts: GraphFacts, say: Say) -> Examples:
    """As many pages as the recipe asks for, for the board's self-test."""
    found = list(written(recipe.evaluate.count or _PAGES))
    rows = [Row(raw=png(page.image), media_type="image/png") for page in found]
    lines = sum(len(page.lines) for page in found)
    return Examples(rows, (), f"{len(rows)} generated pages, {lines} lines")
