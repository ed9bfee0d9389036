"""CTranslate2's Whisper becomes transformers' with the very same numbers, or is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.bundle.speech_specs import TranscribeSpec
from edge_runtime.errors import UnsupportedModel
from edgert_tools.speech.source import is_speech_folder, open_speech_folder
from edgert_tools.speech.tokens import transcribe_spec
from edgert_tools.speech.whisper_weights import write_checkpoint
from tests.tiny_whisper import FIRST_SUPPRESSED, LANGUAGES, SUPPRESSED, TOKENS
from tests.tiny_whisper import write_checkpoint as write_tiny
from tests.tools.speech.ctranslate2_files import Array, arrays_of, model_bin, write_folder

pytest.importorskip("torch", reason="torch is not installed: pip install 'edgert[convert]'")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("whisper") / "tiny")


@pytest.fixture(scope="module")
def arrays(tiny: Path) -> dict[str, Array]:
    return arrays_of(network_in(tiny), "float16")


def network_in(folder: Path) -> Any:
    from transformers import WhisperForConditionalGeneration

    return WhisperForConditionalGeneration.from_pretrained(folder).eval()


def test_every_weight_is_the_one_it_was_made_of(tiny: Path, arrays: dict[str, Array], tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "ctranslate2", arrays, tiny / "tokenizer.json")
    assert is_speech_folder(folder)
    found = open_speech_folder(folder, tmp_path, lambda _line: None)
    before, after = network_in(tiny).state_dict(), network_in(found.checkpoint.folder).state_dict()
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert np.array_equal(tensor.numpy().astype(np.float16), after[name].numpy()), name
    spec = transcribe_spec(found.checkpoint.folder, found.checkpoint.config)
    assert (spec.suppress, spec.suppress_first) == (tuple(SUPPRESSED), tuple(FIRST_SUPPRESSED))
    assert found.weights_sha256 != found.checkpoint.weights_sha256


def damaged(arrays: dict[str, Array], name: str, change: Callable[[Array], Array | None]) -> dict[str, Array]:
    made = change(arrays[name])
    return {**{key: value for key, value in arrays.items() if key != name}, **({} if made is None else {name: made})}


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("encoder/conv1/weight", lambda _values: None, "has none for encoder/conv1/weight"),
        ("encoder/conv1/weight", lambda values: values[0], "one of 2 dimensions for encoder/conv1/weight"),
        ("decoder/embeddings/weight", lambda values: values.astype(np.int8), "is int8"),
        ("decoder/layer_1/ffn/linear_1/weight", lambda values: values[:, :-1], "no whole Whisper"),
        ("decoder/layer_0/attention/linear_1/weight", lambda values: values[:-1], "not 2 matrices"),
        ("encoder/layer_0/self_attention/linear_0/bias", lambda values: values + 1, "bias of its keys"),
        ("decoder/layer_0/ffn/linear_0/weight", lambda _values: None, "no layers in its decoder"),
        ("encoder/layer_1/ffn/layer_norm/gamma", lambda _values: None, "has none for encoder/layer_1"),
    ],
)
def test_arrays_that_make_no_whisper_are_refused_by_name(
    tiny: Path, arrays: dict[str, Array], tmp_path: Path, name: str, change: Any, complaint: str
) -> None:
    folder = write_folder(tmp_path / "bad", damaged(arrays, name, change), tiny / "tokenizer.json")
    (tmp_path / "made").mkdir()
    with pytest.raises(UnsupportedModel, match=complaint):
        write_checkpoint(folder, tmp_path / "made")


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(model_bin({}, spec="TransformerSpec"))
    with pytest.raises(UnsupportedModel, match="is a TransformerSpec of CTranslate2"):
        write_checkpoint(tmp_path, tmp_path)


def test_the_tokens_that_steer_come_from_the_tokenizer(tiny: Path, tmp_path: Path) -> None:
    config = json.loads((tiny / "config.json").read_bytes())
    spec = transcribe_spec(tiny, config)
    assert spec == TranscribeSpec(
        start=TOKENS["<|startoftranscript|>"],
        end=TOKENS["<|endoftext|>"],
        no_timestamps=TOKENS["<|notimestamps|>"],
        transcribe=TOKENS["<|transcribe|>"],
        languages=LANGUAGES,
        no_speech=TOKENS["<|nospeech|>"],
        suppress=tuple(SUPPRESSED),
        suppress_first=tuple(FIRST_SUPPRESSED),
    )
    (tmp_path / "tokenizer.json").write_text('{"added_tokens": [{"content": "<|endoftext|>", "id": 3}]}')
    with pytest.raises(UnsupportedModel, match=r"no <\|startoftranscript\|>"):
        transcribe_spec(tmp_path, config)
    (tmp_path / "tokenizer.json").write_bytes((tiny / "tokenizer.json").read_bytes())
    (tmp_path / "generation_config.json").write_text('{"suppress_tokens": [999]}')
    with pytest.raises(UnsupportedModel, match="suppress_tokens must be a list of token ids under 280"):
        transcribe_spec(tmp_path, config)
