"""What a checkpoint folder must hold, and what is read out of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edge_runtime.errors import EdgertError, SourceUnavailable, UnsupportedModel, UnsupportedTokenizer, UsageError
from edgert_tools.checkpoint import Checkpoint, guess_max_tokens, guess_pooling, guess_task, labels_of, open_checkpoint
from edgert_tools.settings import Options, check_positions, from_checkpoint
from edgert_tools.source import open_source
from tests.tools import checkpoints


@pytest.fixture
def folder(bert_folder: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(bert_folder, tmp_path / "copy"))


def opened(folder: Path) -> Checkpoint:
    return open_checkpoint(folder, model="tiny", origin="folder")


def edit(file: Path, **values: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.ckpt"])
def test_a_folder_with_pickles_only_is_refused_unopened(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(UnsupportedModel) as caught:
        opened(folder)
    assert f"{name} is a pickle" in str(caught.value)
    assert "save_pretrained" in str(caught.value)


@pytest.mark.parametrize(
    ("missing", "kind", "says"),
    [
        ("config.json", SourceUnavailable, "config.json"),
        ("model.safetensors", SourceUnavailable, "model.safetensors"),
        ("tokenizer.json", SourceUnavailable, "tokenizer.json"),
    ],
)
def test_a_missing_file_is_named(folder: Path, missing: str, kind: type[EdgertError], says: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(kind, match=says):
        opened(folder)


def test_split_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(UnsupportedModel, match="split"):
        opened(folder)


def test_the_task_and_the_labels_come_from_the_config(bert_folder: Path, classifier_folder: Path) -> None:
    assert guess_task(opened(bert_folder)) == "embed"
    assert guess_task(opened(classifier_folder)) == "classify"
    assert labels_of(opened(classifier_folder)) == checkpoints.LABELS


def test_labels_are_in_the_order_of_their_numbers(classifier_folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(classifier_folder, tmp_path / "copy"))
    edit(copy / "config.json", id2label={str(n): f"L{n}" for n in (10, 9, 2, *range(2), *range(3, 9))})
    assert labels_of(opened(copy)) == tuple(f"L{n}" for n in range(11))


@pytest.mark.parametrize(
    ("modes", "expected"),
    [({"mean_tokens": True}, "mean"), ({"cls_token": True, "mean_tokens": False}, "cls"), ({"max_tokens": True}, None)],
)
def test_pooling_is_what_the_sentence_model_says(folder: Path, modes: dict[str, bool], expected: str | None) -> None:
    (folder / "1_Pooling").mkdir()
    pooling = {f"pooling_mode_{name}": on for name, on in modes.items()}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32, **pooling}))
    (folder / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Pooling"}]))
    if expected is None:
        with pytest.raises(UnsupportedModel, match="max_tokens"):
            guess_pooling(opened(folder))
    else:
        assert guess_pooling(opened(folder)) == (expected, False)


def test_without_sentence_files_pooling_is_the_mean_of_length_1(bert_folder: Path) -> None:
    assert guess_pooling(opened(bert_folder)) == ("mean", True)


def test_the_longest_text_is_the_smallest_that_the_files_state(folder: Path) -> None:
    assert guess_max_tokens(opened(folder)) == 64
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 48}')
    assert guess_max_tokens(opened(folder)) == 48
    edit(folder / "config.json", max_position_embeddings=4096)
    (folder / "sentence_bert_config.json").unlink()
    assert guess_max_tokens(opened(folder)) == 512


def test_more_tokens_than_positions_are_refused(bert_folder: Path) -> None:
    checkpoint = opened(bert_folder)
    with pytest.raises(UsageError, match="64"):
        check_positions(from_checkpoint(checkpoint, Options(max_tokens=65)), checkpoint)


def test_a_model_with_an_offset_has_fewer_positions(folder: Path) -> None:
    edit(folder / "config.json", model_type="xlm-roberta", pad_token_id=1, max_position_embeddings=66)
    assert guess_max_tokens(opened(folder)) == 64  # its first token has position 2
    with pytest.raises(UsageError, match="64"):
        check_positions(from_checkpoint(opened(folder), Options(max_tokens=65)), opened(folder))


@pytest.mark.parametrize("layers", ["Dense", "WordWeights"])
def test_a_sentence_model_with_more_layers_is_refused(folder: Path, layers: str) -> None:
    types = ("Transformer", "Pooling", layers)
    (folder / "modules.json").write_text(
        json.dumps([{"type": f"sentence_transformers.models.{name}"} for name in types])
    )
    with pytest.raises(UnsupportedModel, match=layers):
        guess_pooling(opened(folder))


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "modules.json"])
@pytest.mark.parametrize("content", ["3", '"x"', "[1, 2]", "{", "[" * 100_000])
def test_a_file_of_another_form_is_refused_by_name(folder: Path, file: str, content: str) -> None:
    (folder / file).write_text(content)
    with pytest.raises(UnsupportedModel, match=file):
        from_checkpoint(opened(folder), Options())


def test_a_model_with_its_own_code_is_refused_before_its_weights_are_read(folder: Path) -> None:
    edit(folder / "config.json", auto_map={"AutoModel": "own.OwnModel"})
    with pytest.raises(UnsupportedModel, match="own code"):
        opened(folder)


def test_a_tokenizer_that_the_board_cannot_read_is_refused_before_the_weights_are_read(folder: Path) -> None:
    document = json.loads((folder / "tokenizer.json").read_text())
    edit(folder / "tokenizer.json", model={**document["model"], "type": "Novel"})
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(UnsupportedTokenizer, match="Novel"):
        opened(folder)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(folder: Path) -> None:
    edit(folder / "config.json", vocab_size=checkpoints.WORDS - 1)
    with pytest.raises(UnsupportedTokenizer, match=f"{checkpoints.WORDS} token ids.*{checkpoints.WORDS - 1}"):
        opened(folder)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"id2label": {"0": "LABEL_0"}}, "1 label"),
        ({"problem_type": "multi_label_classification"}, "multi_label_classification"),
        ({"problem_type": "regression"}, "regression"),
        ({"id2label": {"0": "same", "1": "same"}}, "'same'"),
    ],
)
def test_a_head_that_does_not_choose_one_of_its_labels_is_refused(
    classifier_folder: Path, tmp_path: Path, values: dict[str, object], says: str
) -> None:
    copy = Path(shutil.copytree(classifier_folder, tmp_path / "copy"))
    edit(copy / "config.json", **values)
    with pytest.raises(UnsupportedModel, match=says):
        from_checkpoint(opened(copy), Options(task="classify"))


def test_a_head_of_one_label_ranks(classifier_folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(classifier_folder, tmp_path / "copy"))
    edit(copy / "config.json", id2label={"0": "LABEL_0"})
    assert from_checkpoint(opened(copy), Options()).task == "rerank"


def test_a_classifier_is_not_made_of_a_model_without_a_head(bert_folder: Path) -> None:
    with pytest.raises(UnsupportedModel, match="use another --task"):
        from_checkpoint(opened(bert_folder), Options(task="classify"))


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\nlicense: apache-2.0\ntags: [x]\n---\n# Model", "Apache-2.0"),
        ("---\nlanguage: en\nlicense: 'mit'\n---\n", "MIT"),
        ("# Model\nlicense: mit", "unknown"),
        (None, "unknown"),
    ],
)
def test_the_licence_comes_from_the_model_card(folder: Path, card: str | None, expected: str) -> None:
    if card is not None:
        (folder / "README.md").write_text(card)
    assert opened(folder).license == expected


def test_a_source_that_is_nothing_says_what_it_could_be() -> None:
    with pytest.raises(SourceUnavailable, match="did you mean 'all-minilm-l6-v2'"):
        open_source("all-minilm-l6", None, print)
    with pytest.raises(SourceUnavailable, match="home-intents-minilm"):
        open_source("./nowhere", None, print)
