"""The cuts that pre-tokenizers consist of.

A cut rewrites a word, cuts it, and rewrites what it cut: all of it optional. `Cut` does that to texts and to texts that
know where they come from; what a pre-tokenizer is about are only the rewritings and the places.

Source: `pre_tokenizers/` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.plain import byte_level
from edge_runtime.tokenizer.plain.aligned import Aligned
from edge_runtime.tokenizer.plain.places import AtMatches, Chunks, Matches, Places, class_regex
from edge_runtime.tokenizer.plain.regex import Regex, open_regex
from edge_runtime.tokenizer.plain.regex.sets import Complement, Union
from edge_runtime.tokenizer.plain.rules import spell_bytes
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.unicode import CharacterMap, CodePoints, load_tables

_SPELT_BYTES = CharacterMap(spell_bytes)


@dataclass(frozen=True)
class Cut:
    """One thing that is done to each word, in this order.

    Attributes:
        table: rewrites the characters of the word.
        prefix: is put in front, unless the word begins with it.
        only_first: but only where the original text begins.
        places: where the words are; None: there is no cutting.
        spelling: rewrites the characters of what was cut.
    """

    table: Mapping[int, str] | None = None
    prefix: str = ""
    only_first: bool = False
    places: Places | None = None
    spelling: Mapping[int, str] | None = None

    @property
    def divides(self) -> bool:
        """True if a word that leaves here is known by its own place in the original text."""
        return self.places is not None

    def words(self, words: Sequence[str], first: bool) -> list[str]:
        """Give the words that the words become; `first`: the first of them begins where the original text begins."""
        if self.table is not None:
            words = [word.translate(self.table) for word in words]
        if self.prefix:
            words = [self._prefix_of(word, first and at == 0) + word for at, word in enumerate(words)]
        if self.places is not None:
            words = [part for word in words for part in self.places.words(word)]
        if self.spelling is not None:
            words = [word.translate(self.spelling) for word in words]
        return list(words)

    def split(self, word: Aligned, first: bool) -> list[tuple[Aligned, bool]]:
        """Do what `words` does to one word, and say of each that it becomes whether it is a first one."""
        if self.table is not None:
            word = word.translate(self.table)
        if prefix := self._prefix_of(word.text, first):
            word = word.prepend(prefix)
        pieces = [(word, first)]
        if self.places is not None:
            pieces = [(word.piece(start, end), word.starts[start] == 0) for start, end in self.places.spans(word.text)]
        if self.spelling is not None:
            pieces = [(piece.translate(self.spelling), is_first) for piece, is_first in pieces]
        return pieces

    def _prefix_of(self, word: str, first: bool) -> str:
        return "" if (self.only_first and not first) or word.startswith(self.prefix) else self.prefix


def open_cut(pre_tokenizer: kinds.PreTokenizer) -> Cut:
    """Open a pre-tokenizer. UnsupportedTokenizer: it has a pattern that is not implemented."""
    if isinstance(pre_tokenizer, kinds.ByteLevel):
        return Cut(
            prefix=" " if pre_tokenizer.add_prefix_space else "",
            places=Matches(open_regex(byte_level.PATTERN)) if pre_tokenizer.use_regex else None,
            spelling=_SPELT_BYTES,
        )
    if isinstance(pre_tokenizer, kinds.Metaspace):
        return _metaspace(pre_tokenizer)
    if isinstance(pre_tokenizer, kinds.Split):
        return Cut(places=AtMatches(pre_tokenizer))
    if isinstance(pre_tokenizer, kinds.FixedLength):
        return Cut(places=Chunks(pre_tokenizer.length))
    return Cut(places=Matches(_by_classes(pre_tokenizer)))


def _metaspace(spec: kinds.Metaspace) -> Cut:
    space = CodePoints.of([ord(spec.replacement)])
    return Cut(
        table=CharacterMap(lambda code: spec.replacement if code == 0x20 else chr(code)),
        prefix="" if spec.prepend_scheme == "never" else spec.replacement,
        only_first=spec.prepend_scheme == "first",
        places=Matches(class_regex(space, "merged_with_next")) if spec.split else None,
    )


def _by_classes(spec: kinds.PreTokenizer) -> Regex:
    """Give the expression whose matches are the words of a pre-tokenizer that goes by single characters."""
    tables = load_tables()
    match spec:
        case kinds.BertPreTokenizer():
            word = Complement(Union((tables.punctuation, tables.white_space)))
            return Regex(lambda write: f"{write(tables.punctuation)}|{write(word)}+")
        case kinds.Whitespace():
            other = Complement(Union((tables.word, tables.white_space)))
            return Regex(lambda write: f"{write(tables.word)}+|{write(other)}+")
        case kinds.WhitespaceSplit():
            return class_regex(tables.white_space, "removed")
        case kinds.CharDelimiterSplit(delimiter):
            return class_regex(CodePoints.of([ord(delimiter)]), "removed")
        case kinds.Punctuation(behavior):
            return class_regex(tables.punctuation, behavior)
        case kinds.Digits(individual_digits):
            return class_regex(tables.numeric, "isolated" if individual_digits else "contiguous")
    raise UnsupportedTokenizer(f"pre-tokenizer {type(spec).__name__} is not supported")
