"""Which tokens steer a Whisper: from its tokenizer's special tokens and `generation_config.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_runtime.bundle.speech_specs import TranscribeSpec
from edge_runtime.errors import UnsupportedModel
from edgert_tools.speech.whisper_weights import MULTILINGUAL_VOCABULARY

_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")
_NO_SPEECH = ("<|nospeech|>", "<|nocaptions|>")


def transcribe_spec(folder: Path, config: Mapping[str, Any]) -> TranscribeSpec:
    """How the board asks the model in this folder.

    Args:
        folder: a checkpoint with `tokenizer.json`.
        config: its `config.json`.

    Raises:
        UnsupportedModel: a token is missing that every Whisper has.
    """
    tokens = special_tokens(folder / "tokenizer.json")
    told = _table(folder / "generation_config.json")
    known = bool(told.get("is_multilingual", int(config.get("vocab_size", 0)) >= MULTILINGUAL_VOCABULARY))
    languages = {found[1]: number for name, number in tokens.items() if (found := _LANGUAGE.fullmatch(name))}
    if known and not languages:
        raise UnsupportedModel("tokenizer.json has no languages, config.json says that there are several")
    return TranscribeSpec(
        start=_token(tokens, "<|startoftranscript|>"),
        end=_token(tokens, "<|endoftext|>"),
        no_timestamps=_token(tokens, "<|notimestamps|>"),
        mels=int(config.get("num_mel_bins", 80)),
        transcribe=_token(tokens, "<|transcribe|>") if known else None,
        languages=languages if known else {},
        no_speech=next((tokens[name] for name in _NO_SPEECH if name in tokens), None),
        suppress=_ids("suppress_tokens", told, config),
        suppress_first=_ids("begin_suppress_tokens", told, config),
    )


def special_tokens(file: Path) -> dict[str, int]:
    """The added tokens of a `tokenizer.json` by their text. UnsupportedModel: it has none that can be read."""
    added = _table(file).get("added_tokens")
    if not isinstance(added, list) or not all(isinstance(one, dict) for one in added):
        raise UnsupportedModel(f"{file.name} has no added tokens: a Whisper needs its own")
    return {str(one.get("content")): int(one.get("id", -1)) for one in added}


def _token(tokens: Mapping[str, int], name: str) -> int:
    if name not in tokens:
        raise UnsupportedModel(f"tokenizer.json has no {name}, which every Whisper needs")
    return tokens[name]


def _ids(name: str, told: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[int, ...]:
    ids = told.get(name, config.get(name)) or []
    vocabulary = int(config.get("vocab_size", 0))
    if not isinstance(ids, list) or not all(isinstance(one, int) and -1 <= one < vocabulary for one in ids):
        raise UnsupportedModel(f"{name} must be a list of token ids under {vocabulary}")
    return tuple(one for one in ids if one >= 0)


def _table(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        return {}
    try:
        table = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnsupportedModel(f"{file.name} is not JSON: {error}") from error
    if not isinstance(table, dict):
        raise UnsupportedModel(f"{file.name} is not a table (a JSON object)")
    return table
