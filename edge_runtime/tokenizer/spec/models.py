"""Reads the `model` of a `tokenizer.json`.

Source: `models/mod.rs` and `models/*/serialization.rs` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from operator import itemgetter

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec.kinds import BPE, Model, Unigram, WordLevel, WordPiece
from edge_runtime.tokenizer.spec.merges import read_merges
from edge_runtime.tokenizer.spec.section import MAX_SIZE, Section, as_number, wrong
from edge_runtime.tokenizer.spec.vocabulary import read_pieces, read_vocab


def read_model(value: object) -> Model:
    """Read the value of `model`. Files of before 2021 may lack its type: the keys say which one it is."""
    section = Section(value, "model")
    if section.has("type"):
        return section.part(_READERS)
    section.where = f"model without type (by its keys a {_guess(section)})"
    model = _READERS[_guess(section)](section)
    section.close()
    return model


def _guess(section: Section) -> str:
    if section.has("merges"):
        return "BPE"
    if section.has("continuing_subword_prefix", "max_input_chars_per_word"):
        return "WordPiece"
    return "Unigram" if isinstance(section.peek("vocab"), list) else "WordLevel"


def piece_ids(model: Model) -> Mapping[str, int]:
    """Give the id of each piece that the model knows; of a Unigram piece that is listed twice, the last place."""
    if isinstance(model, Unigram):
        return dict(zip(map(itemgetter(0), model.pieces), count()))
    return model.vocab


def _word_piece(section: Section) -> WordPiece:
    return WordPiece(
        vocab=read_vocab(section.take("vocab"), "vocab"),
        unk_token=section.text("unk_token"),
        continuing_subword_prefix=section.text("continuing_subword_prefix"),
        max_input_chars_per_word=section.size("max_input_chars_per_word"),
    )


def _word_level(section: Section) -> WordLevel:
    return WordLevel(read_vocab(section.take("vocab"), "vocab"), section.text("unk_token"))


def _unigram(section: Section) -> Unigram:
    pieces = read_pieces(section.take("vocab"), "vocab")
    unk_id = section.optional("unk_id")
    if unk_id is not None and as_number(unk_id, f"{section.where} unk_id", MAX_SIZE) >= len(pieces):
        raise UnsupportedTokenizer(f"{section.where} unk_id {unk_id} is outside the vocabulary of {len(pieces)} pieces")
    return Unigram(
        pieces=pieces,
        unk_id=None if unk_id is None else as_number(unk_id, section.where),
        byte_fallback=section.flag_or("byte_fallback", default=False),
    )


def _bpe(section: Section) -> BPE:
    _check_dropout(section)
    vocab, prefix = read_vocab(section.take("vocab"), "vocab"), section.optional_text("continuing_subword_prefix")
    return BPE(
        vocab=vocab,
        merges=read_merges(section.take("merges"), vocab, prefix or "", "merges"),
        unk_token=section.optional_text("unk_token"),
        continuing_subword_prefix=prefix,
        end_of_word_suffix=section.optional_text("end_of_word_suffix"),
        fuse_unk=section.optional_flag("fuse_unk", default=False),
        byte_fallback=section.optional_flag("byte_fallback", default=False),
        ignore_merges=section.optional_flag("ignore_merges", default=False),
    )


def _check_dropout(section: Section) -> None:
    """Refuse to leave merges out at random."""
    dropout = section.optional("dropout")
    if dropout is None or (isinstance(dropout, float | int) and not isinstance(dropout, bool) and dropout == 0):
        return
    raise wrong(dropout, f"{section.where} dropout", "none: ids must not be random")


_READERS: Mapping[str, Callable[[Section], Model]] = {
    "BPE": _bpe,
    "Unigram": _unigram,
    "WordPiece": _word_piece,
    "WordLevel": _word_level,
}
