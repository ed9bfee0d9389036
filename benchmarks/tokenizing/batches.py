"""Batches of documents: ids against the peers, ids with offsets, padded arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.tokenizing import goals, ours
from benchmarks.tokenizing.clock import Call, compare
from benchmarks.tokenizing.hugging_face import MAX_TOKENS, NAME, HuggingFace
from benchmarks.tokenizing.native import NativePeer
from benchmarks.tokenizing.rows import Row
from edge_runtime.tokenizer.encoding import Encoded

BATCH = 256
Result = TypeVar("Result")


@dataclass(frozen=True)
class Subject:
    """What is measured.

    Attributes:
        name, kind: of the tokenizer file.
        path, compiled: the `tokenizer.json`, and our flat file made of it.
        theirs: opened by `tokenizers`.
        repeats: rounds of each measurement.
    """

    name: str
    kind: str
    path: Path
    compiled: Path
    theirs: HuggingFace
    repeats: int

    def fresh(self, use: Callable[[ours.Core], object]) -> Callable[[], Call]:
        """Give what opens our tokenizer anew and gives the call that is timed."""

        def open_one() -> Call:
            tokenizer = ours.opened(self.compiled)
            return lambda: use(tokenizer)

        return open_one


def measure_ids(subject: Subject, corpus: str, texts: Sequence[str], peers: Sequence[NativePeer]) -> list[Row]:
    """One row against `tokenizers`, and one for each native peer in the same rounds."""
    batches = split(texts)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    expected = each(subject.theirs.ids, batches)
    wrong = {peer.name: peer.differing(texts, expected) for peer in peers}
    times = compare(
        lambda: each(subject.theirs.ids, batches),
        subject.fresh(lambda tokenizer: [tokenizer.tokens(batch) for batch in batches]),
        subject.repeats,
        peers={peer.name: peer.call(batches) for peer in peers},
    )
    task, differing = f"batch {corpus}: ids", _differing_ids(subject, batches, expected)
    theirs, warm, cold = (megabytes / seconds for seconds in times.medians())
    goal = goals.BATCH[subject.kind][corpus]
    rows = [Row(subject.name, task, "MB/s", NAME, theirs, warm, cold, goal, differing)]
    for name, seconds in times.peers.items():
        speed = megabytes / float(np.median(seconds))
        goal = goals.of_peer(name, corpus)
        rows.append(Row(subject.name, task, "MB/s", name, speed, warm, cold, goal, differing, wrong[name]))
    return rows


def measure_offsets(subject: Subject, corpus: str, texts: Sequence[str]) -> Row:
    """Ids with the place of every token in its text."""
    batches = split(texts)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    expected = each(subject.theirs.ids_and_offsets, batches)
    times = compare(
        lambda: each(subject.theirs.ids_and_offsets, batches),
        subject.fresh(lambda tokenizer: [_with_offsets(tokenizer, batch) for batch in batches]),
        subject.repeats,
    )
    tokenizer = ours.opened(subject.compiled)
    differing = ours.differing_offsets([_with_offsets(tokenizer, batch) for batch in batches], expected)
    theirs, warm, cold = (megabytes / seconds for seconds in times.medians())
    task = f"batch {corpus}: ids and offsets"
    return Row(subject.name, task, "MB/s", NAME, theirs, warm, cold, goals.OFFSETS, differing)


def measure_padded(subject: Subject, corpus: str, texts: Sequence[str]) -> Row:
    """256 documents to int64 ids, mask and type ids of one shape; theirs by the faster of two ways."""
    batch = list(texts[:BATCH])
    padding = HuggingFace(subject.path).limited()
    padding.peer.enable_padding()
    plain = HuggingFace(subject.path).limited()
    expected = padding.padded_by_them(batch)

    def encode(tokenizer: ours.Core) -> object:
        return tokenizer.encode_batch(batch, MAX_TOKENS, truncate=True)

    repeats = 3 * subject.repeats
    plain.padded_here(batch)
    times = compare(
        lambda: padding.padded_by_them(batch),
        subject.fresh(encode),
        repeats,
        peers={"rows filled here": lambda: plain.padded_here(batch)},
    )
    encoded = ours.opened(subject.compiled).encode_batch(batch, MAX_TOKENS, truncate=True)
    mask = expected[1].astype(bool)
    same = encoded.input_ids.shape == mask.shape and np.array_equal(encoded.attention_mask, expected[1])
    wrong = ((encoded.input_ids != expected[0]) & mask).any(axis=1).sum() if same else len(batch)
    theirs, warm, cold = times.medians(1e3)
    theirs = min(theirs, 1e3 * float(np.median(times.peers["rows filled here"])))
    task = f"{BATCH} documents {corpus}: padded arrays"
    return Row(subject.name, task, "ms", NAME, theirs, warm, cold, goals.PADDED, int(wrong))


def split(texts: Sequence[str]) -> list[list[str]]:
    """The texts in batches of 256."""
    return [list(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]


def each(call: Callable[[Sequence[str]], list[Result]], batches: Sequence[Sequence[str]]) -> list[Result]:
    """The results of all batches in one list."""
    return [result for batch in batches for result in call(batch)]


def _differing_ids(subject: Subject, batches: list[list[str]], expected: list[list[int]]) -> int:
    """Documents with other ids, on the first pass and on the second."""
    tokenizer = ours.opened(subject.compiled)
    passes = [[tokenizer.tokens(batch) for batch in batches] for _ in range(2)]
    return max(ours.differing_ids(tokens, expected) for tokens in passes)


def _with_offsets(tokenizer: ours.Core, batch: Sequence[str]) -> Encoded:
    return tokenizer.encode_batch(batch, special_tokens=False, offsets=True)
