"""What a `tokenizer.json` can say, as frozen dataclasses: the parts that change ids, offsets or decoded text.

Each class is named after the `type` in the file; a component of another kind is refused when the file is read.
Source: https://github.com/huggingface/tokenizers, the serialized form of each component.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edge_runtime.tokenizer.spec.basic_kinds import Pattern as Pattern
from edge_runtime.tokenizer.spec.basic_kinds import PrependScheme as PrependScheme
from edge_runtime.tokenizer.spec.basic_kinds import SplitBehavior as SplitBehavior
from edge_runtime.tokenizer.spec.decoder_kinds import CTC as CTC
from edge_runtime.tokenizer.spec.decoder_kinds import BPEDecoder as BPEDecoder
from edge_runtime.tokenizer.spec.decoder_kinds import ByteFallback as ByteFallback
from edge_runtime.tokenizer.spec.decoder_kinds import ByteLevelDecoder as ByteLevelDecoder
from edge_runtime.tokenizer.spec.decoder_kinds import Decoder as Decoder
from edge_runtime.tokenizer.spec.decoder_kinds import Fuse as Fuse
from edge_runtime.tokenizer.spec.decoder_kinds import MetaspaceDecoder as MetaspaceDecoder
from edge_runtime.tokenizer.spec.decoder_kinds import ReplaceDecoder as ReplaceDecoder
from edge_runtime.tokenizer.spec.decoder_kinds import StripDecoder as StripDecoder
from edge_runtime.tokenizer.spec.decoder_kinds import WordPieceDecoder as WordPieceDecoder

# --- normalizers ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BertNormalizer:
    """A null `strip_accents` in the file is already resolved here: it follows `lowercase`."""

    clean_text: bool
    handle_chinese_chars: bool
    strip_accents: bool
    lowercase: bool


@dataclass(frozen=True)
class UnicodeForm:
    """One of the four normal forms."""

    form: Literal["NFC", "NFD", "NFKC", "NFKD"]


@dataclass(frozen=True)
class Lowercase:
    """Lower-case each character by itself."""


@dataclass(frozen=True)
class StripAccents:
    """Remove every nonspacing mark."""


@dataclass(frozen=True)
class Strip:
    """Remove white space at the ends."""

    left: bool
    right: bool


@dataclass(frozen=True)
class Replace:
    """Replace every match."""

    pattern: Pattern
    content: str


@dataclass(frozen=True)
class Prepend:
    """Put a text in front, unless there is no text at all."""

    prepend: str


@dataclass(frozen=True)
class Nmt:
    """Clean as the sentencepiece `nmt` rules do."""


@dataclass(frozen=True)
class Precompiled:
    """SentencePiece's character map: a double-array trie and the pool of replacements, as stored in the file."""

    charsmap: bytes


@dataclass(frozen=True)
class ByteLevelNormalizer:
    """Replace each byte of the UTF-8 form by the printable character that stands for it."""


Normalizer = (
    BertNormalizer
    | UnicodeForm
    | Lowercase
    | StripAccents
    | Strip
    | Replace
    | Prepend
    | Nmt
    | Precompiled
    | ByteLevelNormalizer
)

# --- pre-tokenizers ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BertPreTokenizer:
    """Cut at white space, isolate punctuation."""


@dataclass(frozen=True)
class ByteLevel:
    """GPT-2's: optionally a space in front and its regular expression, then bytes as printable characters."""

    add_prefix_space: bool
    use_regex: bool


@dataclass(frozen=True)
class Metaspace:
    """SentencePiece's: spaces become `replacement`; `split` cuts before each of them."""

    replacement: str
    prepend_scheme: PrependScheme
    split: bool


@dataclass(frozen=True)
class Split:
    """Cut at the matches of a pattern (`invert`: at what lies between them)."""

    pattern: Pattern
    behavior: SplitBehavior
    invert: bool


@dataclass(frozen=True)
class Whitespace:
    r"""Take the matches of `\w+|[^\w\s]+`."""


@dataclass(frozen=True)
class WhitespaceSplit:
    """Cut at white space."""


@dataclass(frozen=True)
class CharDelimiterSplit:
    """Cut at one character and drop it."""

    delimiter: str


@dataclass(frozen=True)
class Punctuation:
    """Cut at punctuation, ASCII's and Unicode's."""

    behavior: SplitBehavior


@dataclass(frozen=True)
class Digits:
    """Isolate numbers, as a run or each digit."""

    individual_digits: bool


@dataclass(frozen=True)
class FixedLength:
    """Cut every `length` characters."""

    length: int


PreTokenizer = (
    BertPreTokenizer
    | ByteLevel
    | Metaspace
    | Split
    | Whitespace
    | WhitespaceSplit
    | CharDelimiterSplit
    | Punctuation
    | Digits
    | FixedLength
)

# --- models --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WordPiece:
    """Longest pieces first; pieces inside a word start with the prefix."""

    vocab: Mapping[str, int]
    unk_token: str
    continuing_subword_prefix: str
    max_input_chars_per_word: int


@dataclass(frozen=True)
class BPE:
    """Merges in the order of the list.

    Attributes:
        merges: (left, right) pieces; the rank of a merge is its place in the list.
        unk_token: None: an unknown character gives nothing.
        byte_fallback: an unknown character becomes its bytes, `<0xE2>`, if all of these are in the vocabulary.
        ignore_merges: a word that is in the vocabulary is one token, whatever the merges say.
    """

    vocab: Mapping[str, int]
    merges: Sequence[tuple[str, str]]
    unk_token: str | None
    continuing_subword_prefix: str | None
    end_of_word_suffix: str | None
    fuse_unk: bool
    byte_fallback: bool
    ignore_merges: bool


@dataclass(frozen=True)
class Unigram:
    """The most likely pieces: (piece, log probability); the id of a piece is its place in the list."""

    pieces: Sequence[tuple[str, float]]
    unk_id: int | None
    byte_fallback: bool


@dataclass(frozen=True)
class WordLevel:
    """One id for a whole word."""

    vocab: Mapping[str, int]
    unk_token: str


Model = WordPiece | BPE | Unigram | WordLevel

# --- what stands around texts --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """One place of a template: the ids of a special token, or (`sequence` "A" or "B") a text goes here."""

    sequence: Literal["A", "B"] | None
    ids: tuple[int, ...]
    type_id: int


@dataclass(frozen=True)
class Template:
    """What stands around one text (`single`) or two (`pair`).

    Attributes:
        overflow_type_ids: type ids of the tokens of text A and B in any but the first part of a text that is cut up.
            Templates set type ids in first parts only, `RobertaProcessing` in all.
    """

    single: tuple[Piece, ...]
    pair: tuple[Piece, ...]
    overflow_type_ids: tuple[int, int] = (0, 1)

    @property
    def added(self) -> int:
        """The number of special ids around a single text."""
        return sum(len(piece.ids) for piece in self.single)

    @property
    def added_to_pair(self) -> int:
        """The number of special ids around a pair of texts."""
        return sum(len(piece.ids) for piece in self.pair)


@dataclass(frozen=True)
class OffsetTrim:
    """Offsets leave out the white space of a token; `ByteLevel` and `RobertaProcessing` with `trim_offsets` ask so.

    `add_prefix_space`: a single space at the very start was put there by the pre-tokenizer, and is not left out.
    """

    add_prefix_space: bool


# --- the whole -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AddedToken:
    """A token that is looked for in the text before any word is made.

    Attributes:
        special: a control token, which user text normally may not contain.
        normalized: looked for in the normalized text, in its own normalized form.
        lstrip: takes the white space before it along; `rstrip` that behind it.
        single_word: only where no word character touches it.
    """

    content: str
    id: int
    special: bool
    normalized: bool
    lstrip: bool
    rstrip: bool
    single_word: bool


@dataclass(frozen=True)
class TokenizerSpec:
    """Everything in a `tokenizer.json` that changes ids, offsets or decoded text.

    Attributes:
        normalizers: applied one after another; nested sequences are flattened.
        pre_tokenizers: applied one after another, each to what the one before it left.
        trim: one entry for each post-processor that trims offsets, in order (RoBERTa files may trim twice).
        decoders: None: the file has none, tokens are joined by spaces. Nested sequences are flattened.
        pad_id, pad_type_id: of the padding section, else 0 (or the id of `[PAD]`); its length is not followed.
    """

    normalizers: tuple[Normalizer, ...]
    pre_tokenizers: tuple[PreTokenizer, ...]
    model: Model
    template: Template
    trim: tuple[OffsetTrim, ...]
    decoders: tuple[Decoder, ...] | None
    added_tokens: tuple[AddedToken, ...]
    pad_id: int
    pad_type_id: int

    @property
    def vocab_size(self) -> int:
        """One more than the largest id that can come out."""
        model = self.model
        largest = [len(model.pieces) - 1] if isinstance(model, Unigram) else [max(model.vocab.values(), default=-1)]
        largest += [self.pad_id, *(token.id for token in self.added_tokens)]
        largest += [token_id for piece in self.template.single + self.template.pair for token_id in piece.ids]
        return max(largest) + 1
