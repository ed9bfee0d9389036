"""Strict reader of the `tokenizer.json` of WordPiece models: what it does not know it refuses by name.

The baked-in truncation and padding are not followed: how long a text may be is the model's matter, and a
batch is padded to its longest text. Of the padding section only the pad id and pad type id are taken.

Source: the deserializers of https://github.com/huggingface/tokenizers, which are laxer: they skip unknown keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.section import (
    Section,
    as_flag,
    as_list,
    as_number,
    as_numbers,
    as_object,
    as_text,
    unique_keys,
)

FORMAT_VERSION = "1.0"
MAX_FILE_BYTES = 64 * 1024 * 1024  # the largest vocabularies in use are about 20 MB


@dataclass(frozen=True)
class AddedToken:
    """A token that is looked for in the text before any word is made.

    Attributes:
        special: a control token, which user text normally may not contain.
        normalized: looked for in the normalized text, in its own normalized form.
        lstrip: takes the white space before it along; `rstrip` that behind it.
    """

    content: str
    id: int
    special: bool
    normalized: bool
    lstrip: bool
    rstrip: bool


@dataclass(frozen=True)
class BertNormalizerSpec:
    """The four flags of `BertNormalizer`; a null `strip_accents` is already resolved: it follows `lowercase`."""

    clean_text: bool
    handle_chinese_chars: bool
    strip_accents: bool
    lowercase: bool


@dataclass(frozen=True)
class WordPieceSpec:
    """The `WordPiece` model: `vocab` maps a piece to its id; pieces inside a word start with the prefix."""

    vocab: Mapping[str, int]
    unk_id: int
    continuing_subword_prefix: str
    max_input_chars_per_word: int


@dataclass(frozen=True)
class Piece:
    """One place of a template: the ids of a special token, or (`sequence` "A" or "B") a text goes here."""

    sequence: str | None
    ids: tuple[int, ...]
    type_id: int


@dataclass(frozen=True)
class Template:
    """What stands around one text (`single`) or two (`pair`)."""

    single: tuple[Piece, ...]
    pair: tuple[Piece, ...]

    @property
    def added(self) -> int:
        """The number of special ids around a single text."""
        return sum(len(piece.ids) for piece in self.single)


@dataclass(frozen=True)
class TokenizerSpec:
    """Everything in a `tokenizer.json` that changes ids."""

    normalizer: BertNormalizerSpec
    model: WordPieceSpec
    template: Template
    added_tokens: tuple[AddedToken, ...]
    pad_id: int
    pad_type_id: int

    @property
    def vocab_size(self) -> int:
        """One more than the largest id that can come out."""
        largest = [max(self.model.vocab.values()), self.pad_id]
        largest += [token.id for token in self.added_tokens]
        largest += [token_id for piece in self.template.single + self.template.pair for token_id in piece.ids]
        return max(largest) + 1


def read_spec(path: Path) -> TokenizerSpec:
    """Read a `tokenizer.json`.

    Raises:
        UnsupportedTokenizer: the file cannot be read, is not whole, or has a part that edgert does not implement.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UnsupportedTokenizer(f"{path.name} cannot be read: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise UnsupportedTokenizer(f"{path.name} is larger than {MAX_FILE_BYTES} bytes: no WordPiece file is")
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise UnsupportedTokenizer(f"{path.name} is not UTF-8 JSON: {error}") from error
    return parse_spec(document)


def parse_spec(document: object) -> TokenizerSpec:
    """Turn the parsed JSON of a `tokenizer.json` into a spec; raises as `read_spec`."""
    top = Section(document, "tokenizer.json")
    version = top.text("version")
    if version != FORMAT_VERSION:
        raise UnsupportedTokenizer(
            f"tokenizer.json version {version[:64]} is not supported: edgert reads {FORMAT_VERSION}"
        )
    model = _model(top.section("model"))
    normalizer = _normalizer(top.section("normalizer"))
    top.section("pre_tokenizer").only_type("BertPreTokenizer").close()
    template = _template(top.optional_section("post_processor"))
    _check_decoder(top.optional_section("decoder"))
    added_tokens = _added_tokens(top.take("added_tokens"), model.vocab)
    pad_id, pad_type_id = _padding(top.optional_section("padding"), model.vocab)
    top.ignore("truncation")
    top.close()
    return TokenizerSpec(normalizer, model, template, added_tokens, pad_id, pad_type_id)


def _model(section: Section) -> WordPieceSpec:
    section.only_type("WordPiece")
    vocab, unk_token = as_numbers(section.take("vocab"), "vocab"), section.text("unk_token")
    if unk_token not in vocab:
        raise UnsupportedTokenizer(f"vocab lacks the unk_token {unk_token!r}: an unknown word would have no id")
    spec = WordPieceSpec(
        vocab=vocab,
        unk_id=vocab[unk_token],
        continuing_subword_prefix=section.text("continuing_subword_prefix"),
        max_input_chars_per_word=section.number("max_input_chars_per_word"),
    )
    section.close()
    return spec


def _normalizer(section: Section) -> BertNormalizerSpec:
    section.only_type("BertNormalizer")
    lowercase, strip_accents = section.flag("lowercase"), section.take_optional("strip_accents")
    spec = BertNormalizerSpec(
        clean_text=section.flag("clean_text"),
        handle_chinese_chars=section.flag("handle_chinese_chars"),
        strip_accents=lowercase if strip_accents is None else as_flag(strip_accents, "normalizer strip_accents"),
        lowercase=lowercase,
    )
    section.close()
    return spec


def _template(section: Section | None) -> Template:
    if section is None:
        return Template((Piece("A", (), 0),), (Piece("A", (), 0), Piece("B", (), 1)))
    section.only_type("TemplateProcessing", "BertProcessing")
    template = _bert_template(section) if section.type == "BertProcessing" else _written_template(section)
    section.close()
    return template


def _bert_template(section: Section) -> Template:
    cls, sep = (_token_and_id(section.take(key), f"post_processor {key}") for key in ("cls", "sep"))
    single = (Piece(None, (cls,), 0), Piece("A", (), 0), Piece(None, (sep,), 0))
    return Template(single, (*single, Piece("B", (), 1), Piece(None, (sep,), 1)))


def _token_and_id(value: object, where: str) -> int:
    pair = as_list(value, where)
    if len(pair) != 2:
        raise UnsupportedTokenizer(f"{where} has {len(pair)} items: edgert expects a token and its id")
    as_text(pair[0], where)
    return as_number(pair[1], where)


def _written_template(section: Section) -> Template:
    specials = as_object(section.take("special_tokens"), "special_tokens")
    ids = {name: _special_ids(Section(special, f"special token {name!r}")) for name, special in specials.items()}
    single, pair = (
        tuple(_piece(Section(piece, f"template {key} piece"), ids) for piece in as_list(section.take(key), key))
        for key in ("single", "pair")
    )
    if [piece.sequence for piece in single if piece.sequence] != ["A"]:
        raise UnsupportedTokenizer("template single is not supported: edgert expects sequence A once and no other")
    return Template(single, pair)


def _special_ids(section: Section) -> tuple[int, ...]:
    ids = tuple(as_number(token_id, f"{section.where} id") for token_id in as_list(section.take("ids"), section.where))
    section.ignore("id", "tokens")  # names for people; only the ids are put in
    section.close()
    return ids


def _piece(section: Section, special_ids: Mapping[str, tuple[int, ...]]) -> Piece:
    special = section.take_optional("SpecialToken")
    body = Section(section.take("Sequence") if special is None else special, section.where)
    name, type_id = body.text("id"), body.number("type_id")
    body.close()
    section.close()
    if special is None and name in ("A", "B"):
        return Piece(name, (), type_id)
    if special is None or name not in special_ids:
        raise UnsupportedTokenizer(f"{section.where} {name[:64]!r} is not supported: the file does not define it")
    return Piece(None, special_ids[name], type_id)


def _check_decoder(section: Section | None) -> None:
    """Refuse the decoder of another family; nothing is decoded yet."""
    if section is not None:
        section.only_type("WordPiece").ignore("prefix", "cleanup")
        section.close()


def _added_tokens(value: object, vocab: Mapping[str, int]) -> tuple[AddedToken, ...]:
    tokens: dict[str, AddedToken] = {}
    next_id = len(vocab)
    for entry in as_list(value, "added_tokens"):
        token = _added_token(Section(entry, "added token"))
        if token.content in tokens:
            raise UnsupportedTokenizer(f"added token {token.content!r} is listed twice")
        # The original numbers tokens outside the vocabulary itself, whatever id the file gives them.
        expected = vocab.get(token.content, next_id)
        if token.id != expected:
            raise UnsupportedTokenizer(
                f"added token {token.content!r} has id {token.id}, Hugging Face tokenizers would make it {expected}"
            )
        next_id += token.content not in vocab
        tokens[token.content] = token
    return tuple(tokens.values())


def _added_token(section: Section) -> AddedToken:
    token = AddedToken(
        content=section.text("content"),
        id=section.number("id"),
        special=section.flag("special"),
        normalized=section.flag("normalized"),
        lstrip=section.flag("lstrip"),
        rstrip=section.flag("rstrip"),
    )
    if section.flag("single_word"):
        raise UnsupportedTokenizer(f"added token {token.content!r} has single_word set, which is not supported")
    if not token.content:
        raise UnsupportedTokenizer("an added token is empty")
    section.close()
    return token


def _padding(section: Section | None, vocab: Mapping[str, int]) -> tuple[int, int]:
    """Give the pad id and the pad type id; length, side and strategy in the file are not followed."""
    if section is None:
        return vocab.get("[PAD]", 0), 0
    return section.number("pad_id"), section.number("pad_type_id")
