"""Checkpoints as folders: what is said of them, and what stands in the way of a conversion."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from edgert_tools.planning.folder_model import Asked, card_license
from edgert_tools.planning.model import Model
from edgert_tools.planning.refusal import BadSource
from edgert_tools.planning.source import read_model
from tests import tiny
from tests.tools.planning.headers import safetensors_header

ROWS = len(tiny.SPECIALS) + len(tiny.WORDS)
CONFIG: dict[str, Any] = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "vocab_size": ROWS,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
}
TENSORS = {
    "embeddings.word_embeddings.weight": ("F32", (ROWS, 32), ROWS * 128),
    "embeddings.position_ids": ("I64", (1, 128), 1024),
    "encoder.layer.0.attention.self.query.weight": ("F32", (32, 32), 4096),
    "encoder.layer.1.attention.self.query.weight": ("F32", (32, 32), 4096),
    "encoder.layer.1.output.dense.bias": ("F32", (32,), 128),
    "pooler.dense.weight": ("F32", (32, 32), 4096),
}


def write(folder: Path, tensors: dict[str, Any] | None = None, **changes: Any) -> Path:
    """A checkpoint folder; `changes` go over its config, None takes a key out."""
    folder.mkdir(exist_ok=True)
    config = {key: value for key, value in {**CONFIG, **changes}.items() if value is not None}
    tensors = TENSORS if tensors is None else tensors
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tiny.tokenizer_json()))
    size = sum(entry[2] for entry in tensors.values())
    (folder / "model.safetensors").write_bytes(safetensors_header(tensors) + bytes(size))
    return folder


def planned(folder: Path, **asked: Any) -> Model:
    return read_model(str(folder), Asked(**asked))


def test_an_encoder_is_described(tmp_path: Path) -> None:
    model = planned(write(tmp_path / "m"))
    assert (model.task, model.family, model.architecture) == ("embed", "encoder", "BertModel")
    assert model.blockers == ()
    assert model.max_tokens == 128
    assert model.tokenizer.family == "wordpiece"
    assert model.parameters == ROWS * 32 + 2 * 1024 + 32  # no positions, no pooler
    assert model.values_of("table") == ROWS * 32
    assert model.values_of("matrix") == 2048
    assert (model.dimensions.inner, model.dimensions.head_width) == (64, 8)


def test_a_classifier_keeps_its_pooler_and_head(tmp_path: Path) -> None:
    tensors = {**TENSORS, "classifier.weight": ("F32", (3, 32), 384)}
    names = {str(number): name for number, name in enumerate("abc")}
    model = planned(write(tmp_path / "m", tensors, architectures=["BertForSequenceClassification"], id2label=names))
    assert model.task == "classify"
    assert model.values_of("matrix") == 3 * 1024 + 96


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("BertForTokenClassification", "token-classify"),
        ("BertForQuestionAnswering", "question-answer"),
        ("BertForMaskedLM", "embed"),
    ],
)
def test_the_task_is_the_one_that_a_conversion_would_take(tmp_path: Path, architecture: str, task: str) -> None:
    model = planned(write(tmp_path / "m", architectures=[architecture]))
    assert (model.task, model.blockers) == (task, ())


def test_a_real_checkpoint_of_transformers_can_be_converted(bert_folder: Path, classifier_folder: Path) -> None:
    for folder, task in ((bert_folder, "embed"), (classifier_folder, "classify")):
        model = planned(folder)
        assert (model.task, model.blockers) == (task, ())
        assert model.dimensions.layers == 2


def test_a_model_that_writes_is_described_with_its_tied_head_and_experts(tmp_path: Path) -> None:
    tensors = {
        "model.embed_tokens.weight": ("BF16", (ROWS, 32), ROWS * 64),
        "model.layers.0.mlp.experts.0.up_proj.weight": ("BF16", (64, 32), 4096),
        "model.layers.1.mlp.experts.0.up_proj.weight": ("BF16", (64, 32), 4096),
    }
    changes = {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "num_key_value_heads": 2}
    model = planned(write(tmp_path / "m", tensors, num_experts=8, num_experts_per_tok=2, **changes))
    assert (model.task, model.family, model.writes, model.tied_head) == ("generate", "decoder", True, True)
    assert model.active_experts == 0.25
    assert model.dimensions.kv_heads == 2
    assert any("for generate" in blocker for blocker in model.blockers)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"model_type": "mamba2"}, "model type 'mamba2': the exporter does not know it for embed"),
        (
            {"architectures": ["BertForMultipleChoice"]},
            "task multiple choice: a conversion of a checkpoint is for embed",
        ),
        ({"auto_map": {"AutoModel": "m.M"}}, "auto_map"),
        ({"quantization_config": {"quant_method": "gptq"}}, r"quantized already \(gptq\)"),
        ({"vocab_size": ROWS + 5}, f"there are {ROWS + 5} tokens, the largest embedding table has {ROWS} rows"),
        ({"vocab_size": 3}, "do not belong together"),
        ({"num_hidden_layers": 12}, "there are 12 layers, the weights have 2"),
        ({"architectures": ["BertForSequenceClassification"], "problem_type": "regression"}, "regression"),
    ],
)
def test_what_stands_in_the_way_is_listed_and_the_sums_are_still_made(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    import re

    model = planned(write(tmp_path / "m", **changes))
    assert any(re.search(complaint, blocker) for blocker in model.blockers), model.blockers
    assert model.parameters > 0


def test_a_tokenizer_that_the_board_cannot_read_is_refused_by_name(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    document = tiny.tokenizer_json()
    document["model"]["type"] = "Novel"
    (folder / "tokenizer.json").write_text(json.dumps(document))
    model = planned(folder)
    assert "Novel" in model.tokenizer.refused
    assert any("Novel" in blocker for blocker in model.blockers)


def test_a_tokenizer_that_is_still_to_be_made_is_said_to_be_unchecked(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("a\n")
    assert planned(folder).tokenizer.made == "vocab.txt"


def test_max_tokens_is_what_was_asked_for(tmp_path: Path) -> None:
    assert planned(write(tmp_path / "m"), max_tokens=40).max_tokens == 40


@pytest.mark.parametrize("config", ["", "[1]", "{}", "{", '"x"', "null"])
def test_a_config_that_is_none_is_refused(tmp_path: Path, config: str) -> None:
    folder = write(tmp_path / "m")
    (folder / "config.json").write_text(config)
    with pytest.raises(BadSource, match="config"):
        planned(folder)


@pytest.mark.parametrize("value", [None, -1, 0, 1 << 80, 2.5, "12", [1], True])
def test_absurd_numbers_in_a_config_are_taken_for_not_stated(tmp_path: Path, value: object) -> None:
    keys = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "num_experts")
    model = planned(write(tmp_path / "m", **dict.fromkeys(keys, value)))
    assert model.dimensions.layers == model.dimensions.heads == 0


@pytest.mark.parametrize("value", [0, -1, 1 << 70, 2.5, "many", float("inf")])
def test_an_absurd_number_of_labels_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(BadSource, match="num_labels"):
        planned(write(tmp_path / "m", num_labels=value))


def test_pickles_are_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BadSource, match=r"pytorch_model\.bin is a pickle"):
        planned(folder)


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "m") / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BadSource, match="cut short"):
        planned(tmp_path / "m")


def test_a_folder_with_nothing_to_plan_with_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSource, match="nothing to plan with"):
        read_model(str(tmp_path))


@pytest.mark.parametrize(
    ("card", "found"),
    [
        ("---\nlicense: apache-2.0\n---\n", "Apache-2.0"),
        ("---\nlicense: other\nlicense_name: llama3\n---\n", "llama3"),
        ("---\nlicense: other\n---\n", "unknown"),
        ("---\ntags:\n- x\n---\nlicense: mit\n", "unknown"),
        ("# a model\n", "unknown"),
    ],
)
def test_the_licence_is_the_cards(tmp_path: Path, card: str, found: str) -> None:
    (tmp_path / "README.md").write_text(card)
    assert card_license(tmp_path) == found


def test_weights_in_several_files_are_planned_for_as_one(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    whole = planned(folder)
    (folder / "model.safetensors").unlink()
    weight_map = {}
    for number, (name, entry) in enumerate(TENSORS.items()):
        file = f"part-{number}.safetensors"
        (folder / file).write_bytes(safetensors_header({name: entry}) + bytes(entry[2]))
        weight_map[name] = file
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    split = planned(folder)
    assert (split.parameters, split.stored_bytes) == (whole.parameters, whole.stored_bytes)
    assert any("split over several files" in blocker for blocker in split.blockers)


def test_a_header_of_random_lengths_never_crashes_a_plan(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    for length in (0, 1, 8, 1 << 20, 1 << 63):
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", length) + b"{}")
        with pytest.raises(BadSource):
            planned(folder)
