"""Everything that a tokenizer gives, ours beside the peer's."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tokenizers import Tokenizer as Peer
from tokenizers import __version__ as peer_version

from edge_runtime.errors import EdgertError
from edge_runtime.tokenizer.encoding import Encoded, Padding, Side, Strategy, Tokenizer, Truncation
from edge_runtime.tokenizer.spec import parse_spec
from edge_runtime.tokenizer.spec.decimal import read_decimal
from edge_runtime.tokenizer.spec.kinds import TokenizerSpec
from tests.edge_runtime.tokenizer.families.components import flag

STRATEGIES: tuple[Strategy, ...] = ("longest_first", "only_first", "only_second")
SIDES: tuple[Side, ...] = ("left", "right")

# Before 0.23 an added token that is looked for in normalized text was decoded as it stands in the file.
_IS_OLD = peer_version.startswith("0.22.")

# The peer gives no answer: it fell over one added token that took all the white space of another along, or it holds
# the stride against the special tokens of a single text although there are pairs.
NO_ANSWER = ""
_CRASH = "AddedVocabulary bad split"


class Row(NamedTuple):
    """One row of a batch, with its padding."""

    ids: list[int]
    mask: list[int]
    type_ids: list[int]
    offsets: list[tuple[int, int]]
    special: list[int]


@dataclass(frozen=True)
class Call:
    """How a batch is encoded: a limit may only be given together with what to do about longer texts."""

    max_tokens: int | None
    truncation: Truncation
    padding: Padding
    special_tokens: bool


def random_call(rng: random.Random, added: int) -> Call:
    """Draw every option; `added` is the number of special tokens that a row may have."""
    room = rng.randint(2, 9)  # with less, one text of a pair may lose all its tokens: refused, but not by the peer
    return Call(
        max_tokens=rng.choice((None, room + added)),
        truncation=Truncation(
            rng.choice(STRATEGIES),
            rng.choice(SIDES),
            stride=rng.randint(0, room - 1) if flag(rng) else 0,
            overflow=True,
        ),
        padding=Padding(multiple_of=rng.choice((1, 1, 4)), side=rng.choice(SIDES)),
        special_tokens=flag(rng, 0.8),
    )


def spec_of(document: dict[str, Any]) -> TokenizerSpec:
    """Read a document as it would be read from a file."""
    return parse_spec(json.loads(json.dumps(document), parse_float=read_decimal))


def peer_of(document: dict[str, Any], parse_special: bool) -> Any:
    """Open a document with the peer, without truncation and padding."""
    peer = Peer.from_str(json.dumps(document))
    peer.no_truncation()
    peer.no_padding()
    peer.encode_special_tokens = not parse_special
    return peer


def rows_of_ours(ours: Tokenizer, call: Call, texts: Sequence[str], pairs: Sequence[str] | None) -> list[Row] | str:
    """Encode with ours; the name of the error if that is refused."""
    try:
        encoded = ours.encode_batch(
            texts,
            call.max_tokens,
            call.truncation,
            pairs=pairs,
            padding=call.padding,
            special_tokens=call.special_tokens,
            offsets=True,
        )
    except EdgertError as error:
        return str(error)
    return list(_rows(encoded))


def _rows(encoded: Encoded) -> Iterator[Row]:
    assert encoded.offsets is not None
    assert encoded.special_tokens_mask is not None
    for row in range(len(encoded.input_ids)):
        yield Row(
            encoded.input_ids[row].tolist(),
            encoded.attention_mask[row].tolist(),
            encoded.token_type_ids[row].tolist(),
            [(start, end) for start, end in encoded.offsets[row].tolist()],
            encoded.special_tokens_mask[row].tolist(),
        )


def rows_of_theirs(
    peer: Any, pad_id: int, call: Call, texts: Sequence[str], pairs: Sequence[str] | None
) -> list[Row] | str:
    """Encode with the peer; what it says if it raises, or NO_ANSWER."""
    multiple = call.padding.multiple_of if call.padding.multiple_of > 1 else None
    peer.enable_padding(direction=call.padding.side, pad_id=pad_id, pad_to_multiple_of=multiple)
    try:
        if call.max_tokens is not None:
            truncation = call.truncation
            peer.enable_truncation(
                call.max_tokens, stride=truncation.stride, strategy=truncation.strategy, direction=truncation.side
            )
        inputs: Sequence[Any] = texts if pairs is None else list(zip(texts, pairs, strict=True))
        encodings = peer.encode_batch(inputs, add_special_tokens=call.special_tokens)
    except ValueError:
        return NO_ANSWER
    except BaseException as error:  # noqa: BLE001  (a panic of the original is not an Exception)
        return _reason(error)
    finally:
        peer.no_padding()
        peer.no_truncation()
    return [_row(part) for encoding in encodings for part in (encoding, *encoding.overflowing)]


def _row(encoding: Any) -> Row:
    return Row(encoding.ids, encoding.attention_mask, encoding.type_ids, encoding.offsets, encoding.special_tokens_mask)


def differing(ours: list[Row] | str, theirs: list[Row] | str) -> list[str]:
    """Name what differs; two refusals are the same, whatever they say."""
    if theirs == NO_ANSWER:
        return []
    if isinstance(ours, str) or isinstance(theirs, str):
        return [] if isinstance(ours, str) and isinstance(theirs, str) else ["refusal"]
    if len(ours) != len(theirs):
        return ["rows"]
    names = Row._fields
    return [name for at, name in enumerate(names) if any(a[at] != b[at] for a, b in zip(ours, theirs, strict=True))]


def shown(ours: list[Row] | str, theirs: list[Row] | str, name: str) -> str:
    """Write the first difference that `differing` names, for people."""
    if isinstance(ours, str) or isinstance(theirs, str) or name not in Row._fields:
        return f"{name}: {str(ours)[:200]}, not {str(theirs)[:200]}"
    at = next(at for at, row in enumerate(ours) if getattr(row, name) != getattr(theirs[at], name))
    return f"{name} of row {at}: {getattr(ours[at], name)}, not {getattr(theirs[at], name)}"


def decoded_by_ours(ours: Tokenizer, ids: Iterable[int], skip_special_tokens: bool) -> str | None:
    """Decode with ours, at once and as a stream; None if that is refused."""
    ids = list(ids)
    try:
        whole = ours.decode(ids, skip_special_tokens)
    except EdgertError:
        return None
    stream = ours.stream(skip_special_tokens)
    assert "".join(stream.step(token_id) for token_id in ids) + stream.finish() == whole
    return whole


def decoded_by_theirs(peer: Any, ids: Sequence[int], skip_special_tokens: bool) -> str | None:
    """Decode with the peer; None if it raises, or if it is too old to write tokens as they were looked for."""
    if _IS_OLD and any(token.normalized for token in peer.get_added_tokens_decoder().values()):
        return None
    try:
        text: str = peer.decode(ids, skip_special_tokens=skip_special_tokens)
    except BaseException as error:  # noqa: BLE001  (a panic of the original is not an Exception)
        _reason(error)
        return None
    return text


def encoding_of(peer: Any, text: str) -> Any:
    """Encode one text with the peer; None if it raises."""
    try:
        return peer.encode(text)
    except BaseException as error:  # noqa: BLE001  (a panic of the original is not an Exception)
        _reason(error)
        return None


def _reason(error: BaseException) -> str:
    """Give the words of an error or a panic of the peer, which has no class of its own for either."""
    if type(error) is Exception or type(error).__name__ == "PanicException":
        return NO_ANSWER if _CRASH in str(error) else str(error)
    raise error
