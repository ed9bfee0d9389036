"""Models that ship no `tokenizer.json`: which files they have instead, and one `tokenizer.json` made of them.

The board reads `tokenizer.json` alone. What other files mean depends on the model's class, which transformers knows
best, so its own converters are used; a tiktoken rank file, of which it would guess the regular expression, is read
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edge_runtime.errors import SourceUnavailable

Kind = Literal["tokenizer.json", "tiktoken", "sentencepiece", "merges", "vocab.txt"]

OWN: Literal["tokenizer.json"] = "tokenizer.json"
SENTENCEPIECE_NAMES = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "spm.model")
# What is asked for in a download, beside `*.json` and `*.txt`.
PATTERNS = ("*.model", "*.tiktoken")


@dataclass(frozen=True)
class TokenizerSource:
    """What a folder has to make a tokenizer of; the other files of the kind lie beside `file`."""

    kind: Kind
    file: Path


def find_source(folder: Path) -> TokenizerSource:
    """The folder's own `tokenizer.json` if there is one, else what one can be made of.

    Raises:
        SourceUnavailable: there is nothing of the kind; says which files would do.
    """
    own = folder / OWN
    if own.is_file():
        return TokenizerSource(OWN, own)
    for ranks in sorted(folder.glob("*.tiktoken")):
        return TokenizerSource("tiktoken", ranks)
    for name in SENTENCEPIECE_NAMES:
        if (folder / name).is_file():
            return TokenizerSource("tiktoken" if _is_text(folder / name) else "sentencepiece", folder / name)
    if (folder / "merges.txt").is_file() and (folder / "vocab.json").is_file():
        return TokenizerSource("merges", folder / "merges.txt")
    if (folder / "vocab.txt").is_file():
        return TokenizerSource("vocab.txt", folder / "vocab.txt")
    raise SourceUnavailable(
        f"{folder} has no tokenizer.json, and nothing that one can be made of: vocab.txt, vocab.json with merges.txt, "
        f"a tiktoken rank file (*.tiktoken), or a SentencePiece model ({', '.join(SENTENCEPIECE_NAMES)}): "
        "fetch one of them from upstream"
    )


def make_tokenizer(source: TokenizerSource, config: Mapping[str, Any], made: Path) -> None:
    """Write the `tokenizer.json` that a source stands for to `made`.

    Args:
        source: of any kind but a `tokenizer.json`.
        config: content of the model's `config.json`.

    Raises:
        UnsupportedTokenizer: it cannot be made without a guess; says why.
        MissingExtra: the package that reads this kind is not installed.
    """
    if source.kind == "tiktoken":
        from edgert_tools.tokenizer_sources.tiktoken import convert_ranks

        convert_ranks(source.file, config, made)
    else:
        from edgert_tools.tokenizer_sources.converters import convert_by_class

        convert_by_class(source, made)


def _is_text(file: Path) -> bool:
    """Whether a `.model` is a tiktoken rank file, as Llama 3's is: lines of base64, a space and a number."""
    with file.open("rb") as stream:
        return stream.readline(1000).strip().replace(b" ", b"").replace(b"=", b"").isalnum()
