"""A Whisper of some kilobytes with random weights: a checkpoint folder, and the bundle that is made of it.

Its tokens are the 256 bytes, then the special ones. Random weights never end a text by themselves, so a text is as long
as its bound says, and every token of it depends on all of the sound and on the tokens before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_runtime.bundle.manifest import Source
from edge_runtime.model import PlainAsked
from edgert_tools.existing.spoken_sample import as_wav

RATE = 16000
SPECIALS = (
    *("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>"),
    *("<|nospeech|>", "<|notimestamps|>"),
)
TOKENS = {name: 256 + number for number, name in enumerate(SPECIALS)}
LANGUAGES = {"en": TOKENS["<|en|>"], "de": TOKENS["<|de|>"]}
VOCABULARY = 280  # the last ones are times, which no tokenizer file has
POSITIONS = 40
SUPPRESSED, FIRST_SUPPRESSED = [7, 8, 9], [32, TOKENS["<|endoftext|>"]]

FloatArray = npt.NDArray[np.float32]


def sound(seconds: float = 1.0, pitch: float = 440.0, seed: int = 0) -> FloatArray:
    """A tone in noise."""
    times = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).normal(0, 0.05, len(times))
    return (0.3 * np.sin(2 * np.pi * pitch * times) + noise).astype(np.float32)


def wav(samples: FloatArray) -> bytes:
    """A WAV file."""
    return as_wav(samples, RATE)


def asked(raw: bytes | None, *, truncate: bool = False, **parameters: str | int | float | bool) -> PlainAsked:
    """A request with a sound."""
    return PlainAsked(raw=raw, media_type="audio/wav", parameters=parameters, truncate=truncate)


def write_checkpoint(folder: Path, *, multilingual: bool = True, seed: int = 0) -> Path:
    """A folder as transformers saves it."""
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'edgert[convert]'")
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(seed)
    end, start = TOKENS["<|endoftext|>"], TOKENS["<|startoftranscript|>"]
    sizes = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in _SIZES.items()}
    config = WhisperConfig(
        vocab_size=VOCABULARY, d_model=64, max_target_positions=POSITIONS, init_std=0.4, pad_token_id=end,
        bos_token_id=end, eos_token_id=end, decoder_start_token_id=start, **sizes,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    WhisperForConditionalGeneration(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json()), encoding="utf-8")
    (folder / "generation_config.json").write_text(json.dumps(_generation(multilingual)), encoding="utf-8")
    return folder


def write_bundle(checkpoint: Path, folder: Path) -> Path:
    """The float bundle of a checkpoint."""
    from edgert_tools.quantization.scheme import facts_of
    from edgert_tools.speech.export import export_whisper
    from edgert_tools.speech.pack import Parts, pack
    from edgert_tools.speech.tokens import transcribe_spec

    folder.mkdir(parents=True)
    export_whisper(checkpoint, folder)
    spec = transcribe_spec(checkpoint, json.loads((checkpoint / "config.json").read_bytes()))
    source = Source("tiny", "made in tests/tiny_whisper.py", "none", "0" * 64, "Apache-2.0")
    parts = Parts("tiny-whisper", "1.0.0", spec, POSITIONS, checkpoint / "tokenizer.json", None, source, {})
    pack(folder, "float32", facts_of("float32"), parts)
    return folder


def tokenizer_json() -> dict[str, Any]:
    """Bytes as tokens, then the special ones."""
    from tokenizers import pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = [
        {"id": number, "content": name, "single_word": False, "lstrip": False, "rstrip": False}
        | {"normalized": False, "special": True}
        for name, number in TOKENS.items()
    ]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "vocab": {letter: number for number, letter in enumerate(letters)} | TOKENS,
            "merges": [],
        },
    }


_SIZES = {"layers": 2, "attention_heads": 2, "ffn_dim": 64}


def _generation(multilingual: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "decoder_start_token_id": TOKENS["<|startoftranscript|>"],
        "eos_token_id": TOKENS["<|endoftext|>"],
        "pad_token_id": TOKENS["<|endoftext|>"],
        "no_timestamps_token_id": TOKENS["<|notimestamps|>"],
        "is_multilingual": multilingual,
        "max_length": POSITIONS,
        "suppress_tokens": SUPPRESSED,
        "begin_suppress_tokens": FIRST_SUPPRESSED,
    }
    if multilingual:
        told["lang_to_id"] = {f"<|{code}|>": number for code, number in LANGUAGES.items()}
        told["task_to_id"] = {name: TOKENS[f"<|{name}|>"] for name in ("transcribe", "translate")}
    return told
