"""The real recipe for personal data: trained, quantized, and judged on sentences of templates it never saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.model import Model, PlainAsked, open_model
from edge_runtime.selftest import run_golden
from tests.conftest import converted

SENTENCE = "My name is Laura Bennett and my card number is 4539148803436467."


@pytest.fixture(scope="module")
def pii_bundle() -> Path:
    return converted("pii-minilm")


@pytest.fixture(scope="module")
def model(pii_bundle: Path) -> Model:
    return open_model(pii_bundle)


def found(model: Model, text: str) -> list[tuple[str, str]]:
    (row,) = model.answer([PlainAsked(texts=[text])]).answers[0].rows()
    entities: Any = row["entities"]
    return [(one["label"], one["text"]) for one in entities]


def test_int8_loses_at_most_half_a_point_of_f1_on_500_held_back_sentences(pii_bundle: Path) -> None:
    measured: Any = read_bundle(pii_bundle).measured
    quality, size = measured["quality"], measured["size"]
    assert quality["texts"] >= 500
    assert quality["measure"] == "F1"
    assert quality["accuracy_drop_points"] <= 0.5
    assert size["int8_bytes"] == (pii_bundle / "model.onnx").stat().st_size <= 0.30 * size["float_bytes"]


def test_names_and_cards_are_found_where_they_stand(model: Model) -> None:
    assert ("PERSON", "Laura Bennett") in found(model, SENTENCE)
    assert [label for label, _ in found(model, SENTENCE)] == ["PERSON", "CREDIT_CARD"]


def test_a_name_far_behind_the_models_limit_is_found(model: Model) -> None:
    text = "It rained all day and nothing happened at all. " * 60 + SENTENCE
    assert model.manifest.limits.max_tokens < 600
    assert ("PERSON", "Laura Bennett") in found(model, text)


def test_the_bundle_passes_its_golden_questions(model: Model, pii_bundle: Path) -> None:
    assert run_golden(model, pii_bundle).rows == 16
