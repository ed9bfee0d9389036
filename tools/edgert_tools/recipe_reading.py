"""What reading a recipe has in common, whatever kind of model it is of: TOML, checks by key, a digest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from edge_runtime.errors import RecipeError
from edge_runtime.strict import decode

DIGEST = re.compile(r"[0-9a-f]{64}")


class Named(Protocol):
    """A recipe, of which only the name is known here."""

    @property
    def name(self) -> str:
        """What its file is called, without `.toml`."""


Recipe = TypeVar("Recipe", bound=Named)


def settings_digest(recipe: Any) -> str:
    """Hex sha256 of all settings of a recipe, a dataclass."""
    return hashlib.sha256(json.dumps(dataclasses.asdict(recipe), sort_keys=True).encode()).hexdigest()


def has_task(file: Path, task: str) -> bool:
    """Whether a recipe file is for this task; False also for what is no recipe."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")).get("task") == task
    except (OSError, ValueError):
        return False


def read_toml(kind: type[Recipe], file: Path, checks: Callable[[Recipe], Mapping[str, bool]]) -> Recipe:
    """Read a recipe file.

    Args:
        kind: the dataclass; an unknown or missing key is refused.
        checks: what must hold of it: the complaint, and whether it does.

    Raises:
        RecipeError: names the file and the key.
    """
    try:
        recipe = decode(kind, tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{file.name}: {error}") from error
    name = recipe.name
    named = {f"name: found {name!r}, expected the file's name {file.stem!r}": name == file.stem}
    check({**named, **checks(recipe)}, f"{file.name}: ")
    return recipe


def check(checks: Mapping[str, bool], place: str = "") -> None:
    """Raise RecipeError with the first complaint that is justified, behind `place`."""
    problem = next((text for text, holds in checks.items() if not holds), None)
    if problem is not None:
        raise RecipeError(f"{place}{problem}")
