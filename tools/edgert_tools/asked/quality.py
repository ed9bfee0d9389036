"""float32 against int8 on questions: how often the answers are the same, and how often each is right."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.model import Answer, Model
from edgert_tools.asked.questions import AskedQuestion
from edgert_tools.evaluate import AnswerQuality, LabelScore, Share, by_length, wilson
from edgert_tools.text_tasks import TextTaskName

_RESAMPLES = 1000
SAME = {"token-classify": "entities", "question-answer": "answer", "rerank": "order", "zero-shot": "label"}
MEASURES = {
    "token-classify": "F1", "question-answer": "exact match", "rerank": "best first", "zero-shot": "accuracy",
}  # fmt: skip

Counts = npt.NDArray[np.int64]  # (questions, 3): found and right, found and wrong, right and not found


@dataclass(frozen=True)
class Answered:
    """One model's answers, as what can be compared, and which questions had to be cut."""

    marks: tuple[frozenset[Any], ...]
    cut: tuple[bool, ...]


def answers_of(model: Model, task: TextTaskName, asked: Sequence[AskedQuestion], label: str) -> Answered:
    """Ask a model every question, one at a time, cutting what is too long.

    Args:
        label: for the progress bar, which shows on a terminal only.
    """
    from tqdm import tqdm

    marks, cut = [], []
    for one in tqdm(asked, desc=label, unit="question", leave=False, disable=None):
        answer = model.answer([one.cut]).answers[0]
        marks.append(marks_of(task, answer))
        cut.append(any(answer.truncated))
    return Answered(tuple(marks), tuple(cut))


def marks_of(task: TextTaskName, answer: Answer) -> frozenset[Any]:
    """What an answer says, without its scores.

    (start, end, label) of each entity; the answer's (start, end, text); every two documents in their order; the label.
    """
    row: Mapping[str, Any] = answer.rows()[0]
    if task == "token-classify":
        return frozenset((one["start"], one["end"], one["label"]) for one in row["entities"])
    if task == "question-answer":
        return frozenset([(row["start"], row["end"], row["answer"])])
    if task == "rerank":
        return frozenset(itertools.combinations([one["index"] for one in row["results"]], 2))
    return frozenset([row["label"]])


def compare_answers(
    task: TextTaskName, asked: Sequence[AskedQuestion], original: Answered, quantized: Answered
) -> AnswerQuality:
    """Both models' answers to the same questions."""
    pairs = list(zip(original.marks, quantized.marks, strict=True))
    if task == "rerank":  # of all pairs of documents, those in the same order
        alike = [len(a & b) / len(a) if a else 1.0 for a, b in pairs]
        agreement = wilson(sum(len(a & b) for a, b in pairs), sum(map(len, original.marks)))
    else:
        alike = [float(a == b) for a, b in pairs]
        agreement = wilson(round(sum(alike)), len(asked))
    lengths = by_length(np.array(alike), [one.characters for one in asked])
    if any(one.right is None for one in asked):
        return AnswerQuality(len(asked), sum(quantized.cut), SAME[task], agreement, by_length=lengths)
    counts = [_counts(task, asked, answered.marks) for answered in (original, quantized)]
    before, after = (_score(each) for each in counts)
    return AnswerQuality(
        texts=len(asked),
        truncated=sum(quantized.cut),
        same=SAME[task],
        agreement=agreement,
        measure=MEASURES[task],
        float_accuracy=before,
        int8_accuracy=after,
        accuracy_drop_points=100 * (before.value - after.value),
        by_label=_by_label(asked, original, quantized) if task == "token-classify" else (),
        by_length=lengths,
    )


def _counts(task: TextTaskName, asked: Sequence[AskedQuestion], marks: Sequence[frozenset[Any]]) -> Counts:
    rows = []
    for one, said in zip(asked, marks, strict=True):
        right = one.right or frozenset()
        if task == "token-classify":
            rows.append((len(said & right), len(said - right), len(right - said)))
        else:
            hit = _is_right(task, said, right, len(one.words.pairs))
            rows.append((int(hit), int(not hit), int(not hit)))
    return np.array(rows, np.int64)


def _is_right(task: TextTaskName, said: frozenset[Any], right: frozenset[Any], documents: int) -> bool:
    if task == "question-answer":
        return bool({_plain(text) for _, _, text in said} & set(map(_plain, right)))
    if task == "rerank":
        (best,) = right
        return len([first for first, _ in said if first == best]) == documents - 1
    return said == right


def _plain(text: str) -> str:
    """Letters and digits alone, in lower case: as SQuAD's own measure compares answers, but for its articles."""
    return " ".join("".join(char if char.isalnum() else " " for char in text.lower()).split())


def _score(counts: Counts) -> Share:
    """F1 over all, with the 95 % interval of resampled questions; where each is right or wrong, that is the share.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentile interval).
    """
    rng = np.random.default_rng(0)
    samples = [_f1(counts[rng.integers(0, len(counts), len(counts))].sum(axis=0)) for _ in range(_RESAMPLES)]
    low, high = np.percentile(samples, [2.5, 97.5])
    return Share(_f1(counts.sum(axis=0)), float(low), float(high))


def _f1(counts: Counts) -> float:
    both, wrong, missed = counts.tolist()
    return 2 * both / (2 * both + wrong + missed) if both + wrong + missed else 1.0


def _by_label(asked: Sequence[AskedQuestion], original: Answered, quantized: Answered) -> tuple[LabelScore, ...]:
    wanted = [one.right or frozenset() for one in asked]
    often = Counter(label for right in wanted for _, _, label in right)
    return tuple(
        LabelScore(label, count, *(_label_f1(label, wanted, answered.marks) for answered in (original, quantized)))
        for label, count in sorted(often.items())
    )


def _label_f1(label: str, wanted: Sequence[frozenset[Any]], marks: Sequence[frozenset[Any]]) -> float:
    counts = np.zeros(3, np.int64)
    for right, said in zip(wanted, marks, strict=True):
        ours, theirs = ({one for one in some if one[2] == label} for some in (said, right))
        counts += (len(ours & theirs), len(ours - theirs), len(theirs - ours))
    return _f1(counts)
