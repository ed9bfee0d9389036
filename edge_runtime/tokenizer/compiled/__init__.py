"""The compiled form of a tokenizer: made, kept, opened."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.compiled.compile import compile_tokenizer, compiled_form
from edge_runtime.tokenizer.compiled.file import FORMAT_VERSION, is_compiled, open_compiled, write_compiled
from edge_runtime.tokenizer.encoding import Tokenizer
from edge_runtime.tokenizer.fast import FastTokenizer
from edge_runtime.tokenizer.plain.reference import ReferenceTokenizer
from edge_runtime.tokenizer.spec import load_document, parse_spec, read_content

__all__ = ["compile_tokenizer", "compiled_form", "is_compiled", "load", "open_compiled"]

_KEPT_FROM_BYTES = 1 << 20  # of a tokenizer.json: a smaller one is compiled in the time that looking for it takes


def load(path: Path, parse_special: bool = False, source_sha256: str | None = None) -> Tokenizer:
    """Do what `edge_runtime.tokenizer.open_tokenizer` says."""
    try:
        compiled = is_compiled(path)
    except OSError as error:
        raise UnsupportedTokenizer(f"{path.name} cannot be read: {error.strerror}") from error
    if compiled:
        return _opened(path, parse_special, source_sha256)
    content = read_content(path)
    sha256 = hashlib.sha256(content).hexdigest()
    kept = _kept_path(sha256) if len(content) >= _KEPT_FROM_BYTES else None
    if kept is not None and kept.is_file():
        with contextlib.suppress(UnsupportedTokenizer):  # damaged or of another version: it is made anew
            return _opened(kept, parse_special, sha256)
    document = load_document(content, path.name)
    spec = parse_spec(document)
    made = compiled_form(document, spec, sha256)
    if made is None:
        return ReferenceTokenizer(spec, parse_special)
    if kept is not None:
        with contextlib.suppress(OSError):  # no room, no right: it works without
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_compiled(kept, made.about, made.arrays)
            return _opened(kept, parse_special, sha256)  # the pages of the file instead of memory of our own
    return FastTokenizer(made.about, made.arrays, parse_special)


def _opened(path: Path, parse_special: bool, source_sha256: str | None) -> FastTokenizer:
    file = open_compiled(path)
    try:
        made_of = file.about["source_sha256"]
        if source_sha256 not in (None, made_of):
            raise UnsupportedTokenizer(f"{path.name} was made of another tokenizer.json, sha256 {made_of}")
        return FastTokenizer(file.about, file.arrays, parse_special)
    except KeyError as error:
        raise UnsupportedTokenizer(f"{path.name} lacks {error}: edgert did not write it; make it anew") from error


def _kept_path(sha256: str) -> Path:
    root = os.environ.get("EDGERT_CACHE") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "edgert" / "tokenizers" / f"{sha256}-{FORMAT_VERSION}.compiled"
