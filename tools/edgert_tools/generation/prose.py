"""English prose to judge a model that writes: a novel that is in the public domain, or the user's own text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_runtime.errors import UsageError
from edge_runtime.tokenizer import Tokenizer
from edgert_tools.packages import PinnedPackage, fetch_package, read_member

# Natsume Soseki, "Botchan", translated by Yasotaro Morri, 1918: test data of sentencepiece, in its source archive.
PACKAGE = PinnedPackage(
    name="sentencepiece",
    version="0.2.3",
    sha256="21618ad31f0453a1ebf5ec58defed99758d54af0b670546ecac639ddd8b86fbd",
    sdist=True,
)
DESCRIPTION = "Soseki's Botchan in English"


def novel() -> str:
    """The novel, about 280,000 characters, without what stands around it. SourceUnavailable: it cannot be had."""
    text = read_member(fetch_package(PACKAGE), "botchan.txt").decode("utf-8", "replace")
    begin, end = len(text) // 50, len(text) - len(text) // 10  # a preface, and the licence of who digitized it
    return " ".join(text[begin:end].split())


def own_text(file: Path) -> str:
    """A user's text. UsageError: it is none."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text: {error}") from error
    if not text.strip():
        raise UsageError(f"{file} has no text")
    return text


def windows_of(text: str, tokenizer: Tokenizer, count: int, tokens: int, start: int | None) -> list[list[int]]:
    """`count` pieces of `tokens` ids each, spread evenly over the text; `start` is put before each.

    Raises:
        UsageError: the text has not even one.
    """
    ids = plain_ids(tokenizer, text)
    own = tokens - (start is not None)
    if len(ids) < own:
        raise UsageError(f"the text to judge on has {len(ids)} tokens, {own} are needed: give a longer one with --data")
    count = min(count, len(ids) // own)
    places = np.linspace(0, len(ids) - own, count).astype(int) if count > 1 else [0]
    before = [] if start is None else [start]
    return [[*before, *ids[place : place + own]] for place in places]


def plain_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of the text alone, without tokens that the tokenizer puts around it."""
    return [int(token) for token in tokenizer.encode_batch([text], special_tokens=False).input_ids[0]]
