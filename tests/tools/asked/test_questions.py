"""What a text model is asked when it is judged: made of plain texts, or the user's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import UsageError
from edgert_tools.asked.questions import FORMS, AskedQuestion, made_questions, read_questions
from edgert_tools.text_tasks import ASKED, TextTaskName

TEXTS = tuple(f"sentence number {number}" for number in range(20))
ROWS: dict[TextTaskName, dict[str, Any]] = {
    "token-classify": {"text": "Ann is in", "entities": [{"start": 0, "end": 3, "label": "PERSON"}]},
    "question-answer": {"question": "who?", "context": "Ann is in", "answer": ["Ann", "ann"]},
    "rerank": {"query": "who?", "documents": ["Ann", "in"], "best": 0},
    "zero-shot": {"text": "Ann is in", "labels": ["here", "away"], "label": "here"},
}
RIGHT = {
    "token-classify": {(0, 3, "PERSON")}, "question-answer": {"Ann", "ann"}, "rerank": {0}, "zero-shot": {"here"},
}  # fmt: skip


def write(file: Path, rows: list[Any]) -> Path:
    file.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    return file


@pytest.mark.parametrize("task", ASKED)
def test_each_text_makes_one_question_that_the_task_can_be_asked(task: TextTaskName) -> None:
    asked = made_questions(task, TEXTS)
    assert len(asked) == len(TEXTS)
    assert all(one.right is None for one in asked)
    assert len({(tuple(one.words.texts), tuple(one.words.pairs)) for one in asked}) == len(TEXTS)
    beside = {"token-classify": (0, 0), "question-answer": (1, 0), "rerank": (4, 0), "zero-shot": (0, 5)}[task]
    assert {(len(one.words.pairs), len(one.words.labels)) for one in asked} == {beside}
    assert asked == made_questions(task, TEXTS)


@pytest.mark.parametrize("task", ASKED)
def test_requests_of_the_task_are_read_with_what_is_right(tmp_path: Path, task: TextTaskName) -> None:
    asked = read_questions(write(tmp_path / "own.jsonl", [ROWS[task]] * 20), task)
    assert len(asked) == 20
    words = asked[0].words
    assert [*words.texts, *words.pairs, *words.labels] == [
        text
        for key, value in ROWS[task].items()
        if key in ("text", "question", "context", "query", "documents", "labels")
        for text in ([value] if isinstance(value, str) else value)
    ]
    assert asked[0].right == RIGHT[task]
    assert asked[0].cut.truncate


@pytest.mark.parametrize("task", ASKED)
def test_what_is_right_counts_only_if_it_is_known_of_all(tmp_path: Path, task: TextTaskName) -> None:
    unknown = {key: value for key, value in ROWS[task].items() if key not in ("entities", "answer", "best", "label")}
    asked = read_questions(write(tmp_path / "own.jsonl", [ROWS[task]] * 19 + [unknown]), task)
    assert {one.right for one in asked} == {None}


def test_plain_texts_make_questions(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("\n".join(TEXTS))
    assert read_questions(tmp_path / "own.txt", "zero-shot") == made_questions("zero-shot", TEXTS)


@pytest.mark.parametrize(
    ("task", "row"),
    [
        ("token-classify", {"text": "Ann", "entities": [{"start": 0, "end": 9, "label": "PERSON"}]}),
        ("token-classify", {"text": " "}),
        ("token-classify", {"text": "Ann", "entities": [{"start": 0, "label": "PERSON"}]}),
        ("question-answer", {"question": "who?"}),
        ("question-answer", {"question": "who?", "context": ""}),
        ("rerank", {"query": "who?", "documents": ["Ann"]}),
        ("rerank", {"query": "who?", "documents": ["Ann", "in"], "best": 2}),
        ("rerank", {"query": "who?", "documents": ["Ann", 3]}),
        ("zero-shot", {"text": "Ann", "labels": ["a", "b"], "label": "c"}),
        ("zero-shot", ["Ann"]),
        ("zero-shot", {"text": "\ud800", "labels": ["a", "b"]}),
    ],
)
def test_a_line_of_another_form_is_named(tmp_path: Path, task: TextTaskName, row: Any) -> None:
    file = write(tmp_path / "own.jsonl", [ROWS[task]] * 3 + [row])
    with pytest.raises(UsageError, match=r"own\.jsonl:4: found") as refused:
        read_questions(file, task)
    assert FORMS[task] in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("own.tsv", "a\tb", "expected .txt or .jsonl"),
        ("own.jsonl", "", "give at least 20"),
        ("own.jsonl", "\x80", "cannot read"),
    ],
)
def test_a_file_that_cannot_be_questions_is_refused(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=words):
        read_questions(tmp_path / name, "rerank")


def test_a_question_is_only_words_and_what_is_right() -> None:
    (asked, *_) = made_questions("token-classify", TEXTS)
    assert asked == AskedQuestion(asked.words)
