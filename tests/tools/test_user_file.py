"""The user's own texts, in three forms; a line of another form is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_runtime.errors import UsageError
from edgert_tools.datasets.user_file import LEAST_TEXTS, read_user_file


def test_a_text_a_line(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("\n\n".join(f" text {n} " for n in range(LEAST_TEXTS)), encoding="utf-8")
    assert read_user_file(file) == (tuple(f"text {n}" for n in range(LEAST_TEXTS)), None)


@pytest.mark.parametrize(
    ("name", "line"), [("x.jsonl", '{"text": "grün, ja", "label": "b"}'), ("x.tsv", "grün, ja\tb")]
)
def test_labelled_lines(tmp_path: Path, name: str, line: str) -> None:
    file = tmp_path / name
    file.write_text("\n".join([line] * LEAST_TEXTS), encoding="utf-8")
    texts, labels = read_user_file(file)
    assert texts == ("grün, ja",) * LEAST_TEXTS
    assert labels == ("b",) * LEAST_TEXTS


@pytest.mark.parametrize("name", ["x.jsonl", "x.tsv", "x.txt"])
def test_files_of_windows_are_read_alike(tmp_path: Path, name: str) -> None:
    line = {"x.jsonl": '{"text": "a b", "label": "c"}', "x.tsv": "a b\tc", "x.txt": "a b"}[name]
    file = tmp_path / name
    file.write_bytes(b"\xef\xbb\xbf" + (line + "\r\n\r\n").encode() * LEAST_TEXTS)
    texts, labels = read_user_file(file)
    assert texts == ("a b",) * LEAST_TEXTS
    assert labels == (None if name == "x.txt" else ("c",) * LEAST_TEXTS)


@pytest.mark.parametrize("separator", ["\u2028", "\x85"])
def test_only_a_line_feed_ends_a_line(tmp_path: Path, separator: str) -> None:
    file = tmp_path / "x.jsonl"
    text = f"one{separator}two"
    line = json.dumps({"text": text, "label": "a"}, ensure_ascii=False)
    file.write_text("\n".join([line] * LEAST_TEXTS), encoding="utf-8")
    assert read_user_file(file)[0] == (text,) * LEAST_TEXTS


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.csv", "a,b", "'.csv'"),
        ("x", "a", "'nothing'"),
        ("x.txt", "one\ntwo", "2 texts"),
        ("x.tsv", "fine\tlabel\nno label here", "x.tsv:2"),
        ("x.tsv", "\tlabel", "x.tsv:1"),
        ("x.jsonl", '{"text": "a", "label": "b"}\n{"text": 1, "label": "b"}', "x.jsonl:2"),
        ("x.jsonl", "{", "x.jsonl:1: not JSON"),
        ("x.jsonl", '["a", "b"]', "x.jsonl:1"),
        ("x.jsonl", '{"text": "", "label": "b"}', "x.jsonl:1"),
        ("x.jsonl", '\n\n{"text": "half of a pair \\ud800", "label": "b"}', "x.jsonl:3"),
        ("x.jsonl", "[" * 100_000, "x.jsonl:1: not JSON"),
    ],
)
def test_another_form_is_refused_with_its_line(tmp_path: Path, name: str, content: str, says: str) -> None:
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_user_file(file)
    assert says in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"x\.txt"):
        read_user_file(file)
