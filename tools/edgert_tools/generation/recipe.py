"""Recipes of models that write: `models/<name>.toml` with `task = "generate"`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.bundle.manifest import NAME
from edge_runtime.errors import UsageError
from edgert_tools.packages import InPackage
from edgert_tools.quantization.scheme import Scheme, parse_scheme
from edgert_tools.recipe_reading import DIGEST, check, has_task, read_toml, settings_digest

TASK = "generate"
FORMS = ("nbits8-b32", "nbits8-b64", "nbits8-b128", "nbits4-b32", "float32")  # what the model builder makes
SCHEMES = ("nbits8-b32",)
CONTEXT = 2048  # tokens; without a recipe: a longer cache is more memory than a small board has to spare


@dataclass(frozen=True)
class DecoderSource(InPackage):
    """A GGUF file inside a Python package; `weights_sha256` is that of the file. `notice`: the copyright."""

    file: str
    weights_sha256: str
    license: str
    model: str
    megabytes: int
    notice: str = ""


@dataclass(frozen=True)
class DecoderBudget:
    """How far int8 may be from float; a form outside it is refused.

    Attributes:
        kl_max: mean Kullback-Leibler divergence of the next token's probabilities, in nats.
        agreement_min: the least share of places where the most likely token is the same.
        perplexity_rise: how much higher the perplexity may be, as a share.
        size_ratio: of the float weights.
        speed_min: float's time a token against int8's.
    """

    kl_max: float = 0.02
    agreement_min: float = 0.9
    perplexity_rise: float = 0.03
    size_ratio: float = 0.5
    speed_min: float = 1.0


@dataclass(frozen=True)
class DecoderData:
    """How many windows of prose are judged on, and how many tokens each has."""

    windows: int = 8
    tokens: int = 512


@dataclass(frozen=True)
class DecoderRecipe:
    """One model that writes. `schemes` are int8 forms in order of preference: the first within the budget is taken.

    `context`: the most tokens of prompt and answer together on a board; what its cache is reserved for.
    """

    name: str
    version: str
    task: str = TASK
    source: DecoderSource | None = None
    summary: str = ""
    context: int = CONTEXT
    golden_rows: int = 4
    schemes: tuple[str, ...] = SCHEMES
    budget: DecoderBudget = field(default_factory=DecoderBudget)
    evaluate: DecoderData = field(default_factory=DecoderData)

    def sha256(self) -> str:
        """Hex sha256 of all settings."""
        return settings_digest(self)


def form_of(name: str) -> Scheme:
    """The scheme of this name. UsageError: the builder of decoders does not make it."""
    scheme = parse_scheme(name) if name in FORMS else None
    if scheme is None:
        raise UsageError(f"scheme {name[:60]!r} is not for models that write: there are {', '.join(FORMS)}")
    return scheme


def is_decoder_recipe(file: Path) -> bool:
    """Whether a recipe file is one of these."""
    return has_task(file, TASK)


def read_decoder_recipe(file: Path) -> DecoderRecipe:
    """Read one recipe.

    Raises:
        RecipeError: not TOML, an unknown or missing key, or a bad value; names the file and the key.
    """
    return read_toml(DecoderRecipe, file, lambda made: {"source: missing": made.source is not None, **_checks(made)})


def check_decoder_recipe(recipe: DecoderRecipe) -> DecoderRecipe:
    """The recipe itself, if its values make sense; for settings that come from the command line."""
    check(_checks(recipe))
    return recipe


def _checks(recipe: DecoderRecipe) -> dict[str, bool]:
    source, budget, data = recipe.source, recipe.budget, recipe.evaluate
    unknown = next((name for name in recipe.schemes if name not in FORMS), None)
    return {
        f"name: {recipe.name!r} must be 1 to 64 of A-Z a-z 0-9 _ . -": bool(NAME.fullmatch(recipe.name)),
        f"task: {recipe.task!r} must be {TASK!r}": recipe.task == TASK,
        "source: sha256 and weights_sha256 must be 64 hex digits": (
            source is None or all(map(DIGEST.fullmatch, (source.sha256, source.weights_sha256)))
        ),
        f"context: {recipe.context} is not within 16 to 131072": 16 <= recipe.context <= 131072,
        f"golden_rows: {recipe.golden_rows} is not within 1 to 20": 1 <= recipe.golden_rows <= 20,
        f"schemes: {unknown!r} is not one of {', '.join(FORMS)}": unknown is None,
        "schemes: is empty, name at least one": bool(recipe.schemes),
        f"evaluate.windows: {data.windows} is not within 1 to 200": 1 <= data.windows <= 200,
        f"evaluate.tokens: {data.tokens} is not within 16 to 4096": 16 <= data.tokens <= 4096,
        "budget: agreement_min and size_ratio must be within 0 to 1": (
            0 <= budget.agreement_min <= 1 and 0 < budget.size_ratio <= 1
        ),
        "budget: kl_max, perplexity_rise and speed_min must not be negative": (
            min(budget.kl_max, budget.perplexity_rise, budget.speed_min) >= 0
        ),
    }
