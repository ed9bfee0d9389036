"""Reads `added_tokens` of a `tokenizer.json`.

Source: `AddedVocabulary::add_tokens` in `tokenizer/added_vocabulary.rs` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec.kinds import AddedToken
from edge_runtime.tokenizer.spec.section import Section, as_list


def read_added_tokens(value: object, vocab: Mapping[str, int], size: int) -> tuple[AddedToken, ...]:
    """Read the value of `added_tokens`.

    The original does not look at the ids in the file: a token of the model's vocabulary keeps the id that it has there,
    others are numbered in the order of the list, from the size of the vocabulary on, be there gaps or not. A file that
    says otherwise is refused, and so is one where that gives an id which the vocabulary has already.

    Args:
        vocab: the ids of the model's pieces.
        size: how many pieces the model has; more than `vocab` if some are listed twice.
    """
    tokens: dict[str, AddedToken] = {}
    next_id = size
    for entry in as_list(value, "added_tokens"):
        token = _added_token(Section(entry, "added token"))
        if token.content in tokens:
            raise UnsupportedTokenizer(f"added token {token.content!r} is listed twice")
        expected = vocab.get(token.content, next_id)
        if token.id != expected:
            raise UnsupportedTokenizer(
                f"added token {token.content!r} has id {token.id}, Hugging Face tokenizers would make it {expected}"
            )
        next_id += token.content not in vocab
        tokens[token.content] = token
    _check_new_ids(range(size, next_id), vocab)
    return tuple(tokens.values())


def _added_token(section: Section) -> AddedToken:
    token = AddedToken(
        content=section.text("content"),
        id=section.number("id"),
        special=section.flag("special"),
        normalized=section.flag("normalized"),
        lstrip=section.flag("lstrip"),
        rstrip=section.flag("rstrip"),
        single_word=section.flag("single_word"),
    )
    section.close()
    if not token.content:
        raise UnsupportedTokenizer("an added token is empty")
    return token


def _check_new_ids(new_ids: range, vocab: Mapping[str, int]) -> None:
    """Refuse ids that tokens outside the vocabulary got, although one of its pieces has them."""
    if new_ids and max(vocab.values(), default=-1) >= new_ids.start:
        for piece, token_id in vocab.items():
            if token_id in new_ids:
                raise UnsupportedTokenizer(f"id {token_id} is that of {piece!r} and of an added token, too")
