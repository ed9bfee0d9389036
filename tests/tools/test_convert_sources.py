"""What `edgert convert` takes of a checkpoint, and what it refuses: weights, tokenizers, pickles, code."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest

from edge_runtime.errors import UnsupportedModel, UnsupportedTokenizer
from edge_runtime.pipeline import open_pipeline
from edge_runtime.tokenizer import open_tokenizer
from edgert_tools import parity_sides
from tests.tools import checkpoints
from tests.tools.checkpoints import converted

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    return checkpoints.write_texts(tmp_path / "texts.txt")


def test_weights_that_are_missing_are_not_replaced_by_random_ones(
    bert_folder: Path, tmp_path: Path, texts: Path
) -> None:
    folder = Path(shutil.copytree(bert_folder, tmp_path / "source"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(UnsupportedModel, match=r"lack.*encoder\.layer\.2"):
        converted(folder, tmp_path / "b", texts)
    assert not (tmp_path / "b").exists()


def test_a_head_that_the_weights_lack_is_refused(bert_folder: Path, tmp_path: Path, texts: Path) -> None:
    folder = Path(shutil.copytree(bert_folder, tmp_path / "source"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["BertForSequenceClassification"]}))
    with pytest.raises(UnsupportedModel, match=r"lack.*classifier"):
        converted(folder, tmp_path / "b", texts)


def test_half_precision_weights_become_float32_first(bert_folder: Path, tmp_path: Path, texts: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(bert_folder, tmp_path / "source"))
    halves = {name: values.to(torch.bfloat16) for name, values in load_file(folder / "model.safetensors").items()}
    save_file(halves, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}))
    report = converted(folder, tmp_path / "b", texts).report
    assert report is not None
    assert report.float_bytes > 4 * sum(values.numel() for name, values in halves.items() if "pooler" not in name)


def test_an_embedding_can_be_made_of_a_classifiers_body(classifier_folder: Path, tmp_path: Path, texts: Path) -> None:
    result = converted(classifier_folder, tmp_path / "b", texts, task="embed")
    assert result.manifest.task.name == "embed"
    assert open_pipeline(result.folder).vectors(["open"]).shape == (1, 32)


def test_a_model_without_segment_ids_is_served_too(tmp_path: Path, texts: Path) -> None:
    folder = checkpoints.write_checkpoint(tmp_path / "distil", "distilbert")
    result = converted(folder, tmp_path / "b", texts)
    assert [spec.name for spec in result.manifest.model.inputs] == ["input_ids", "attention_mask"]
    assert open_pipeline(result.folder).vectors(["open"]).shape == (1, 32)


def test_a_vocabulary_without_tokenizer_json_is_made_into_one(bert_folder: Path, tmp_path: Path, texts: Path) -> None:
    folder = Path(shutil.copytree(bert_folder, tmp_path / "old"))
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.get)) + "\n")
    made = open_pipeline(converted(folder, tmp_path / "b", texts).folder)
    own = open_pipeline(converted(bert_folder, tmp_path / "own", texts).folder)
    for text in checkpoints.TEXTS:
        assert made.tokenizer.encode(text) == own.tokenizer.encode(text)


def test_a_tokenizer_that_the_board_cannot_read_is_refused(bert_folder: Path, tmp_path: Path, texts: Path) -> None:
    folder = Path(shutil.copytree(bert_folder, tmp_path / "source"))
    document = json.loads((folder / "tokenizer.json").read_text())
    document["normalizer"] = {"type": "Novel"}
    (folder / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(UnsupportedTokenizer, match="Novel"):
        converted(folder, tmp_path / "b", texts)
    assert not (tmp_path / "b").exists()


def test_a_tokenizer_that_gives_other_ids_than_its_own_is_refused(
    bert_folder: Path, tmp_path: Path, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = json.loads((bert_folder / "tokenizer.json").read_text())
    document["normalizer"]["lowercase"] = False
    (tmp_path / "wrong.json").write_text(json.dumps(document))
    right = open_tokenizer
    monkeypatch.setattr(parity_sides, "open_tokenizer", lambda _, flag: right(tmp_path / "wrong.json", flag))
    with pytest.raises(UnsupportedTokenizer, match="cannot be served correctly"):
        converted(bert_folder, tmp_path / "b", texts)
    assert not (tmp_path / "b").exists()


class Boom:
    """Unpickling it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.mark,))


def test_a_pickle_beside_the_weights_is_never_opened(bert_folder: Path, tmp_path: Path, texts: Path) -> None:
    folder, mark = Path(shutil.copytree(bert_folder, tmp_path / "source")), tmp_path / "mark"
    for name in ("pytorch_model.bin", "training_args.bin", "tokenizer.pkl"):
        (folder / name).write_bytes(pickle.dumps(Boom(mark)))
    converted(folder, tmp_path / "b", texts)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Boom(mark)))
    assert mark.exists()  # the trap works


def test_code_of_a_checkpoint_is_never_run(bert_folder: Path, tmp_path: Path, texts: Path) -> None:
    folder, mark = Path(shutil.copytree(bert_folder, tmp_path / "source")), tmp_path / "mark"
    config = json.loads((folder / "config.json").read_text())
    own = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": own}))
    (folder / "own.py").write_text(f"import pathlib; pathlib.Path({str(mark)!r}).touch()")
    with pytest.raises(UnsupportedModel, match="own code"):
        converted(folder, tmp_path / "b", texts)
    assert not mark.exists()
