"""CTranslate2 files made here: any arrays, or those of a Whisper of transformers."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.tiny_whisper import FIRST_SUPPRESSED, SUPPRESSED

Array = npt.NDArray[Any]
KINDS = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}


def string(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def array(name: str, values: Array) -> bytes:
    shape = struct.pack(f"<B{values.ndim}I", values.ndim, *values.shape)
    return string(name) + shape + struct.pack("<BI", KINDS[values.dtype.name], values.nbytes) + values.tobytes()


def model_bin(
    arrays: Mapping[str, Array], aliases: Mapping[str, str] | None = None, spec: str = "WhisperSpec", version: int = 6
) -> bytes:
    """The whole file."""
    head = struct.pack("<I", version) + string(spec) + struct.pack("<II", 3, len(arrays))
    body = b"".join(array(name, values) for name, values in arrays.items())
    links = aliases or {}
    return head + body + struct.pack("<I", len(links)) + b"".join(string(a) + string(b) for a, b in links.items())


def write_folder(folder: Path, arrays: Mapping[str, Array], tokenizer: Path) -> Path:
    """A folder as CTranslate2's converter leaves it."""
    folder.mkdir(parents=True)
    aliases = {"decoder/projection/weight": "decoder/embeddings/weight"}
    (folder / "model.bin").write_bytes(model_bin(arrays, aliases))
    told = {"suppress_ids": SUPPRESSED, "suppress_ids_begin": FIRST_SUPPRESSED}
    (folder / "config.json").write_text(json.dumps(told), encoding="utf-8")
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    return folder


def arrays_of(network: Any, dtype: str = "float32") -> dict[str, Array]:
    """The arrays of a Whisper as CTranslate2 names and stacks them."""
    state = {name: tensor.numpy().astype(dtype) for name, tensor in network.state_dict().items()}
    found: dict[str, Array] = {
        "decoder/embeddings/weight": state["model.decoder.embed_tokens.weight"],
        "encoder/num_heads": np.array(network.config.encoder_attention_heads, np.int16),
    }
    for part in ("conv1", "conv2"):
        for kind in ("weight", "bias"):
            found[f"encoder/{part}/{kind}"] = state[f"model.encoder.{part}.{kind}"]
    for side, layers in (("encoder", network.config.encoder_layers), ("decoder", network.config.decoder_layers)):
        found[f"{side}/position_encodings/encodings"] = state[f"model.{side}.embed_positions.weight"]
        found |= _norm(state, f"model.{side}.layer_norm", f"{side}/layer_norm")
        for number in range(layers):
            found |= _layer(state, f"model.{side}.layers.{number}.", f"{side}/layer_{number}/", side == "decoder")
    return found


def _layer(state: Mapping[str, Array], source: str, target: str, decoder: bool) -> dict[str, Array]:
    stacks = {
        "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "self_attention/linear_1": ("self_attn.out_proj",),
        "ffn/linear_0": ("fc1",),
        "ffn/linear_1": ("fc2",),
    }
    norms = {"self_attention": "self_attn_layer_norm", "ffn": "final_layer_norm"}
    if decoder:
        stacks |= {
            "attention/linear_0": ("encoder_attn.q_proj",),
            "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
            "attention/linear_2": ("encoder_attn.out_proj",),
        }
        norms["attention"] = "encoder_attn_layer_norm"
    found: dict[str, Array] = {}
    for name, parts in stacks.items():
        weights = [state[f"{source}{part}.weight"] for part in parts]
        biases = [
            state.get(f"{source}{part}.bias", np.zeros_like(w[:, 0])) for part, w in zip(parts, weights, strict=True)
        ]
        found[f"{target}{name}/weight"], found[f"{target}{name}/bias"] = np.concatenate(weights), np.concatenate(biases)
    for name, part in norms.items():
        found |= _norm(state, source + part, f"{target}{name}/layer_norm")
    return found


def _norm(state: Mapping[str, Array], source: str, target: str) -> dict[str, Array]:
    return {f"{target}/gamma": state[f"{source}.weight"], f"{target}/beta": state[f"{source}.bias"]}
