"""Recipes of graphs that exist, as SOURCE of a plan."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx
import pytest

from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.planning.refusal import BadSource
from edgert_tools.planning.source import graph_recipe_of, read_model
from edgert_tools.recipe import recipe_folder
from tests import tiny

NAME = "voice-activity-silero"


def recipe() -> GraphRecipe:
    found = graph_recipe_of(NAME)
    assert found is not None
    assert found.source is not None
    return found


def test_a_graph_in_the_cache_is_planned_for_with_the_recipes_task_and_licence(own_cache: Path) -> None:
    source = recipe().source
    assert source is not None
    file = own_cache / "graphs" / f"{source.package}-{source.version}" / source.path
    file.parent.mkdir(parents=True)
    onnx.save(tiny.graph("classify"), file)
    model = read_model(NAME)
    assert (model.task, model.license, model.blockers) == ("voice-activity", "MIT", ())
    assert model.parameters > 0


def test_a_graph_that_is_not_here_yet_is_refused_with_the_command_that_fetches_it(own_cache: Path) -> None:
    with pytest.raises(BadSource, match=f"edgert convert {NAME} -o DIR"):
        read_model(NAME)


def test_a_recipe_is_found_by_its_file_as_well(own_cache: Path, tmp_path: Path) -> None:
    shutil.copy(recipe_folder() / f"{NAME}.toml", tmp_path)
    assert graph_recipe_of(str(tmp_path / f"{NAME}.toml")) == recipe()
    assert graph_recipe_of("../" + NAME) is None
    assert graph_recipe_of("all-minilm-l6-v2") is None


def test_a_graph_that_is_trained_has_nothing_to_plan_with_before(own_cache: Path) -> None:
    with pytest.raises(BadSource, match="is trained by"):
        read_model("room-temperature-forecast")


def test_weights_without_a_graph_are_refused_with_the_command_that_writes_one(own_cache: Path) -> None:
    with pytest.raises(BadSource, match="has weights alone, its graph is written by `edgert convert imagenet"):
        read_model("imagenet-efficientnet-lite0")


def test_a_speech_recipe_is_refused_in_words_and_not_by_its_keys() -> None:
    with pytest.raises(BadSource, match="'whisper-tiny-en' is a speech model"):
        read_model("whisper-tiny-en")
