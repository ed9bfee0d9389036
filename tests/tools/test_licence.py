"""The licence file of a bundle says whose weights and whose sentences are in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgert_tools.checkpoint import Checkpoint, open_checkpoint
from edgert_tools.licence import licence_text, text_in, text_of_id
from edgert_tools.recipe import find_recipe
from tests.tools import checkpoints


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    folder = checkpoints.write_checkpoint(tmp_path / "tiny")
    return open_checkpoint(folder, model="org/tiny", origin="folder", license_id="Apache-2.0")


@pytest.mark.parametrize(
    ("recipe", "changed", "sentences"),
    [
        ("all-minilm-l6-v2", "quantized to int8.\n", None),
        ("home-intents-minilm", "with a linear classifier trained and added", "home-assistant-intents"),
        ("pii-minilm", "with its last layers trained on and a head for token-classify added", "presidio-evaluator"),
    ],
)
def test_it_says_what_was_changed_and_on_what_was_trained(
    checkpoint: Checkpoint, recipe: str, changed: str, sentences: str | None
) -> None:
    found = find_recipe(recipe)
    assert found is not None
    text = licence_text(checkpoint, found)
    assert text.startswith("Weights of org/tiny")
    assert changed in text
    assert (sentences is not None and f"Training texts: templates of {sentences}" in text) or (
        sentences is None and "Training texts" not in text
    )


def test_a_licence_that_asks_for_it_comes_along_whole(checkpoint: Checkpoint) -> None:
    found = find_recipe("kind-chooser-minilm")
    assert found is not None
    text = licence_text(checkpoint, found)
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in text
    assert "Apache License" in text
    assert "Apache License" in text


def test_the_text_beside_the_weights_is_taken_as_it_is(tmp_path: Path) -> None:
    assert text_in(tmp_path) == ""
    (tmp_path / "LICENSE").write_text("mine")
    assert text_in(tmp_path) == "mine"


def test_an_id_whose_text_is_not_kept_says_where_it_is() -> None:
    assert "Apache License" in text_of_id("Apache-2.0")
    assert "SPDX id Zlib" in text_of_id("Zlib")
    assert "states no licence" in text_of_id("unknown")
    assert "../Apache-2.0" in text_of_id("../Apache-2.0")
