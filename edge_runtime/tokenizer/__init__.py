"""Text to token ids: exactly those of Hugging Face `tokenizers`, without that package.

`open_tokenizer` reads a model's own `tokenizer.json`. Only the WordPiece family (BERT, MiniLM and their kin) is
implemented; any other file, and any option not implemented, is refused by name rather than approximated.
"""

from __future__ import annotations

from pathlib import Path

from edge_runtime.tokenizer.encoding import Encoded, Tokenizer
from edge_runtime.tokenizer.reference import ReferenceTokenizer
from edge_runtime.tokenizer.spec import read_spec

__all__ = ["Encoded", "Tokenizer", "open_tokenizer"]


def open_tokenizer(path: Path, parse_special: bool = False) -> Tokenizer:
    """Open a `tokenizer.json`.

    Args:
        path: the file.
        parse_special: let special tokens written out in a text, such as a literal `[SEP]`, become control tokens,
            as Hugging Face `tokenizers` does unless told otherwise. By default they are plain text here, because
            texts come from strangers.

    Raises:
        UnsupportedTokenizer: the file cannot be read or has a part that edgert does not implement.
    """
    return ReferenceTokenizer(read_spec(path), parse_special)
