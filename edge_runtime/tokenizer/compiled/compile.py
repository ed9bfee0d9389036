"""`tokenizer.json` to a compiled tokenizer: everything that would take time when it is opened, done once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edge_runtime.tokenizer.assemble import white_edges
from edge_runtime.tokenizer.compiled.file import write_compiled
from edge_runtime.tokenizer.decode import pieces_of, special_ids
from edge_runtime.tokenizer.plain.normalizers import open_normalizer
from edge_runtime.tokenizer.plain.reference import model_pieces
from edge_runtime.tokenizer.spec import kinds, load_document, parse_spec, read_content
from edge_runtime.tokenizer.unicode import load_tables
from edge_runtime.tokenizer.vector.arrays import ArrayDict, under
from edge_runtime.tokenizer.vector.family import compile_family, family_of
from edge_runtime.tokenizer.vector.segments import byte_at

# A model that is there only so that the rest of the document can be read without the vocabulary.
_STUBS: dict[type, dict[str, Any]] = {
    kinds.BPE: {"type": "BPE", "vocab": {}, "merges": []},
    kinds.Unigram: {"type": "Unigram", "vocab": [["<unk>", 0.0]], "unk_id": 0},
    kinds.WordPiece: {
        "type": "WordPiece",
        "vocab": {"[UNK]": 0},
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
    },
}
_KEPT = ("version", "normalizer", "pre_tokenizer", "post_processor", "decoder")


class Compiled(NamedTuple):
    """What is written: `about` as JSON, and arrays."""

    about: dict[str, Any]
    arrays: ArrayDict


def compile_tokenizer(source: Path, target: Path) -> bool:
    """Write the compiled form of a `tokenizer.json`; `target` is replaced at once, when all of it is there.

    Returns:
        Whether there is one: without a fast path for its steps a tokenizer has none, and nothing is written.

    Raises:
        UnsupportedTokenizer: the file is not supported.
    """
    content = read_content(source)
    document = load_document(content, source.name)
    compiled = compiled_form(document, parse_spec(document), hashlib.sha256(content).hexdigest())
    if compiled is None:
        return False
    write_compiled(target, compiled.about, compiled.arrays)
    return True


def compiled_form(document: object, spec: kinds.TokenizerSpec, source_sha256: str) -> Compiled | None:
    """Make the compiled form of a document and its spec; None if there is no fast path for it."""
    family = family_of(spec)
    if family is None or (spec.trim and isinstance(spec.model, kinds.Unigram)):
        return None
    assert isinstance(document, dict)
    pieces = pieces_of(spec, open_normalizer(spec.normalizers).normalize)
    template = [token_id for piece in spec.template.single + spec.template.pair for token_id in piece.ids]
    size = max([len(pieces), spec.pad_id + 1, *(token_id + 1 for token_id in template)])
    about = {
        "family": family,
        "source_sha256": source_sha256,
        "oracle": load_tables().oracle,
        "size": size,
        "pad": [spec.pad_id, spec.pad_type_id],
        "plain_added": any(not token.special for token in spec.added_tokens),
        "document": {key: document[key] for key in _KEPT if key in document}
        | {"model": _STUBS[type(spec.model)], "added_tokens": []},
    }
    arrays = compile_family(family, spec, size) | under("pieces", _piece_arrays(pieces, size))
    arrays["special_ids"] = np.array(sorted(special_ids(spec, pieces)), np.int32)
    added = json.dumps([dataclasses.astuple(token) for token in spec.added_tokens], ensure_ascii=False)
    arrays["added_tokens"] = np.frombuffer(added.encode(), np.uint8)
    if spec.trim:
        edges = white_edges(model_pieces(spec, size))
        arrays |= {"edges.leading": edges.leading, "edges.trailing": edges.trailing}
    return Compiled(about, arrays)


def _piece_arrays(pieces: list[str | None], size: int) -> ArrayDict:
    padded = pieces + [None] * (size - len(pieces))
    strings = [piece or "" for piece in padded]
    content = np.frombuffer("".join(strings).encode(), np.uint8)
    ends = byte_at(content, np.cumsum(np.fromiter(map(len, strings), np.int64, size)))
    return {
        "pool": content,
        "offsets": np.concatenate([np.zeros(1, np.int64), ends]).astype(np.int32),
        "gaps": np.array([at for at, piece in enumerate(padded) if piece is None], np.int32),
    }
