"""Reads vocabularies in bulk: a loop in Python over them would take longer than parsing the JSON.

Everything here raises UnsupportedTokenizer, naming the place, when a value is not of the kind asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec.decimal import read_decimal
from edge_runtime.tokenizer.spec.section import MAX_ID, as_list, as_number, as_text, is_whole, wrong


def read_vocab(value: object, where: str) -> dict[str, int]:
    """Give a vocabulary, piece -> id; ids may have gaps, but no two pieces have the same.

    The original takes equal ids and then decodes to any of the pieces, another one in each run.
    """
    if not isinstance(value, dict):
        raise wrong(value, where, "an object")
    ids = value.values()
    if not set(map(type, ids)) <= {int} or (ids and not 0 <= min(ids) <= max(ids) <= MAX_ID):
        for piece, token_id in value.items():
            as_number(token_id, f"{where} {piece!r}")
    if len(set(ids)) != len(value):
        raise UnsupportedTokenizer(f"{where} is not supported: {_same_id(value)}")
    if not is_whole("".join(value)):
        for piece in value:
            as_text(piece, where)
    return value


def _same_id(vocab: Mapping[str, int]) -> str:
    first: dict[int, str] = {}
    for piece, token_id in vocab.items():
        other = first.setdefault(token_id, piece)
        if other is not piece:
            return f"{other!r} and {piece!r} have the same id, {token_id}"
    raise AssertionError("only called if there is such a pair")


def read_pieces(value: object, where: str) -> list[tuple[str, float]]:
    """Give the pieces of a Unigram model with their scores."""
    entries = as_list(value, where)
    if not set(map(type, entries)) <= {list}:
        raise wrong(next(entry for entry in entries if type(entry) is not list), where, "pieces with their scores")
    rows = cast("list[list[object]]", entries)
    if not set(map(len, rows)) <= {2}:
        raise wrong(next(row for row in rows if len(row) != 2), where, "a piece and its score")
    pieces = _texts([piece for piece, _ in rows], where)
    return list(zip(pieces, _floats([score for _, score in rows], where), strict=True))


def _floats(scores: list[object], where: str) -> list[float]:
    kinds = set(map(type, scores))
    if not kinds <= {float, int}:
        raise wrong(next(score for score in scores if type(score) not in (float, int)), where, "scores")
    if int in kinds:  # of any size in Python
        return [score if type(score) is float else _decimal(score, where) for score in scores]
    return cast("list[float]", scores)


def _decimal(number: object, where: str) -> float:
    try:
        return read_decimal(str(number))
    except ValueError as error:
        raise UnsupportedTokenizer(f"{where} has a score that is too large") from error


def _texts(values: list[object], where: str) -> list[str]:
    """Give a list of strings without lone surrogates."""
    if set(map(type, values)) <= {str} and is_whole("".join(cast("list[str]", values))):
        return cast("list[str]", values)
    return [as_text(value, where) for value in values]
