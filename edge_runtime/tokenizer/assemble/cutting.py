"""How many tokens each text may keep, and the parts that a longer text falls into.

Source: `utils/truncation.rs` and `Encoding::truncate` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

import numpy as np

from edge_runtime.errors import BadRequest, InputTooLong
from edge_runtime.tokenizer.encoding import IdArray, Side, Truncation


def kept_lengths(
    firsts: IdArray, seconds: IdArray | None, added: int, max_tokens: int | None, truncation: Truncation
) -> tuple[IdArray, IdArray | None]:
    """Say how many tokens of each text, and of the second text of each pair, one row may hold.

    Args:
        firsts, seconds: (texts,), the tokens of each text; `seconds` is None where there are no pairs.
        added: the special tokens of a row.
        max_tokens: the most tokens of a row, special ones included; None for no limit.

    Returns:
        Two arrays (texts,), never more than `firsts` and `seconds`.

    Raises:
        InputTooLong: a row is too long and may not be cut, or not enough of it may.
    """
    if max_tokens is None:
        return firsts, seconds
    room = max_tokens - added
    if room < 0:
        raise InputTooLong(added, max_tokens)
    totals = firsts if seconds is None else firsts + seconds
    excess = np.maximum(totals - room, 0)
    if not excess.any():
        return firsts, seconds
    if truncation.strategy == "refuse":
        raise InputTooLong(int(totals[excess.argmax()]) + added, max_tokens)
    if room == 0:
        return np.zeros_like(firsts), None if seconds is None else np.zeros_like(seconds)
    if truncation.strategy == "longest_first":
        return _longest_first(firsts, seconds, room)
    target = firsts if truncation.strategy == "only_first" else seconds
    impossible = excess >= (1 if target is None else np.maximum(target, 1))  # the text to cut must keep a token
    if target is None or impossible.any():
        raise InputTooLong(int(totals[impossible.argmax()]) + added, max_tokens)
    left = target - excess
    return (left, seconds) if truncation.strategy == "only_first" else (firsts, left)


def _longest_first(firsts: IdArray, seconds: IdArray | None, room: int) -> tuple[IdArray, IdArray | None]:
    """Shorten the longer text until the row fits; once both are equally long, both."""
    if seconds is None:
        return np.minimum(firsts, room), None
    shorter = np.minimum(firsts, seconds)
    halved = 2 * shorter > room
    small = np.where(halved, room // 2, shorter)
    large = np.where(halved, room - room // 2, room - shorter)
    first_is_longer = firsts > seconds
    fits = firsts + seconds <= room
    kept_first = np.where(first_is_longer, large, small)
    kept_second = np.where(first_is_longer, small, large)
    return np.where(fits, firsts, kept_first), np.where(fits, seconds, kept_second)


class Parts:
    """The parts that texts fall into when each may keep so many tokens in a row.

    Args:
        lengths: (texts,), the tokens of each text.
        kept: (texts,), the tokens that a part may have.
        truncation: the side that is cut off; with `overflow` there are as many parts as the text needs, each beginning
            with the last `stride` tokens of the part before it (on the left side: ending with its first ones).

    Raises:
        BadRequest: the stride is not smaller than a part.
        InputTooLong: a part may not have a single token, so that no number of parts holds the text.
    """

    def __init__(self, lengths: IdArray, kept: IdArray, truncation: Truncation, max_tokens: int | None) -> None:
        self._lengths, self._kept = lengths, kept
        self._side: Side = truncation.side
        self._step = kept
        self.counts = np.ones_like(lengths)
        cut = np.flatnonzero(kept < lengths)
        if truncation.overflow and len(cut):
            least = int(kept[cut].min())
            if least == 0:
                raise InputTooLong(int(lengths[cut].max()), max_tokens or 0)
            check_stride(truncation, least)
            self._step = kept - truncation.stride
            excess = lengths[cut] - kept[cut]
            self.counts[cut] += -(-excess // self._step[cut])

    def bounds(self, texts: IdArray, parts: IdArray) -> tuple[IdArray, IdArray]:
        """Give the first token and the number of tokens of part `parts[i]` of text `texts[i]`."""
        lengths, kept = self._lengths[texts], self._kept[texts]
        moved = parts * self._step[texts]
        if self._side == "right":
            return moved, np.minimum(kept, lengths - moved)
        ends = lengths - moved
        starts = np.maximum(ends - kept, 0)
        return starts, ends - starts


def check_stride(truncation: Truncation, room: int) -> None:
    """Raise BadRequest if parts of `room` tokens cannot overlap by the stride."""
    if truncation.stride < 0 or truncation.stride >= room:
        raise BadRequest(
            f"stride is {truncation.stride}, but a part has {room} tokens of its text: it must be from 0 to {room - 1}"
        )


def combinations(texts: int, part_counts: list[IdArray]) -> tuple[IdArray, list[IdArray]]:
    """Give the rows that texts with overflow make: every part of each with every part of the others.

    Args:
        texts: how many texts there are.
        part_counts: for each place of a template where a text goes, (texts,), the number of its parts.

    Returns:
        (rows,), the index of each row's text; and for each place (rows,), the part that stands there. The first row of
        each text has all first parts. The others follow in the order in which Hugging Face merges them.
    """
    totals = [np.ones(texts, np.int64)]
    for counts in part_counts:
        totals.append(totals[-1] * counts)
    rows = totals[-1]
    owners = np.repeat(np.arange(texts), rows)
    number = np.arange(len(owners)) - np.repeat(np.cumsum(rows) - rows, rows)
    parts: list[IdArray] = []
    for counts, before in zip(part_counts[::-1], totals[-2::-1], strict=True):
        # Rows so far without their first one, each with every part here; then the first one with the further parts.
        count = counts[owners]
        further = (before[owners] - 1) * count
        merged = (number >= 1) & (number <= further)
        parts.append(np.where(number == 0, 0, np.where(merged, (number - 1) % count, number - further)))
        number = np.where(merged, (number - 1) // count + 1, 0)
    return owners, parts[::-1]


def ragged(starts: IdArray, sizes: IdArray) -> IdArray:
    """Give the numbers start, start + 1, ... of each run, `size` of them, run after run."""
    return np.repeat(starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
