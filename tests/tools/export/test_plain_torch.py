"""Encoders that optimum does not know: the graph gives what transformers gives, padded or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.errors import UnsupportedModel
from edgert_tools.checkpoint import open_checkpoint
from edgert_tools.export.encoder import export_encoder
from edgert_tools.planning.exporters import torch_types
from edgert_tools.text_tasks import FACTS, TextTaskName
from tests import tiny

CONFIGS = {
    "ernie": "ErnieConfig",
    "roberta-prelayernorm": "RobertaPreLayerNormConfig",
    "xlm-roberta-xl": "XLMRobertaXLConfig",
}
WORDS = 120


def made(folder: Path, kind: str, task: TextTaskName) -> Any:
    """A tiny random checkpoint of the real class, and its model."""
    import torch
    import transformers

    torch.manual_seed(3)
    config = getattr(transformers, CONFIGS[kind])(
        vocab_size=WORDS, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=66, initializer_range=0.3, num_labels=2 if task == "question-answer" else 3,
    )  # fmt: skip
    model = getattr(transformers, FACTS[task].loader).from_config(config).eval()
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(tiny.tokenizer_json()))
    return model


def padded_rows() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    ids = rng.integers(4, WORDS, (3, 11))
    mask = np.ones_like(ids)
    for row, length in enumerate((11, 7, 1)):
        ids[row, length:], mask[row, length:] = 1, 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def test_every_type_of_the_list_is_tried() -> None:
    assert torch_types() == CONFIGS.keys()


@pytest.mark.parametrize("task", ["embed", "classify", "token-classify", "question-answer"])
@pytest.mark.parametrize("kind", CONFIGS)
def test_the_graph_gives_what_transformers_gives(kind: str, task: TextTaskName, tmp_path: Path) -> None:
    import onnxruntime
    import torch

    model = made(tmp_path / "checkpoint", kind, task)
    (tmp_path / "work").mkdir()
    file = export_encoder(
        open_checkpoint(tmp_path / "checkpoint", model="tiny", origin="test"), task, tmp_path / "work"
    )
    session = onnxruntime.InferenceSession(str(file))
    rows = padded_rows()
    feeds = {node.name: rows[node.name] for node in session.get_inputs()}
    with torch.no_grad():
        wanted = model(**{name: torch.tensor(values) for name, values in feeds.items()}, return_dict=False)
    assert len(session.get_outputs()) == len(FACTS[task].outputs)
    for found, right in zip(session.run(None, feeds), wanted, strict=False):
        real = rows["attention_mask"][..., None] if found.ndim == 3 else rows["attention_mask"]
        real = real if found.shape[:2] == rows["input_ids"].shape else np.ones_like(found)
        assert np.abs((found - right.numpy()) * real).max() < 1e-4


def test_weights_that_are_missing_are_named(tmp_path: Path) -> None:
    made(tmp_path / "checkpoint", "ernie", "embed")
    (tmp_path / "work").mkdir()
    with pytest.raises(
        UnsupportedModel, match="cannot export model type 'ernie' for classify: the weights lack classifier"
    ):
        export_encoder(
            open_checkpoint(tmp_path / "checkpoint", model="tiny", origin="test"), "classify", tmp_path / "work"
        )
