"""edgert's tokenizer and Hugging Face's of one file, side by side: on which texts do they differ, and in what?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.tokenizer import Tokenizer, open_tokenizer
from edge_runtime.tokenizer.encoding import Encoded, Truncation

_CUT_TO, _STRIDE = 24, 3

Row = dict[str, object]


@dataclass(frozen=True)
class Difference:
    """A text on which the two differ, and how."""

    text: str
    found: object
    expected: object


def both_sides(tokenizer_file: Path, opened: Path) -> tuple[Sides, Sides]:
    """Give both tokenizers with special tokens that are written in a text as plain text, and as control tokens.

    `opened` is the file that edgert opens, `tokenizer_file` the one that Hugging Face's package does.
    """
    from tokenizers import Tokenizer as Reference

    reference = Reference.from_file(str(tokenizer_file))
    reference.no_padding()
    reference.no_truncation()
    plain, control = (open_tokenizer(opened, parse_special) for parse_special in (False, True))
    return Sides(plain, reference, False), Sides(control, reference, True)


class Sides:
    """edgert's tokenizer and Hugging Face's of one file, set to the same treatment of written special tokens."""

    def __init__(self, board: Tokenizer, reference: Any, parse_special: bool) -> None:
        self.board, self._reference, self._parse_special = board, reference, parse_special

    @property
    def reference(self) -> Any:
        """Hugging Face's tokenizer, which is shared, set right."""
        self._reference.encode_special_tokens = not self._parse_special
        return self._reference

    def batches(self, texts: Sequence[str]) -> Iterator[Difference]:
        """Compare whole rows."""
        encoded = self.board.encode_batch(texts, offsets=True)
        expected = [[_expected(encoding)] for encoding in self.reference.encode_batch(texts)]
        yield from _different(texts, _rows(encoded, self.board.pad_id, texts), expected)

    def alone(self, texts: Sequence[str]) -> Iterator[Difference]:
        """Compare the ids of single texts, and their number."""
        for text, encoding in zip(texts, self.reference.encode_batch(texts), strict=True):
            found = self.board.encode(text)
            if found != encoding.ids or self.board.count(text) != len(encoding.ids):
                yield Difference(text, found, encoding.ids)

    def cut(self, texts: Sequence[str]) -> Iterator[Difference]:
        """Compare texts that are cut at their end, and whether they were."""
        encoded = self.board.encode_batch(texts, _CUT_TO, truncate=True, offsets=True)
        with _Truncated(self.reference, Truncation()):
            encodings = self.reference.encode_batch(texts)
        rows = _rows(encoded, self.board.pad_id, texts)
        for (row,), truncated in zip(rows, encoded.truncated, strict=True):
            row["truncated"] = truncated
        expected = [[_expected(encoding) | {"truncated": bool(encoding.overflowing)}] for encoding in encodings]
        yield from _different(texts, rows, expected)

    def cut_with_overflow(self, texts: Sequence[str]) -> Iterator[Difference]:
        """Compare texts that are cut from the left, with all that is left over."""
        how = Truncation("longest_first", "left", _STRIDE, overflow=True)
        encoded = self.board.encode_batch(texts, _CUT_TO, how, offsets=True)
        with _Truncated(self.reference, how):
            expected = [_with_overflow(encoding) for encoding in self.reference.encode_batch(texts)]
        yield from _different(texts, _rows(encoded, self.board.pad_id, texts), expected)

    def cut_pairs(self, texts: Sequence[str]) -> Iterator[Difference]:
        """Compare each text with its reverse as a pair, with all that is left over."""
        how = Truncation("longest_first", "right", _STRIDE, overflow=True)
        pairs = [text[::-1] for text in texts]
        encoded = self.board.encode_batch(texts, _CUT_TO, how, pairs=pairs, offsets=True)
        with _Truncated(self.reference, how):
            both = self.reference.encode_batch(list(zip(texts, pairs, strict=True)))
        expected = [_with_overflow(encoding) for encoding in both]
        yield from _different(texts, _rows(encoded, self.board.pad_id, texts), expected)

    def decoded(self, texts: Sequence[str]) -> Iterator[Difference]:
        """Compare the text that each text's ids give, at once and id by id."""
        for text, encoding in zip(texts, self.reference.encode_batch(texts), strict=True):
            for skip in (True, False):
                expected = self.reference.decode(encoding.ids, skip_special_tokens=skip)
                whole, streamed = self.board.decode(encoding.ids, skip), self._streamed(encoding.ids, skip)
                if (whole, streamed) != (expected, expected):
                    yield Difference(text, whole if whole != expected else streamed, expected)
                    break

    def _streamed(self, ids: Sequence[int], skip_special_tokens: bool) -> str:
        stream = self.board.stream(skip_special_tokens)
        return "".join([*(stream.step(token_id) for token_id in ids), stream.finish()])


class _Truncated:
    """Hugging Face's tokenizer with truncation, as long as this context lasts."""

    def __init__(self, reference: Any, how: Truncation) -> None:
        self._reference, self._how = reference, how

    def __enter__(self) -> None:
        self._reference.enable_truncation(
            _CUT_TO, stride=self._how.stride, strategy=self._how.strategy, direction=self._how.side
        )

    def __exit__(self, *error: object) -> None:
        self._reference.no_truncation()


def _rows(encoded: Encoded, pad_id: int, texts: Sequence[str]) -> list[list[Row]]:
    """The rows of each text, without padding; padding that is not what it should be is left in."""
    assert encoded.offsets is not None
    assert encoded.special_tokens_mask is not None
    rows: list[list[Row]] = [[] for _ in texts]
    for row in range(len(encoded.input_ids)):
        mask = encoded.attention_mask[row]
        length = int(mask.sum())
        if not mask[:length].all() or (encoded.input_ids[row, length:] != pad_id).any():
            length = len(mask)
        rows[row if encoded.texts is None else encoded.texts[row]].append(
            {
                "ids": encoded.input_ids[row, :length].tolist(),
                "attention mask": mask[:length].tolist(),
                "type ids": encoded.token_type_ids[row, :length].tolist(),
                "special tokens mask": encoded.special_tokens_mask[row, :length].tolist(),
                "offsets": [tuple(pair) for pair in encoded.offsets[row, :length].tolist()],
            }
        )
    return rows


def _expected(encoding: Any) -> Row:
    return {
        "ids": encoding.ids,
        "attention mask": encoding.attention_mask,
        "type ids": encoding.type_ids,
        "special tokens mask": encoding.special_tokens_mask,
        "offsets": encoding.offsets,
    }


def _with_overflow(encoding: Any) -> list[Row]:
    return [_expected(part) for part in (encoding, *encoding.overflowing)]


def _different(
    texts: Sequence[str], found: Sequence[Sequence[Row]], expected: Sequence[Sequence[Row]]
) -> Iterator[Difference]:
    """Each text whose rows differ, with the first thing in them that does."""
    for text, rows, right in zip(texts, found, expected, strict=True):
        if len(rows) != len(right):
            yield Difference(text, f"{len(rows)} rows", f"{len(right)} rows")
            continue
        for row, wanted in zip(rows, right, strict=True):
            key = next((name for name in wanted if row[name] != wanted[name]), None)
            if key is not None:
                yield Difference(text, f"{key} {row[key]}", f"{key} {wanted[key]}")
                break
