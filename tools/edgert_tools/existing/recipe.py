"""Recipes of graphs that exist: `models/<name>.toml` says which file of which package, for which task, how good."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge_runtime.bundle.manifest import NAME, VoiceSpec
from edge_runtime.bundle.picture_specs import DetectSpec, ImageSpec, OcrSpec
from edgert_tools.packages import InPackage
from edgert_tools.recipe_reading import DIGEST, read_toml, settings_digest


@dataclass(frozen=True)
class GraphSource(InPackage):
    """An ONNX file inside a Python package.

    Attributes:
        package, version, sha256: the wheel and its own hash.
        path, file_sha256: the file inside it and its hash.
        license: SPDX id. `licence_path`: where the package has its text; else the one kept with the recipes.
        model: what upstream calls it.
        megabytes: to download.
    """

    path: str
    file_sha256: str
    license: str
    model: str
    megabytes: int
    licence_path: str = ""


@dataclass(frozen=True)
class PartSource:
    """A further graph in the package of a recipe: the file and its hash."""

    path: str
    file_sha256: str


@dataclass(frozen=True)
class LabelNames(InPackage):
    """A JSON object of a model's labels by the number of its output, inside a package of its own."""

    path: str


@dataclass(frozen=True)
class GraphBudget:
    """How far int8 answers may lie from float ones; a candidate outside it is not shipped, float is.

    Attributes:
        cosine_mean, cosine_min: of outputs with two values or more.
        gap_max: the largest difference, as a share of the range that the output has on all rows. Not asked of class
            scores, whose order matters.
        top1_min: share of rows with the same first class, for class scores.
        same_min: share of rows with the same whole numbers or texts, for outputs of these.
        accuracy_drop_points: fewer right labels than float, in percentage points, where the truth is known.
        size_ratio, speed_min: size against float, float's time against int8's.
    """

    cosine_mean: float = 0.999
    cosine_min: float = 0.99
    gap_max: float = 0.05
    top1_min: float = 0.99
    same_min: float = 0.99
    accuracy_drop_points: float = 0.5
    size_ratio: float = 0.9
    speed_min: float = 1.0


@dataclass(frozen=True)
class GraphData:
    """What to judge on: a name of `examples.EXAMPLES`, and how many rows (0: all). No name: nothing to judge on."""

    data: str = ""
    count: int = 0


@dataclass(frozen=True)
class GraphRecipe:
    """One graph. `max_texts` is the most rows of a request, `max_tokens` the most of any other free dimension.

    `schemes`: int8 forms to try; none: those that suit the kind of graph. `keep_float`: nodes whose name begins so are
    never made int8. `scores`, `image`, `detect`, `ocr`: as in a bundle's task. `architecture`: the source's file is not
    ONNX but weights of this network. `label_names`: instead of `labels`, where there are many. `parts`: further graphs
    of the task, by their part in it, out of the same package.
    """

    name: str
    version: str
    task: str
    source: GraphSource | None = None
    trained: str = ""
    summary: str = ""
    max_tokens: int = 512
    max_texts: int = 32
    golden_rows: int = 8
    labels: tuple[str, ...] = ()
    label_names: LabelNames | None = None
    schemes: tuple[str, ...] = ()
    keep_float: tuple[str, ...] = ()
    architecture: str = ""
    budget: GraphBudget = field(default_factory=GraphBudget)
    evaluate: GraphData = field(default_factory=GraphData)
    voice: VoiceSpec | None = None
    scores: Literal["logits", "probabilities"] = "logits"
    image: ImageSpec | None = None
    detect: DetectSpec | None = None
    ocr: OcrSpec | None = None
    parts: Mapping[str, PartSource] = field(default_factory=dict)

    def sha256(self) -> str:
        """Hex sha256 of all settings."""
        return settings_digest(self)


def is_graph_recipe(file: Path) -> bool:
    """Whether a recipe file is one of a graph: it names a file in a package, or what trains it here."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    source = table.get("source")
    return "trained" in table or (isinstance(source, dict) and "path" in source)


def read_graph_recipe(file: Path) -> GraphRecipe:
    """Read one recipe.

    Raises:
        RecipeError: not TOML, an unknown or missing key, or a bad value; names the file and the key.
    """
    return read_toml(GraphRecipe, file, _checks)


def _checks(recipe: GraphRecipe) -> dict[str, bool]:
    source, budget = recipe.source, recipe.budget
    digests = (source.sha256, source.file_sha256) if source else ()
    shares = (budget.cosine_mean, budget.cosine_min, budget.top1_min, budget.same_min, budget.size_ratio)
    return {
        f"name: {recipe.name!r} must be 1 to 64 of A-Z a-z 0-9 _ . -": bool(NAME.fullmatch(recipe.name)),
        "labels and label_names: expected one of them": not (recipe.labels and recipe.label_names),
        "architecture: only a recipe with a source can have one": not recipe.architecture or source is not None,
        "parts: only a recipe with a source can have them": not recipe.parts or source is not None,
        "source and trained: expected one of them": (source is None) == bool(recipe.trained),
        "source: sha256 and file_sha256 must be 64 hex digits": all(DIGEST.fullmatch(digest) for digest in digests),
        f"max_tokens, max_texts: {recipe.max_tokens}, {recipe.max_texts} must be 1 or more": (
            min(recipe.max_tokens, recipe.max_texts) >= 1
        ),
        f"golden_rows: {recipe.golden_rows} is not within 1 to 1000": 1 <= recipe.golden_rows <= 1000,
        "budget: a share must be within 0 to 1": all(0 <= share <= 1 for share in shares),
        "budget: gap_max and speed_min must not be negative": min(budget.gap_max, budget.speed_min) >= 0,
        f"evaluate.count: {recipe.evaluate.count} must be 0 (all) or more": recipe.evaluate.count >= 0,
    }
