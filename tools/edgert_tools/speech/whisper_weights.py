"""CTranslate2's Whisper -> the folder that transformers reads: `config.json`, `generation_config.json`, safetensors.

CTranslate2 stacks query, key and value in one matrix, and key and value of the cross attention in another. Its weights
are those of the original, mostly as float16; what it quantized itself is refused: that would be judged on a second
rounding.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.errors import UnsupportedModel
from edgert_tools.quiet import quiet
from edgert_tools.speech.ctranslate2 import Model, read_model

MODEL_BIN = "model.bin"
SPEC = "WhisperSpec"
MULTILINGUAL_VOCABULARY = 51865  # tokens from which on a Whisper knows several languages
_GELU = 3  # of CTranslate2's activations
_MOST_LAYERS = 64

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Stacked:
    """Matrices that lie one above the other: their names in transformers, in order."""

    source: str
    names: tuple[str, ...]


_SELF = (
    _Stacked("self_attention/linear_0", ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")),
    _Stacked("self_attention/linear_1", ("self_attn.out_proj",)),
)
_CROSS = (
    _Stacked("attention/linear_0", ("encoder_attn.q_proj",)),
    _Stacked("attention/linear_1", ("encoder_attn.k_proj", "encoder_attn.v_proj")),
    _Stacked("attention/linear_2", ("encoder_attn.out_proj",)),
)
_FFN = (_Stacked("ffn/linear_0", ("fc1",)), _Stacked("ffn/linear_1", ("fc2",)))
_NORMS = {"self_attention": "self_attn_layer_norm", "attention": "encoder_attn_layer_norm", "ffn": "final_layer_norm"}


def is_ctranslate2(folder: Path) -> bool:
    """Whether a folder holds a model in CTranslate2's form."""
    return (folder / MODEL_BIN).is_file() and not (folder / "model.safetensors").is_file()


def write_checkpoint(folder: Path, made: Path) -> None:
    """Make the folder for transformers out of CTranslate2's.

    Args:
        folder: holds `model.bin`, `config.json` and `tokenizer.json`.
        made: an existing empty folder.

    Raises:
        UnsupportedModel: no Whisper, quantized, or not whole; says what.
    """
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    model = read_model(folder / MODEL_BIN)
    if model.spec != SPEC:
        raise UnsupportedModel(f"{MODEL_BIN} is a {model.spec[:60]} of CTranslate2, only {SPEC} is read here")
    config, state = settings_of(model), state_of(model)
    with quiet():
        import torch

        network = WhisperForConditionalGeneration(WhisperConfig(**config))
        try:
            tensors = {name: torch.from_numpy(array.astype(np.float32)) for name, array in state.items()}
            network.load_state_dict(tensors)
        except RuntimeError as error:  # names of another model, or shapes that do not fit each other
            raise UnsupportedModel(f"{MODEL_BIN} is no whole Whisper: {' '.join(str(error).split())[:300]}") from error
        network.save_pretrained(made)
    (made / "tokenizer.json").write_bytes(_needed(folder / "tokenizer.json"))
    _write_generation(made, json.loads(_needed(folder / "config.json")))


def settings_of(model: Model) -> dict[str, Any]:
    """What `config.json` says, from the arrays' shapes."""
    table = _array(model, "decoder/embeddings/weight", 2)
    for name, expected in (("decoder/scale_embeddings", 0), ("decoder/alibi", 0), ("decoder/activation", _GELU)):
        if name in model.arrays and int(model.arrays[name]) != expected:
            raise UnsupportedModel(f"{MODEL_BIN} has {name} {int(model.arrays[name])}, a Whisper has {expected}")
    width = table.shape[1]
    heads = model.arrays.get("encoder/num_heads")
    return {
        "vocab_size": table.shape[0],
        "d_model": width,
        "num_mel_bins": _array(model, "encoder/conv1/weight", 3).shape[1],
        "max_source_positions": _array(model, "encoder/position_encodings/encodings", 2).shape[0],
        "max_target_positions": _array(model, "decoder/position_encodings/encodings", 2).shape[0],
        "tie_word_embeddings": True,
        "pad_token_id": None,  # the default one is beyond a small vocabulary
        **{
            f"{side}_{name}": value
            for side in ("encoder", "decoder")
            for name, value in (
                ("layers", _layers(model, side)),
                ("attention_heads", int(heads) if heads is not None and heads.ndim == 0 else width // 64),
                ("ffn_dim", _array(model, f"{side}/layer_0/ffn/linear_0/weight", 2).shape[0]),
            )
        },
    }


def state_of(model: Model) -> Mapping[str, Array]:
    """The arrays by their names in transformers."""
    found = dict(_outside_layers(model))
    for side, stacks in (("encoder", (*_SELF, *_FFN)), ("decoder", (*_SELF, *_CROSS, *_FFN))):
        for number in range(_layers(model, side)):
            source, target = f"{side}/layer_{number}/", f"model.{side}.layers.{number}."
            for stacked in stacks:
                found |= _matrices(model, source, target, stacked)
            for old, new in _NORMS.items():
                if side == "decoder" or old != "attention":
                    found |= _norm(model, f"{source}{old}/layer_norm", target + new)
    return found


def _outside_layers(model: Model) -> Iterator[tuple[str, Array]]:
    for part in ("conv1", "conv2"):
        for kind, rank in (("weight", 3), ("bias", 1)):
            yield f"model.encoder.{part}.{kind}", _array(model, f"encoder/{part}/{kind}", rank)
    for side in ("encoder", "decoder"):
        yield f"model.{side}.embed_positions.weight", _array(model, f"{side}/position_encodings/encodings", 2)
        yield from _norm(model, f"{side}/layer_norm", f"model.{side}.layer_norm").items()
    table = _array(model, "decoder/embeddings/weight", 2)
    yield "model.decoder.embed_tokens.weight", table
    yield "proj_out.weight", table


def _matrices(model: Model, source: str, target: str, stacked: _Stacked) -> dict[str, Array]:
    weight = _array(model, f"{source}{stacked.source}/weight", 2)
    bias = _array(model, f"{source}{stacked.source}/bias", 1)
    parts = len(stacked.names)
    if weight.shape[0] % parts or len(bias) != weight.shape[0]:
        raise UnsupportedModel(f"{MODEL_BIN}: {source}{stacked.source} has shape {weight.shape}, not {parts} matrices")
    found = {}
    for name, matrix, offsets in zip(stacked.names, np.split(weight, parts), np.split(bias, parts), strict=True):
        found[f"{target}{name}.weight"] = matrix
        if not name.endswith("k_proj"):
            found[f"{target}{name}.bias"] = offsets
        elif offsets.any():  # Whisper's keys have none
            raise UnsupportedModel(f"{MODEL_BIN}: {source}{stacked.source} has a bias of its keys, a Whisper has none")
    return found


def _norm(model: Model, source: str, target: str) -> dict[str, Array]:
    return {
        f"{target}.weight": _array(model, f"{source}/gamma", 1),
        f"{target}.bias": _array(model, f"{source}/beta", 1),
    }


def _layers(model: Model, side: str) -> int:
    count = next(
        number for number in range(_MOST_LAYERS + 1) if f"{side}/layer_{number}/ffn/linear_0/weight" not in model.arrays
    )
    if not count:
        raise UnsupportedModel(f"{MODEL_BIN} has no layers in its {side}")
    return count


def _array(model: Model, name: str, rank: int) -> Array:
    array = model.arrays.get(name)
    if array is None or array.ndim != rank:
        found = "none" if array is None else f"one of {array.ndim} dimensions"
        raise UnsupportedModel(f"{MODEL_BIN} has {found} for {name}, expected {rank} dimensions")
    if array.dtype.kind != "f":
        raise UnsupportedModel(
            f"{MODEL_BIN}: {name} is {array.dtype.name}: convert the original with `--quantization float16`, "
            "or take a model that is not quantized yet"
        )
    return array


def _needed(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UnsupportedModel(f"{file.name} beside {MODEL_BIN} cannot be read: {error.strerror}") from error


def _write_generation(made: Path, told: Mapping[str, Any]) -> None:
    """What CTranslate2 says of tokens, in transformers' words."""
    plain = {
        "suppress_tokens": told.get("suppress_ids", []),
        "begin_suppress_tokens": told.get("suppress_ids_begin", []),
    }
    (made / "generation_config.json").write_text(json.dumps(plain), encoding="utf-8")
