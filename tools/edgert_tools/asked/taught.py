"""Lessons as rows of tokens, and what is to be learnt of each: cut by the board's own tokenizer.

The board's own rule says where words begin, too, so what is trained on is what is asked later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_runtime.models.texts.words import word_starts
from edge_runtime.tokenizer import Encoded, Tokenizer
from edgert_tools.datasets.lessons import AnyLessons, Fact, Marked, Pair
from edgert_tools.text_tasks import TextTaskName

OUTSIDE = "O"
IGNORED = -100  # torch's cross entropy looks over such labels
_PAIR_LABELS = {"rerank": ("irrelevant", "relevant"), "zero-shot": ("not_entailment", "entailment")}

IdArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Taught:
    """A row of tokens and what is right: (tokens,) the number of each one's tag, (1,) that of the row's label, or
    (2,) the first and the last token of the answer.
    """

    ids: IdArray
    types: IdArray
    right: IdArray


def head_labels(task: TextTaskName, lessons: AnyLessons) -> tuple[str, ...]:
    """The labels of a head for the task, in the order of its logits; none for one that marks answers."""
    if task == "token-classify":
        return tags_of_labels(lessons.labels)
    return _PAIR_LABELS.get(task, ())


def tags_of_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """`O`, then `B-` and `I-` of each label."""
    return (OUTSIDE, *(f"{letter}-{label}" for label in labels for letter in "BI"))


def taught_of(lessons: AnyLessons, tokenizer: Tokenizer, most: int) -> list[Taught]:
    """Each lesson of at most so many tokens; longer ones are left out."""
    numbers = {tag: number for number, tag in enumerate(tags_of_labels(lessons.labels))}
    rows = (_taught(one, tokenizer, numbers) for one in lessons.train)
    return [row for row in rows if len(row.ids) <= most]


def _taught(lesson: Marked | Pair | Fact, tokenizer: Tokenizer, numbers: Mapping[str, int]) -> Taught:
    match lesson:
        case Marked():
            encoded = tokenizer.encode_batch([lesson.text], offsets=True)
            right = _tags(lesson, encoded, numbers)
        case Pair():
            encoded = tokenizer.encode_batch([lesson.first], pairs=[lesson.second])
            right = np.array([lesson.holds], np.int64)
        case Fact():
            encoded = tokenizer.encode_batch([lesson.question], pairs=[lesson.context], offsets=True)
            right = _ends(lesson, encoded)
    return Taught(encoded.input_ids[0], encoded.token_type_ids[0], right)


def _tags(row: Marked, encoded: Encoded, numbers: Mapping[str, int]) -> IdArray:
    """The tag of each word's first token; the others are not asked for."""
    offsets, real = _places(encoded)
    spans = offsets[real]
    begins = word_starts(row.text, spans)
    tags = np.full(len(spans), IGNORED, np.int64)
    tags[begins] = numbers[OUTSIDE]
    for span in row.spans:
        inside = begins & (spans[:, 0] < span.end) & (spans[:, 1] > span.start)
        tags[inside] = numbers[f"I-{span.label}"]
        if inside.any():
            tags[int(inside.argmax())] = numbers[f"B-{span.label}"]
    right = np.full(len(real), IGNORED, np.int64)
    right[real] = tags
    return right


def _ends(fact: Fact, encoded: Encoded) -> IdArray:
    """The first and the last token of the answer."""
    offsets, real = _places(encoded)
    of_context = real & (encoded.token_type_ids[0] == 1)
    inside = np.flatnonzero(of_context & (offsets[:, 0] < fact.end) & (offsets[:, 1] > fact.start))
    return inside[[0, -1]].astype(np.int64)


def _places(encoded: Encoded) -> tuple[IdArray, npt.NDArray[np.bool_]]:
    """The one row's characters by token, and which of its tokens are no special ones."""
    assert encoded.offsets is not None  # they were asked for
    assert encoded.special_tokens_mask is not None
    return encoded.offsets[0], encoded.special_tokens_mask[0] == 0
