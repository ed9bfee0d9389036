"""Does the board's tokenizer give exactly what Hugging Face `tokenizers` gives?

Everything that a model could see is compared: ids, masks, type ids, offsets, cut texts and pairs, decoded text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.manifest import Family, Parity
from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec import read_spec
from edge_runtime.tokenizer.spec.kinds import BPE, TokenizerSpec, Unigram, WordLevel, WordPiece
from edgert_tools.parity_sides import Difference, both_sides
from edgert_tools.parity_texts import ParityTexts, builtin_texts

SHOWN = 5  # mismatches of one kind that are shortened and shown
COMPARED = (
    "ids, attention mask, type ids, special tokens mask, offsets",
    "one text alone",
    "written special tokens as control tokens",
    "texts cut to fit",
    "texts cut with overflow",
    "pairs cut with overflow",
    "decoded text",
)
_FAMILIES: dict[type, Family] = {WordPiece: "wordpiece", BPE: "bpe", Unigram: "unigram", WordLevel: "wordlevel"}
_BATCH = 64
_SHORTENING_STEPS = 400
# To be cut a part of the texts is enough, as they repeat the first kind's tokens; a long pair gives hundreds of rows.
_CUT_TEXTS, _CUT_CHARACTERS = 400, 200


@dataclass(frozen=True)
class Mismatch:
    """One difference: what was compared, the shortest text that shows it, what edgert gave and what was right."""

    compared: str
    text: str
    found: str
    expected: str


@dataclass(frozen=True)
class Comparison:
    """What was compared with which oracle, and the first mismatches of each kind."""

    family: Family
    oracle: str
    lines: int
    documents: int
    characters: int
    mismatches: int
    first: tuple[Mismatch, ...]

    @property
    def parity(self) -> Parity:
        """The part that goes into a bundle's manifest."""
        return Parity(self.oracle, self.lines + self.documents, self.characters, self.mismatches, COMPARED)


def family_of(spec: TokenizerSpec) -> Family:
    """Give the kind of a tokenizer's model."""
    return _FAMILIES[type(spec.model)]


def written_tokens(spec: TokenizerSpec) -> list[str]:
    """Give the contents of the added tokens, control tokens first."""
    return [token.content for token in sorted(spec.added_tokens, key=lambda token: not token.special)]


def check_parity(tokenizer_file: Path, texts: Sequence[str]) -> Comparison:
    """Compare on a model's own texts and on the built-in ones.

    Raises:
        UnsupportedTokenizer: the board cannot read the file, or gives something else; says what and where.
    """
    result = compare(tokenizer_file, lambda tokens: builtin_texts(tokens, lines=600).plus(texts))
    if result.mismatches:
        first = result.first[0]
        raise UnsupportedTokenizer(
            f"the board's tokenizer differs from Hugging Face's on {first.text[:60]!r} ({first.compared}): "
            f"{first.found[:200]} instead of {first.expected[:200]}; this checkpoint cannot be served correctly"
        )
    return result


def compare(
    tokenizer_file: Path,
    texts_with: Callable[[Sequence[str]], ParityTexts] = builtin_texts,
    opened: Path | None = None,
) -> Comparison:
    """Compare edgert's tokenizer with Hugging Face's.

    Args:
        tokenizer_file: a `tokenizer.json`.
        texts_with: gives the texts, for the contents of the file's added tokens.
        opened: its compiled form, if edgert is to open that.

    Raises:
        UnsupportedTokenizer: edgert cannot read the file.
    """
    import tokenizers

    spec = read_spec(tokenizer_file)
    texts = texts_with(written_tokens(spec))
    every = texts.texts
    some = _spread([text for text in every if len(text) <= _CUT_CHARACTERS], _CUT_TEXTS)
    plain, control = both_sides(tokenizer_file, opened or tokenizer_file)
    passes: tuple[tuple[Sequence[str], Callable[[Sequence[str]], Iterator[Difference]]], ...] = (
        (every, plain.batches),
        (every, plain.alone),
        (every, control.batches),
        (some, plain.cut),
        (some, plain.cut_with_overflow),
        (some, plain.cut_pairs),
        (every, plain.decoded),
    )
    count = 0
    first: list[Mismatch] = []
    for name, (given, differences) in zip(COMPARED, passes, strict=True):
        found = list(_in_batches(given, differences))
        count += len(found)
        first += dict.fromkeys(_shortened(name, difference, differences) for difference in found[:SHOWN])
    return Comparison(
        family=family_of(spec),
        oracle=f"tokenizers {tokenizers.__version__}",
        lines=len(texts.lines),
        documents=len(texts.documents),
        characters=texts.characters,
        mismatches=count,
        first=tuple(first),
    )


def _in_batches(
    texts: Sequence[str], differences: Callable[[Sequence[str]], Iterator[Difference]]
) -> Iterator[Difference]:
    for at in range(0, len(texts), _BATCH):
        yield from differences(texts[at : at + _BATCH])


def _shortened(
    name: str, difference: Difference, differences: Callable[[Sequence[str]], Iterator[Difference]]
) -> Mismatch:
    """Take away parts of the text, large ones first, for as long as it still shows the difference by itself."""

    def shows(text: str) -> Difference | None:
        return next(differences([text]), None)

    shortest, size = difference, len(difference.text) // 2
    steps = iter(range(_SHORTENING_STEPS))
    while size:
        shorter = _first(shows(text) for text in _without(shortest.text, size) if next(steps, None) is not None)
        if shorter is None:
            size //= 2
        else:
            shortest = shorter
            size = min(size, len(shortest.text) // 2) or int(len(shortest.text) > 1)
    return Mismatch(name, shortest.text, str(shortest.found), str(shortest.expected))


def _without(text: str, size: int) -> Iterator[str]:
    for at in range(0, len(text), size):
        yield text[:at] + text[at + size :]


def _first(found: Iterable[Difference | None]) -> Difference | None:
    return next((difference for difference in found if difference is not None), None)


def _spread(texts: Sequence[str], count: int) -> Sequence[str]:
    """Every so many-th text."""
    return texts[:: max(1, len(texts) // count)]
