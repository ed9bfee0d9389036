"""Reads the `post_processor` of a `tokenizer.json`: one template, and how often offsets are trimmed.

In the original a `Sequence` is a chain. It is read as "trim, then put the special tokens in", and refused where that
is not the same: trimming with `add_prefix_space` treats the first token differently, and after `BertProcessing` or
`RobertaProcessing` the first token is a special one. (`TemplateProcessing` keeps texts and special tokens apart.)

A template has a place for text A, and for pairs one for each text, in any order; with none, or two, texts would vanish
or stand twice, and the file is refused.

Source: `processors/*.rs` and `pre_tokenizers/byte_level.rs` (`process_offsets`) of
https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec.kinds import OffsetTrim, Piece, Template
from edge_runtime.tokenizer.spec.pre_tokenizers import read_byte_level
from edge_runtime.tokenizer.spec.section import (
    SHOWN,
    Section,
    as_list,
    as_number,
    as_object,
    as_text,
    read_chain,
    wrong,
)

_NO_TEMPLATE = Template((Piece("A", (), 0),), (Piece("A", (), 0), Piece("B", (), 1)))


@dataclass(frozen=True)
class _Specials:
    """A template; `joined`: the steps behind it see special tokens and text as one."""

    template: Template
    joined: bool


_Step = OffsetTrim | _Specials


def read_post_processor(value: object) -> tuple[Template, tuple[OffsetTrim, ...]]:
    """Read the value of `post_processor`; null puts nothing around texts and trims nothing."""
    trims: list[OffsetTrim] = []
    specials: _Specials | None = None
    steps = () if value is None else read_chain(value, "post_processor", "processors", _READERS)
    for step in chain.from_iterable(steps):
        if isinstance(step, _Specials):
            if specials is not None:
                raise UnsupportedTokenizer("post_processor Sequence is not supported: it has more than one template")
            specials = step
        elif specials and specials.joined and step.add_prefix_space:
            raise UnsupportedTokenizer(
                "post_processor Sequence is not supported: it trims offsets with add_prefix_space when special tokens "
                "are there already: move ByteLevel to the front"
            )
        else:
            trims.append(step)
    return specials.template if specials else _NO_TEMPLATE, tuple(trims)


def _byte_level(section: Section) -> list[_Step]:
    flags = read_byte_level(section)
    return [OffsetTrim(flags.add_prefix_space)] if flags.trim_offsets else []


def _bert(section: Section) -> list[_Step]:
    cls, sep = _token(section, "cls", 0), _token(section, "sep", 0)
    single = (cls, Piece("A", (), 0), sep)
    return [_Specials(Template(single, (*single, Piece("B", (), 1), Piece(None, sep.ids, 1))), joined=True)]


def _roberta(section: Section) -> list[_Step]:
    cls, sep = _token(section, "cls", 0), _token(section, "sep", 0)
    add_prefix_space = section.flag("add_prefix_space")
    trims = [OffsetTrim(add_prefix_space)] if section.flag("trim_offsets") else []
    single = (cls, Piece("A", (), 0), sep)
    return [*trims, _Specials(Template(single, (*single, sep, Piece("B", (), 0), sep), (0, 0)), joined=True)]


def _token(section: Section, key: str, type_id: int) -> Piece:
    """Take a token and its id; the token's text changes nothing."""
    where = f"{section.where} {key}"
    pair = as_list(section.take(key), where)
    if len(pair) != 2:
        raise UnsupportedTokenizer(f"{where} has {len(pair)} items: edgert expects a token and its id")
    as_text(pair[0], where)
    return Piece(None, (as_number(pair[1], where),), type_id)


def _template(section: Section) -> list[_Step]:
    specials = as_object(section.take("special_tokens"), "special_tokens")
    ids = {name: _special_ids(Section(special, f"special token {name!r}")) for name, special in specials.items()}
    single, pair = (
        tuple(_piece(Section(piece, f"template {key} piece"), ids) for piece in section.items(key))
        for key in ("single", "pair")
    )
    _check_places(single, "single", ["A"])
    _check_places(pair, "pair", ["A", "B"])
    return [_Specials(Template(single, pair), joined=False)]


def _check_places(pieces: tuple[Piece, ...], key: str, expected: list[str]) -> None:
    if sorted(piece.sequence for piece in pieces if piece.sequence) != expected:
        places = " and ".join(expected)
        raise UnsupportedTokenizer(f"template {key} is not supported: edgert expects sequence {places}, once")


def _special_ids(section: Section) -> tuple[int, ...]:
    ids = tuple(as_number(token_id, f"{section.where} id") for token_id in section.items("ids"))
    # Names for people: only the ids are put in.
    section.text("id")
    names = [as_text(name, f"{section.where} token") for name in section.items("tokens")]
    if len(names) != len(ids):
        raise UnsupportedTokenizer(f"{section.where} has {len(ids)} ids, but {len(names)} tokens")
    section.close()
    return ids


def _piece(section: Section, special_ids: Mapping[str, tuple[int, ...]]) -> Piece:
    is_special = section.has("SpecialToken")
    body = Section(section.take("SpecialToken" if is_special else "Sequence"), section.where)
    name, type_id = body.text("id"), body.number("type_id")
    body.close()
    section.close()
    if is_special:
        if name not in special_ids:
            raise UnsupportedTokenizer(f"{section.where} {name[:SHOWN]!r} is not among special_tokens")
        return Piece(None, special_ids[name], type_id)
    if name not in ("A", "B"):
        raise wrong(name, section.where, "sequence A or B")
    return Piece("A" if name == "A" else "B", (), type_id)


_READERS: Mapping[str, Callable[[Section], list[_Step]]] = {
    "TemplateProcessing": _template,
    "BertProcessing": _bert,
    "RobertaProcessing": _roberta,
    "ByteLevel": _byte_level,
}
