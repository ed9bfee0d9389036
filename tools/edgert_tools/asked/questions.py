"""What a text model is asked when it is judged: a data set's questions, the user's own, or some made of plain texts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.bundle.manifest import sha256_of
from edge_runtime.errors import UsageError
from edge_runtime.model import PlainAsked
from edge_runtime.tokenizer.unicode import LONE_SURROGATE
from edgert_tools.datasets.lessons import NO_LESSONS, AnyLessons, Choice, Fact, Marked
from edgert_tools.datasets.named import LESSONS, draw_lessons
from edgert_tools.datasets.reviews import MEGABYTES, product_reviews
from edgert_tools.datasets.reviews import PACKAGE as REVIEWS
from edgert_tools.datasets.user_file import LEAST_TEXTS, read_user_file
from edgert_tools.progress import Say
from edgert_tools.recipe import Recipe
from edgert_tools.text_tasks import TextTaskName

_SENTENCES = 6  # of a made context
_DOCUMENTS = 4  # of a made ranking
_ASKED = (
    "What is it about?", "What is good about it?", "What is wrong with it?", "How much does it cost?", "Who uses it?",
    "How long does it last?", "What does it come with?", "Would they buy it again?",
)  # fmt: skip
_CHOICES = ("praise", "a complaint", "the price", "the delivery", "how it is used")
FORMS: dict[TextTaskName, str] = {
    "token-classify": '{"text": "...", "entities": [{"start": 0, "end": 4, "label": "..."}]}',
    "question-answer": '{"question": "...", "context": "...", "answer": "..."}',
    "rerank": '{"query": "...", "documents": ["...", "..."], "best": 0}',
    "zero-shot": '{"text": "...", "labels": ["...", "..."], "label": "..."}',
}


@dataclass(frozen=True)
class AskedQuestion:
    """What is asked and, if it is known, what is right.

    `right` holds (start, end, label) of each entity; the answers that count; the number of the best document; the
    label.
    """

    words: PlainAsked
    right: frozenset[Any] | None = None

    @property
    def cut(self) -> PlainAsked:
        """The same question, to be cut where it is too long."""
        return dataclasses.replace(self.words, truncate=True)

    @property
    def characters(self) -> int:
        """Of all its texts together."""
        return sum(map(len, (*self.words.texts, *self.words.pairs, *self.words.labels)))


@dataclass(frozen=True)
class Questions:
    """Questions to judge on, where they are from, and what to train on, if anything."""

    asked: tuple[AskedQuestion, ...]
    description: str
    lessons: AnyLessons = NO_LESSONS

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text in them, once: what the tokenizer is compared on."""
        words = [text for one in self.asked for text in (*one.words.texts, *one.words.pairs, *one.words.labels)]
        return tuple(dict.fromkeys(words))


def load_questions(recipe: Recipe, data: Path | None, say: Say) -> Questions:
    """The recipe's questions; a user's file takes the place of those to judge on.

    Raises:
        SourceUnavailable: a data set cannot be had.
        UsageError: the user's file cannot be read as questions of this task.
    """
    lessons, asked, description = NO_LESSONS, tuple[AskedQuestion, ...](), ""
    if recipe.tune is not None:
        lessons = draw_lessons(recipe.tune)
        asked = tuple(asked_of(one, recipe.task) for one in lessons.held_back)
        description = f"{LESSONS[recipe.tune.data].held_back}, seed {recipe.tune.seed}"
    if data is not None:
        asked = read_questions(data, recipe.task)
        description = f"{data.name} (sha256 {sha256_of(data)[:12]})"
    if not asked:
        say(
            f"asking about product reviews of {REVIEWS.requirement} ({MEGABYTES} MB download, kept); --data gives yours"
        )
        asked = made_questions(recipe.task, product_reviews(recipe.evaluate.count))
        description = f"questions about product reviews in {REVIEWS.requirement}"
    return Questions(asked, description, lessons)


def made_questions(task: TextTaskName, texts: Sequence[str]) -> tuple[AskedQuestion, ...]:
    """A question for each text, so that the answers of two models can be compared; nobody knows which is right."""

    def beside(index: int, count: int) -> list[str]:
        return [texts[(index + more) % len(texts)] for more in range(1, count + 1)]

    makers: Mapping[str, Callable[[int, str], PlainAsked]] = {
        "token-classify": lambda index, text: PlainAsked(texts=[text]),
        "question-answer": lambda index, text: PlainAsked(
            texts=[_ASKED[index % len(_ASKED)]], pairs=[" ".join([text, *beside(index, _SENTENCES - 1)])]
        ),
        "rerank": lambda index, text: PlainAsked(texts=[text], pairs=beside(index, _DOCUMENTS)),
        "zero-shot": lambda index, text: PlainAsked(texts=[text], labels=_CHOICES),
    }
    return tuple(AskedQuestion(makers[task](index, text)) for index, text in enumerate(texts))


def read_questions(file: Path, task: TextTaskName) -> tuple[AskedQuestion, ...]:
    """The user's own: .txt, a text a line, of which questions are made; or .jsonl, a request of the task a line.

    Raises:
        UsageError: unknown ending, not UTF-8, a line of another form, too few.
    """
    if file.suffix == ".txt":
        return made_questions(task, read_user_file(file)[0])
    if file.suffix != ".jsonl":
        raise UsageError(
            f"data file {file.name} ends in {file.suffix or 'nothing'!r}, expected .txt or .jsonl for {task}"
        )
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read data file {file.name}: {error}") from error
    rows = [_line(line, task, f"{file.name}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    if len(rows) < LEAST_TEXTS:
        raise UsageError(f"data file {file.name} has {len(rows)} questions, give at least {LEAST_TEXTS}")
    if any(row.right is None for row in rows):  # a score of some questions would be taken for one of all
        rows = [AskedQuestion(row.words) for row in rows]
    return tuple(rows)


def _line(line: str, task: TextTaskName, where: str) -> AskedQuestion:
    try:
        asked = _READERS[task](json.loads(line))
        words = asked.words
        for text in (*words.texts, *words.pairs, *words.labels):
            if not isinstance(text, str) or not text.strip() or LONE_SURROGATE.search(text):
                raise ValueError("a text is empty, or none, or holds half a character")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{where}: found {line[:60]!r}, expected {FORMS[task]}: {error}") from error
    return asked


def _entities(row: dict[str, Any]) -> AskedQuestion:
    right = None
    if "entities" in row:
        right = frozenset((int(one["start"]), int(one["end"]), str(one["label"])) for one in row["entities"])
        if any(not 0 <= start < end <= len(row["text"]) for start, end, _ in right):
            raise ValueError("an entity is outside the text")
    return AskedQuestion(PlainAsked(texts=[row["text"]]), right)


def _answer(row: dict[str, Any]) -> AskedQuestion:
    answers = row.get("answer")
    answers = [answers] if isinstance(answers, str) else answers
    right = None if answers is None else frozenset(map(str, answers))
    return AskedQuestion(PlainAsked(texts=[row["question"]], pairs=[row["context"]]), right)


def _ranking(row: dict[str, Any]) -> AskedQuestion:
    documents, best = list(row["documents"]), row.get("best")
    if len(documents) < 2 or (best is not None and best not in range(len(documents))):
        raise ValueError("there must be two documents or more, and the best one of them")
    return AskedQuestion(PlainAsked(texts=[row["query"]], pairs=documents), None if best is None else frozenset([best]))


def _choice(row: dict[str, Any]) -> AskedQuestion:
    labels, right = list(row["labels"]), row.get("label")
    if len(labels) < 2 or (right is not None and right not in labels):
        raise ValueError("there must be two labels or more, and the right one of them")
    return AskedQuestion(PlainAsked(texts=[row["text"]], labels=labels), None if right is None else frozenset([right]))


_READERS: Mapping[str, Callable[[dict[str, Any]], AskedQuestion]] = {
    "token-classify": _entities, "question-answer": _answer, "rerank": _ranking, "zero-shot": _choice,
}  # fmt: skip


def asked_of(one: Marked | Choice | Fact, task: TextTaskName) -> AskedQuestion:
    """What is held back as a question of the task, with what is right."""
    match one:
        case Marked():
            right = frozenset[Any]((span.start, span.end, span.label) for span in one.spans)
            return AskedQuestion(PlainAsked(texts=[one.text]), right)
        case Fact():
            return AskedQuestion(PlainAsked(texts=[one.question], pairs=[one.context]), frozenset([one.answer]))
        case Choice() if task == "rerank":
            return AskedQuestion(PlainAsked(texts=[one.text], pairs=one.options), frozenset([one.right]))
        case Choice():
            words = PlainAsked(texts=[one.text], labels=one.options)
            return AskedQuestion(words, frozenset([one.options[one.right]]))
