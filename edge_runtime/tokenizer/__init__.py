"""Text to token ids and back: exactly as Hugging Face `tokenizers`, without that package and without compiled code.

`open_tokenizer` opens a compiled tokenizer or a model's own `tokenizer.json`. What of such a file edgert does not
implement is refused by name rather than approximated.

    spec/       what a tokenizer.json says
    unicode/    tables of characters, read from the original
    plain/      the plain definition: exact, and not in a hurry
    vector/     the fast way: segments of many texts looked up at once
    compiled/   everything that takes time, done once and kept in a file that is mapped into memory
    assemble/   truncation, pairs, special tokens, padding
    decode/     ids to text, at once or as a stream
"""

from __future__ import annotations

from pathlib import Path

from edge_runtime.tokenizer.encoding import (
    DecodeStream,
    Encoded,
    Padding,
    Tokenizer,
    Tokens,
    Truncation,
)

__all__ = ["DecodeStream", "Encoded", "Padding", "Tokenizer", "Tokens", "Truncation", "open_tokenizer"]


def open_tokenizer(path: Path, parse_special: bool = False, source_sha256: str | None = None) -> Tokenizer:
    """Open a compiled tokenizer, which takes a millisecond or two, or a `tokenizer.json`.

    A `tokenizer.json` is compiled first; a large one is kept compiled in the user's cache, under its sha256. One for
    which there is no fast path is opened in its plain form: the same ids, but slow.

    Args:
        path: the file.
        parse_special: let special tokens written out in a text, such as a literal `[SEP]`, become control tokens,
            as Hugging Face `tokenizers` does unless told otherwise. By default they are plain text here, because
            texts come from strangers.
        source_sha256: of the `tokenizer.json` that a compiled file must have been made of.

    Raises:
        UnsupportedTokenizer: the file cannot be read, is damaged, was made of another file or for another version of
            edgert, or has a part that edgert does not implement.
    """
    from edge_runtime.tokenizer.compiled import load  # NumPy and all tables: not before a tokenizer is wanted

    return load(path, parse_special, source_sha256)
