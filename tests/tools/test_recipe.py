"""Recipes are strict: what a file says is what happens, and a mistake is named."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from edge_runtime.errors import RecipeError
from edge_runtime.model import KINDS
from edgert_tools.datasets.named import LESSONS
from edgert_tools.recipe import Budget, find_recipe, list_recipes, read_recipe, recipe_folder
from edgert_tools.text_tasks import TEXT_TASKS
from tests.command import run

MODELS = Path(__file__).parents[2] / "models"
GOOD = (MODELS / "home-intents-minilm.toml").read_text()


def written(folder: Path, text: str, name: str = "home-intents-minilm") -> Path:
    file = folder / f"{name}.toml"
    file.write_text(text)
    return file


def test_the_recipes_that_come_along_are_read() -> None:
    assert recipe_folder() == MODELS
    names = {recipe.name for recipe in list_recipes()}
    assert {"all-minilm-l6-v2", "home-intents-minilm", "pii-minilm", "home-ranker-minilm"} <= names
    assert {recipe.task for recipe in list_recipes()} == set(TEXT_TASKS)


def test_a_name_finds_its_recipe_and_never_leaves_the_folder() -> None:
    assert find_recipe("all-minilm-l6-v2") is not None
    assert find_recipe("no-such-model") is None
    assert find_recipe("../models/all-minilm-l6-v2") is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("golden_rows = 16", "golden_rows = 16\nfuse = true", "fuse: unknown key"),
        ("accuracy_drop_points = 0.5", "acuracy_drop_points = 0.5", "budget.acuracy_drop_points: unknown key"),
        ("max_tokens = 64", 'max_tokens = "64"', "max_tokens: expected a whole number"),
        ("max_tokens = 64", "max_tokens = 2", "max_tokens: 2"),
        ('task = "classify"', 'task = "chat"', "task: expected one of"),
        ('task = "classify"', 'task = "embed"', "evaluate.data: 'home-intents' is not one of product-reviews"),
        ('name = "home-intents-minilm"', 'name = "other"', "expected the file's name"),
        ('revision = "1110', 'revision = "main', "source.revision"),
        ('weights_sha256 = "53aa', 'weights_sha256 = "', "source.weights_sha256"),
        ('candidates = ["dynamic-s8", "nbits8-b32"]', "candidates = []", "quantize.candidates"),
        ('candidates = ["dynamic-s8"', 'candidates = ["int4"', "quantize.candidates[0]"),
        ('"nbits8-b32"]', '"nbits8-b32", "nbits8-b32"]', "quantize.candidates[2]: 'nbits8-b32' is named twice"),
        ('"nbits8-b32"]', '"nbits8-b32"]\npolicy = "all"', "quantize.policy: expected one of"),
        ("size_ratio = 0.30", "size_ratio = 30", "budget.size_ratio: 30"),
        ("regularization = 10.0", "regularization = 0", "head.regularization"),
        ("train_per_label = 100", "train_per_label = 0", "head.train_per_label"),
        ('data = "home-intents"', 'data = "review-sentiment"', "'home-intents' is not what is trained on"),
        ("[head]", "[tune]", "tune.train_per_label: unknown key"),
        ("[head]", "[head", "home-intents-minilm.toml"),
    ],
)
def test_a_mistake_is_refused_with_its_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(RecipeError, match=re.escape(says)) as caught:
        read_recipe(written(tmp_path, GOOD.replace(old, new, 1)))
    assert "home-intents-minilm.toml" in str(caught.value)


def test_a_recipe_needs_a_source(tmp_path: Path) -> None:
    text = 'name = "x"\nversion = "1"\ntask = "embed"\nmax_tokens = 9\npooling = "mean"\n'
    with pytest.raises(RecipeError, match="source: missing"):
        read_recipe(written(tmp_path, text, "x"))


def test_any_other_setting_gives_another_hash(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, GOOD))
    assert recipe.sha256() == read_recipe(written(tmp_path, "# another comment\n" + GOOD)).sha256()
    changed = [
        dataclasses.replace(recipe, max_tokens=65),
        dataclasses.replace(recipe, budget=Budget(size_ratio=0.31)),
        dataclasses.replace(recipe, quantize=dataclasses.replace(recipe.quantize, candidates=("nbits8-b32",))),
        dataclasses.replace(recipe, quantize=dataclasses.replace(recipe.quantize, policy="best")),
    ]
    assert len({recipe.sha256(), *(other.sha256() for other in changed)}) == 5


def test_the_readme_table_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "recipes", "--json")
    rows = json.loads(out)
    assert (status, {row["name"] for row in rows}) == (0, {file.stem for file in MODELS.glob("*.toml")})
    readme = (MODELS / "README.md").read_text()
    for row in rows:
        line = f"| `{row['name']}` | {row['task']} | {row['source']} | {row['licence']} | {row['budget']} |"
        assert line in readme


def test_every_key_of_a_recipe_is_in_the_readme() -> None:
    readme = (MODELS / "README.md").read_text()
    for recipe in list_recipes():
        for part in (
            recipe,
            recipe.source,
            recipe.source and recipe.source.package,
            recipe.head,
            recipe.tune,
            recipe.budget,
        ):
            if dataclasses.is_dataclass(part):
                for field in dataclasses.fields(part):
                    assert f"`{field.name}`" in readme or f"{field.name}]`" in readme, field.name


def test_every_licence_of_a_recipe_has_its_text() -> None:
    for recipe in list_recipes():
        assert recipe.source is not None
        tuned_on = LESSONS[recipe.tune.data].licence_text if recipe.tune else ""
        for name in filter(None, (recipe.source.license, tuned_on)):
            assert (MODELS / "licenses" / f"{name}.txt").is_file()


def test_every_task_that_a_board_serves_has_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "recipes", "--json")
    assert {row["task"] for row in json.loads(out)} >= set(KINDS) - {"generate"}
