"""What one request costs: a command, a paragraph, a token of an answer, a megabyte without a space."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import numpy as np

from benchmarks.corpora.machine_texts import megabytes
from benchmarks.tokenizing import goals, ours
from benchmarks.tokenizing.batches import Subject
from benchmarks.tokenizing.clock import Call, compare
from benchmarks.tokenizing.hugging_face import MAX_TOKENS, NAME, HuggingFace
from benchmarks.tokenizing.rows import NO_GOAL, Goal, Row

COMMAND = "turn off the living room lights and set the thermostat to 21"  # 12 words
PARAGRAPH_WORDS = 200
STREAMED_TOKENS = 2000


def measure_requests(subject: Subject, documents: Sequence[str]) -> list[Row]:
    """A 12-word command and a 200-word paragraph to the arrays that onnxruntime takes.

    Ours is warmed up, as the daemon's is before it serves, and has seen no text. Warm is the same text again, which is
    remembered whole; a further row says what a new text of known words takes.
    """
    paragraph = " ".join(" ".join(documents[10:40]).split()[:PARAGRAPH_WORDS])
    return [
        _request(subject, "12-word command: arrays", COMMAND, goals.COMMAND, 200),
        _request(subject, "12-word command, known words in a new order", COMMAND, NO_GOAL, 200, new=True),
        _request(subject, "200-word paragraph: arrays", paragraph, goals.PARAGRAPH, 20),
        _request(subject, "200-word paragraph, known words in a new order", paragraph, NO_GOAL, 20, new=True),
    ]


def _request(subject: Subject, task: str, text: str, goal: Goal, inner: int, new: bool = False) -> Row:
    theirs = HuggingFace(subject.path).limited()
    expected = theirs.request(text)
    orders = _in_new_orders(text, inner) if new else [text] * inner

    def fresh() -> Call:
        tokenizer = ours.opened(subject.compiled)
        tokenizer.warm_up()
        following = itertools.chain([text], orders).__next__
        return lambda: tokenizer.encode_batch([following()], MAX_TOKENS, truncate=True)

    times = compare(lambda: theirs.request(text), fresh, 5 * subject.repeats, inner)
    encoded = ours.opened(subject.compiled).encode_batch([text], MAX_TOKENS, truncate=True)
    differing = sum(not np.array_equal(own, their) for own, their in zip(encoded[:3], expected, strict=True))
    their_median, warm, cold = times.medians(1e6)
    return Row(subject.name, task, "us", NAME, their_median, warm, cold, goal, int(differing > 0))


def _in_new_orders(text: str, count: int) -> list[str]:
    """Give texts of the same words, none of which is the text itself."""
    words, chance = text.split(), random.Random(0)
    return [" ".join(chance.sample(words, len(words))) for _ in range(count)]


def measure_stream(subject: Subject, documents: Sequence[str]) -> Row:
    """Microseconds to decode one more token of an answer."""
    ids = [token_id for own in subject.theirs.ids(documents[:40]) for token_id in own][:STREAMED_TOKENS]
    theirs = subject.theirs.stream(ids)

    def run(tokenizer: ours.Core) -> str:
        stream = tokenizer.stream()
        return "".join(map(stream.step, ids)) + stream.finish()

    theirs()
    times = compare(theirs, subject.fresh(run), subject.repeats)
    differing = run(ours.opened(subject.compiled)) != subject.theirs.peer.decode(ids)
    their_median, warm, cold = times.medians(1e6 / len(ids))
    task = f"streaming decode of {len(ids)} tokens, each"
    return Row(subject.name, task, "us", NAME, their_median, warm, cold, goals.STREAM_US, int(differing))


def measure_linear(subject: Subject) -> list[Row]:
    """A megabyte that a careless tokenizer takes hours for; ours sees it for the first time."""
    rows = []
    for name, text in megabytes().items():
        expected = subject.theirs.ids([text])
        times = compare(
            lambda text=text: subject.theirs.ids([text]),  # type: ignore[misc]
            subject.fresh(lambda tokenizer, text=text: tokenizer.tokens([text])),  # type: ignore[misc]
            max(1, subject.repeats // 2),
        )
        differing = ours.differing_ids([ours.opened(subject.compiled).tokens([text])], expected)
        their_median, warm, cold = times.medians(1e3)
        rows.append(
            Row(subject.name, f"1 MB of {name}: ids", "ms", NAME, their_median, warm, cold, goals.LINEAR, differing)
        )
    return rows
