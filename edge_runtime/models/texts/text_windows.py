"""A text of any length as rows that fit the graph: windows, each of which repeats the end of the one before it.

So nothing is cut away unsaid, and what stands at the edge of one window has its surroundings in another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.manifest import Limits
from edge_runtime.bundle.text_specs import WindowSpec
from edge_runtime.errors import InputTooLong
from edge_runtime.models.texts.reading import Taken
from edge_runtime.tokenizer import Encoded, Tokenizer, Truncation

Spans = NDArray[np.int64]


@dataclass(frozen=True)
class Window:
    """Where tokens of a text are in one row: `count` columns from `column` on are its tokens from `first` on."""

    column: int
    count: int
    first: int


def windows_of_text(tokenizer: Tokenizer, text: str, limits: Limits, spec: WindowSpec, *, truncate: bool) -> Taken:
    """Cut a text into rows of at most `limits.max_tokens` tokens.

    Args:
        truncate: read only the first `spec.most` windows of a longer text instead of refusing it.

    Raises:
        InputTooLong: the text needs more windows than `spec.most`.
    """
    room = limits.max_tokens - tokenizer.count("")
    stride = _stride(spec, room, limits)
    encoded = tokenizer.encode_batch(
        [text], limits.max_tokens, Truncation("longest_first", stride=stride, overflow=True), offsets=True
    )
    return _at_most(encoded, 0, stride, room, spec, truncate)


def windows_of_context(
    tokenizer: Tokenizer, question: str, context: str, limits: Limits, spec: WindowSpec, *, truncate: bool
) -> Taken:
    """Cut a context into windows, each with the whole question in front; else as `windows_of_text`.

    Raises:
        InputTooLong: the question leaves no room for the context, or the context needs too many windows.
    """
    before = tokenizer.encode_batch([question], special_tokens=False).input_ids.shape[1]
    room = limits.max_tokens - before - tokenizer.encode_batch([""], pairs=[""]).input_ids.shape[1]
    stride = _stride(spec, room, limits)
    cut = Truncation("only_second", stride=stride, overflow=True)
    encoded = tokenizer.encode_batch([question], limits.max_tokens, cut, pairs=[context], offsets=True)
    return _at_most(encoded, before, stride, room, spec, truncate)


def places_of(taken: Taken) -> tuple[list[Window], Spans]:
    """Where the windows lie in their text, and the characters of each of the text's tokens, (tokens, 2)."""
    encoded = taken.encoded
    assert encoded.offsets is not None and encoded.special_tokens_mask is not None  # noqa: PT018  # asked for above
    windows: list[Window] = []
    spans: list[Spans] = []
    first = 0
    for row, special in enumerate(encoded.special_tokens_mask):
        columns = np.flatnonzero(special == 0)[taken.before :]
        known = taken.stride if row else 0
        first = first - known if row else 0
        column = int(columns[0]) if len(columns) else 0
        windows.append(Window(column, len(columns), first))
        spans.append(encoded.offsets[row, columns[known:]])
        first += len(columns)
    return windows, np.concatenate(spans) if spans else np.zeros((0, 2), np.int64)


def of_whole_text(windows: Sequence[Window], values: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """One value a token of the text, each from the window where it has most text around it.

    Args:
        windows: as `places_of` gives them.
        values: for each window, (columns, ...) of its row.

    Returns:
        (tokens, ...). Of tokens that two windows share, each window gives the half that is farther from its edge.
    """
    parts, start = [], 0
    for number, (window, columns) in enumerate(zip(windows, values, strict=True)):
        end = window.first + window.count
        if number + 1 < len(windows):
            shared = end - windows[number + 1].first
            end -= shared - shared // 2
        at = window.column - window.first
        parts.append(columns[at + start : at + end])
        start = end
    return np.concatenate(parts)


def _stride(spec: WindowSpec, room: int, limits: Limits) -> int:
    """Tokens to repeat, never more than half of a window's room for text."""
    if room < 1:
        raise InputTooLong(limits.max_tokens - room + 1, limits.max_tokens)
    return min(spec.stride, room // 2)


def _at_most(encoded: Encoded, before: int, stride: int, room: int, spec: WindowSpec, truncate: bool) -> Taken:
    rows = len(encoded.input_ids)
    if rows <= spec.most:
        return Taken(encoded, before, stride)
    most = room + (spec.most - 1) * (room - stride)
    if not truncate:
        assert encoded.special_tokens_mask is not None
        last = int((encoded.special_tokens_mask[-1] == 0).sum()) - before
        raise InputTooLong((rows - 1) * (room - stride) + last, most)
    kept: dict[str, Any] = {
        name: array[: spec.most] for name, array in encoded._asdict().items() if isinstance(array, np.ndarray)
    }
    return Taken(encoded._replace(**kept), before, stride, truncated=True)
