"""The real MiniLM, both recipes: what must hold for a bundle to be worth serving."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.pipeline import open_pipeline
from edge_runtime.selftest import run_golden
from edgert_tools.datasets.home_intents import sample_home_intents
from edgert_tools.datasets.reviews import product_reviews
from edgert_tools.evaluate import values_of, wilson
from edgert_tools.parity import check_parity
from edgert_tools.recipe import find_recipe


def measured(folder: Path) -> Any:
    return read_bundle(folder).measured


def test_int8_embeddings_are_like_float_on_500_real_sentences(embed_bundle: Path) -> None:
    quality, size = measured(embed_bundle)["quality"], measured(embed_bundle)["size"]
    assert quality["texts"] == 500
    assert quality["cosine_mean"] >= 0.999
    assert quality["cosine_min"] >= 0.995
    assert size["int8_bytes"] == (embed_bundle / "model.onnx").stat().st_size <= 0.30 * size["float_bytes"]


def test_embeddings_of_the_bundle_are_those_of_the_original_model(embed_bundle: Path, minilm_folder: Path) -> None:
    # Not through our float graph: transformers' own model, pooled as sentence-transformers does.
    import torch
    from transformers import AutoModel, AutoTokenizer

    texts = product_reviews(500)[::25]
    tokenizer, model = AutoTokenizer.from_pretrained(minilm_folder), AutoModel.from_pretrained(minilm_folder).eval()
    with torch.no_grad():
        feeds = tokenizer(list(texts), padding=True, truncation=True, max_length=256, return_tensors="pt")
        hidden, mask = model(**feeds).last_hidden_state, feeds["attention_mask"][:, :, None]
        pooled = ((hidden * mask).sum(1) / mask.sum(1)).numpy()
    original = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    ours = open_pipeline(embed_bundle).vectors(texts)
    assert (original * ours).sum(axis=1).min() >= 0.995


def test_similar_sentences_are_nearer_than_others(embed_bundle: Path) -> None:
    vectors = open_pipeline(embed_bundle).vectors(
        ["turn on the kitchen lights", "switch the lamp in the kitchen on", "the weather is nice today"]
    )
    assert vectors[0] @ vectors[1] > 0.6 > 0.3 > vectors[0] @ vectors[2]


def test_int8_intents_lose_at_most_half_a_point_on_1000_held_back_sentences(home_bundle: Path) -> None:
    quality, size = measured(home_bundle)["quality"], measured(home_bundle)["size"]
    assert quality["texts"] >= 1000
    assert quality["accuracy_drop_points"] <= 0.5
    assert quality["float_accuracy"]["value"] >= 0.93
    assert size["int8_bytes"] == (home_bundle / "model.onnx").stat().st_size <= 0.30 * size["float_bytes"]


def test_the_accuracy_in_the_bundle_is_what_its_pipeline_gives(home_bundle: Path) -> None:
    recipe = find_recipe("home-intents-minilm")
    assert recipe is not None
    assert recipe.head is not None
    head = recipe.head
    rows = sample_home_intents(head.train_per_label, head.held_back_per_label, head.seed).held_back[::3]
    pipeline = open_pipeline(home_bundle)
    values, _ = values_of(pipeline, [row.text for row in rows], "held back")
    labels = pipeline.manifest.task.labels
    right = sum(labels[int(best)] == row.label for best, row in zip(values.argmax(axis=1), rows, strict=True))
    known = wilson(right, len(rows))  # a third of them, for time: the whole must lie in their interval
    assert known.low <= measured(home_bundle)["quality"]["int8_accuracy"]["value"] <= known.high


def test_both_bundles_pass_their_golden_rows(home_bundle: Path, embed_bundle: Path) -> None:
    for folder in (home_bundle, embed_bundle):
        assert run_golden(open_pipeline(folder), folder).rows == 16


def test_the_boards_tokenizer_gives_hugging_faces_ids_on_3000_real_sentences(embed_bundle: Path) -> None:
    comparison = check_parity(embed_bundle / "tokenizer.json", product_reviews(0))
    assert comparison.parity.texts > 3000


def test_weights_and_licence_are_the_pinned_ones(home_bundle: Path, embed_bundle: Path) -> None:
    for folder, name in ((home_bundle, "home-intents-minilm"), (embed_bundle, "all-minilm-l6-v2")):
        recipe, manifest = find_recipe(name), read_bundle(folder)
        assert recipe is not None
        assert recipe.source is not None
        assert manifest.source.sha256 == recipe.source.weights_sha256
        assert manifest.source.revision == recipe.source.revision
        assert "Apache License" in (folder / "LICENSE.txt").read_text()
        assert manifest.lock["recipe_sha256"] == recipe.sha256()


def test_every_scheme_that_was_tried_is_in_the_report(embed_bundle: Path) -> None:
    candidates = json.loads((embed_bundle / "report.json").read_text())["candidates"]
    assert [candidate["scheme"] for candidate in candidates] == ["dynamic-s8", "nbits8-b32"]
    assert candidates[0]["misses"]
    assert not candidates[1]["misses"]
