"""SentencePiece's families where a space is more than a border: merges over it, and normalizers that change it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Peer

from edge_runtime.tokenizer import open_tokenizer
from edge_runtime.tokenizer.compiled import compile_tokenizer
from tests.edge_runtime.tokenizer.plain.charsmap_file import compile_charsmap

_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def document(model: dict[str, Any], normalizer: dict[str, Any] | None, pre: dict[str, Any] | None) -> dict[str, Any]:
    empty: dict[str, Any] = {"truncation": None, "padding": None, "added_tokens": [], "post_processor": None}
    return {"version": "1.0", **empty, "normalizer": normalizer, "pre_tokenizer": pre, "decoder": None, "model": model}


def bpe(merges: list[list[str]]) -> dict[str, Any]:
    pieces = ["<unk>", *_BYTES, "▁", *"abcéß。", *("".join(pair) for pair in merges)]
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": "<unk>",
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": True,
        "byte_fallback": True,
        "ignore_merges": False,
        "vocab": {piece: at for at, piece in enumerate(dict.fromkeys(pieces))},
        "merges": merges,
    }


def unigram() -> dict[str, Any]:
    pieces = [["<unk>", 0.0], ["▁", -1.5], ["5", -1.0], ["ab", -1.5], ["▁5", -9.0], ["a", -2.0], ["b", -2.0]]
    return {"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": pieces}


def check(made: dict[str, Any], folder: Path, texts: list[str], *, compiled: bool) -> None:
    source, target = folder / "tokenizer.json", folder / "compiled"
    source.write_text(json.dumps(made))
    assert compile_tokenizer(source, target) == compiled
    ours, peer = open_tokenizer(target if compiled else source), Peer.from_str(json.dumps(made))
    for text in texts:
        wanted = peer.encode(text, add_special_tokens=False).ids
        assert ours.encode(text) == wanted, text
        assert ours.count(text) == len(wanted), text
        assert ours.encode_batch([text, "a"]).input_ids[0].tolist()[: len(wanted)] == wanted, text


@pytest.mark.parametrize("before", ["a", "é", "。"])
def test_a_merge_over_the_space_behind_a_word_is_made_whatever_stands_there(before: str, tmp_path: Path) -> None:
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    prepended = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, spaces]}
    texts = [f"{before} b", f"{before} {before} b", f"b {before} b", f"{before}", f"ß {before}", f"{before}  b"]
    check(document(bpe([[before, "▁"], ["▁", "b"]]), prepended, None), tmp_path, texts, compiled=True)


def test_a_normalizer_that_changes_spaces_has_no_fast_path(tmp_path: Path) -> None:
    charsmap = base64.b64encode(compile_charsmap({" ": "ab"})).decode()
    normalizer = {"type": "Precompiled", "precompiled_charsmap": charsmap}
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}
    check(document(unigram(), normalizer, metaspace), tmp_path, ["5", "5 5", " 5", "ab 5"], compiled=False)
