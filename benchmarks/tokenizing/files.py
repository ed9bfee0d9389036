"""The real tokenizer files that are measured, as Hugging Face writes them, without truncation and padding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.edge_runtime.tokenizer.real_files import real_file

# Name -> kind; all are measured from end to end.
MEASURED = {
    "minilm": "WordPiece",
    "gpt2": "byte-level BPE",
    "llama3": "byte-level BPE",
    "qwen3": "byte-level BPE",
    "deberta-v3": "Unigram",
    "llama2": "SentencePiece BPE",
}
OPENED = (*MEASURED, "gemma3")  # the largest vocabulary, 262,144, is only opened and compiled


def prepare(name: str, folder: Path) -> Path:
    """Write the file into the folder; see `document_of`."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps(document_of(name), ensure_ascii=False), encoding="utf-8")
    return path


def document_of(name: str) -> dict[str, Any]:
    """Read a file, with neither truncation nor padding: many bring 128 of both.

    Raises:
        SourceUnavailable: its package cannot be had.
    """
    document: dict[str, Any]
    document = _gpt2() if name == "gpt2" else json.loads(real_file(name).read_text(encoding="utf-8"))
    return document | {"truncation": None, "padding": None}


def _gpt2() -> dict[str, Any]:
    """GPT-2's own vocabulary and merges in one file."""
    lines = real_file("gpt2-merges.txt").read_text(encoding="utf-8").splitlines()
    vocab = json.loads(real_file("gpt2-vocab.json").read_text(encoding="utf-8"))
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": True}
    return {
        "version": "1.0",
        "added_tokens": [{"id": vocab["<|endoftext|>"], "content": "<|endoftext|>", **special}],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": vocab,
            "merges": [line for line in lines if line and not line.startswith("#version")],
        },
    }
