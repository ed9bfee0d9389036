"""Recipes of speech models: `models/<name>.toml` with `task = "transcribe"`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.bundle.manifest import NAME
from edge_runtime.errors import UsageError
from edgert_tools.packages import InPackage
from edgert_tools.recipe_reading import DIGEST, has_task, read_toml, settings_digest
from edgert_tools.speech.quantize import parse_speech_scheme

TASK = "transcribe"
# Blocks for both is best where there is dot product; with the other a Raspberry Pi 4 is quick, too.
SCHEMES = ("nbits8-b32", "nbits8-b32+dynamic-s8", "dynamic-s8")


@dataclass(frozen=True)
class SpeechSource(InPackage):
    """A folder inside a Python package: with a checkpoint of transformers, or CTranslate2's `model.bin`.

    `weights_sha256` is that of the weights' file. `notice`: the copyright, put before the licence's text.
    """

    folder: str
    weights_sha256: str
    license: str
    model: str
    megabytes: int
    notice: str = ""


@dataclass(frozen=True)
class SpeechBudget:
    """How much worse int8 may be; a form outside it is not shipped, float is.

    Attributes:
        loss_points: points of word error rate that may be lost; or else
        agreement_min: the least share of the same transcripts.
        size_ratio, speed_min: size against float, float's time against int8's.
    """

    loss_points: float = 0.5
    agreement_min: float = 0.99
    size_ratio: float = 0.5
    speed_min: float = 1.0


@dataclass(frozen=True)
class SpeechData:
    """How many sounds to judge on; see `spoken.load_speech`."""

    count: int = 200


@dataclass(frozen=True)
class SpeechRecipe:
    """One Whisper. `schemes` are int8 forms in order of preference: the first one within the budget is taken."""

    name: str
    version: str
    task: str = TASK
    source: SpeechSource | None = None
    summary: str = ""
    golden_rows: int = 3
    schemes: tuple[str, ...] = SCHEMES
    budget: SpeechBudget = field(default_factory=SpeechBudget)
    evaluate: SpeechData = field(default_factory=SpeechData)

    def sha256(self) -> str:
        """Hex sha256 of all settings."""
        return settings_digest(self)


def is_speech_recipe(file: Path) -> bool:
    """Whether a recipe file is one of these."""
    return has_task(file, TASK)


def read_speech_recipe(file: Path) -> SpeechRecipe:
    """Read one recipe.

    Raises:
        RecipeError: not TOML, an unknown or missing key, or a bad value; names the file and the key.
    """
    return read_toml(SpeechRecipe, file, _checks)


def check_schemes(recipe: SpeechRecipe) -> SpeechRecipe:
    """The recipe itself. UsageError: it names a scheme that there is not."""
    for name in recipe.schemes:
        parse_speech_scheme(name)
    return recipe


def _checks(recipe: SpeechRecipe) -> dict[str, bool]:
    source, budget = recipe.source, recipe.budget
    return {
        f"name: {recipe.name!r} must be 1 to 64 of A-Z a-z 0-9 _ . -": bool(NAME.fullmatch(recipe.name)),
        f"task: {recipe.task!r} must be {TASK!r}": recipe.task == TASK,
        "source: missing": source is not None,
        "source: sha256 and weights_sha256 must be 64 hex digits": (
            source is None or all(map(DIGEST.fullmatch, (source.sha256, source.weights_sha256)))
        ),
        f"golden_rows: {recipe.golden_rows} is not within 1 to 20": 1 <= recipe.golden_rows <= 20,
        "schemes: one is not known": all(map(_is_scheme, recipe.schemes)),
        f"evaluate.count: {recipe.evaluate.count} is not within 3 to 2000": 3 <= recipe.evaluate.count <= 2000,
        "budget: agreement_min and size_ratio must be within 0 to 1": (
            0 <= budget.agreement_min <= 1 and 0 < budget.size_ratio <= 1
        ),
        "budget: loss_points and speed_min must not be negative": min(budget.loss_points, budget.speed_min) >= 0,
    }


def _is_scheme(name: str) -> bool:
    try:
        parse_speech_scheme(name)
    except UsageError:
        return False
    return True
