"""Pages turned by quarters: what a classifier of page orientation is judged on. The labels are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_runtime.errors import UsageError
from edge_runtime.models.pictures.picture_input import PictureInput
from edge_runtime.models.pictures.pictures import decode_picture
from edgert_tools.existing.checks import GraphFacts
from edgert_tools.existing.examples import Examples, Row
from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.pictures.paper import jpeg, pages
from edgert_tools.progress import Say

JPEG = "image/jpeg"
QUARTERS = 4
_JUDGE_SEED, _CALIBRATION_SEED = 11, 12
_PAGES, _CALIBRATION_PAGES = 150, 25


def examples(recipe: GraphRecipe, facts: GraphFacts, say: Say) -> Examples:
    """150 pages, each in four turns; and 25 others to calibrate on."""
    if recipe.image is None:
        raise UsageError("this data is for recipes with [image]")
    rows = list(turned(_PAGES, _JUDGE_SEED, recipe.labels))
    prepare, name = PictureInput(recipe.image), facts.inputs[0].name
    others = (row.raw for row, _ in turned(_CALIBRATION_PAGES, _CALIBRATION_SEED, recipe.labels) if row.raw)
    feeds = [{name: prepare(decode_picture(raw, JPEG, prepare.shortest_side))[0]} for raw in others]
    words = f"{len(rows)} pictures of {_PAGES} generated pages, turned by quarters"
    truth = [label for _, label in rows]
    return Examples([row for row, _ in rows], feeds, f"{words}; {len(feeds)} others to calibrate on", truth)


def turned(count: int, seed: int, labels: Sequence[str]) -> Iterator[tuple[Row, str]]:
    """Pages as JPEG, upright and turned to the right by one, two and three quarters, with their labels in that order.

    The third and fourth label are those of what the model calls 180 and 270: by how far the page was turned.
    """
    for page in pages(count, seed):
        for quarter in range(QUARTERS):
            picture = page.image.rotate(-90 * quarter, expand=True)
            yield Row(raw=jpeg(picture), media_type=JPEG), labels[quarter]
