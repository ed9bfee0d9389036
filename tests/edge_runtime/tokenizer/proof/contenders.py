"""Our ways from a text to ids, each opened on the same document: all must give what the peer gives."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer import open_tokenizer
from edge_runtime.tokenizer.compiled import compile_tokenizer, open_compiled
from edge_runtime.tokenizer.encoding import Tokenizer
from edge_runtime.tokenizer.fast import FastTokenizer
from edge_runtime.tokenizer.plain.reference import ReferenceTokenizer
from tests.edge_runtime.tokenizer.families.comparison import peer_of, spec_of

SMALL_BYTES = 1 << 16  # for segments that are not in the file: thrown away every few documents


@dataclass(frozen=True)
class Contenders:
    """One document, opened by everybody.

    Attributes:
        fast: from the compiled file, warmed up; a lone short text takes the scalar path, a batch the vector path.
        forgetful: the same with so little memory that it forgets what it has seen, over and over.
        reference: the plain definition.
        peer: Hugging Face `tokenizers`.
        is_compiled: whether this document has a compiled form; else the first two are the plain definition, too.
    """

    fast: Tokenizer
    forgetful: Tokenizer
    reference: ReferenceTokenizer
    peer: Any
    is_compiled: bool


def contenders(document: dict[str, Any], folder: Path, name: str, parse_special: bool) -> Contenders:
    """Open a document, compiled into the folder; what another process compiled is taken, so that both map one file.

    Raises:
        UnsupportedTokenizer: the document is refused.
        AssertionError: only its compiled form is.
    """
    reference = ReferenceTokenizer(spec_of(document), parse_special)
    fast: Tokenizer = reference
    forgetful: Tokenizer = reference
    try:
        path = _compiled(document, folder, name)
        if path is not None:
            fast = open_tokenizer(path, parse_special)
            fast.warm_up()
            file = open_compiled(path)
            forgetful = FastTokenizer(file.about, file.arrays, parse_special, budget_bytes=SMALL_BYTES)
    except UnsupportedTokenizer as error:
        raise AssertionError(f"the plain definition takes what its compiled form refuses: {error}") from error
    return Contenders(fast, forgetful, reference, peer_of(document, parse_special), path is not None)


def _compiled(document: dict[str, Any], folder: Path, name: str) -> Path | None:
    """The compiled file; None where the document has no compiled form."""
    target, source = folder / f"{name}.edgert", folder / f"{name}.{os.getpid()}.json"
    if target.exists():
        return target
    source.write_text(json.dumps(document), encoding="utf-8")
    return target if compile_tokenizer(source, target) else None
