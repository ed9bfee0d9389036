"""JSON log lines: one object a line, whatever is logged."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from edge_runtime.observing.log_lines import MOST_CHARS, JsonLines, line_format


def record(message: object, *args: Any, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("edgert.service", logging.INFO, "service.py", 7, message, args, None)
    made.created = 1_700_000_000.1239
    for name, value in extra.items():
        setattr(made, name, value)
    return made


def line(made: logging.LogRecord) -> dict[str, Any]:
    text = JsonLines().format(made)
    assert text.isascii()
    assert "\n" not in text
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def test_a_line_has_time_level_logger_and_message() -> None:
    assert line(record("model %s in %d ms", "intents", 3)) == {
        "ts": "2023-11-14T22:13:20.123Z",
        "level": "info",
        "logger": "edgert.service",
        "message": "model intents in 3 ms",
    }


def test_a_line_carries_the_request_that_it_is_about_and_nothing_that_is_not_agreed() -> None:
    found = line(record("refused", request_id="7", model="intents", user="hub/panel", status=429, secret="x"))
    about = {"request_id": "7", "model": "intents", "user": "hub/panel", "status": 429}
    assert {name: found[name] for name in found if name not in ("ts", "level", "logger", "message")} == about


@pytest.mark.parametrize("text", ["a\nb", 'say "x"', "\x00\x1b[2J", "\ud800", "\u2028", "日本", "{}%s"])
def test_any_text_is_one_line_and_comes_back(text: str) -> None:
    assert line(record(text))["message"] == text
    assert line(record("%s", text))["message"] == text


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_a_record_that_cannot_be_put_together_is_written_all_the_same() -> None:
    assert "%d" in line(record("%d", "no number"))["message"]
    assert "RuntimeError" in line(record("%s", Hostile()))["message"]
    assert line(record("x", model=Hostile()))["model"] == "(RuntimeError)"


def test_exceptions_are_text_in_the_line() -> None:
    made = record("failed")
    try:
        raise ValueError("a\nb")
    except ValueError:
        made.exc_info = sys.exc_info()
    assert "ValueError: a\nb" in line(made)["exception"]


def test_a_huge_message_is_cut_in_the_middle() -> None:
    message = line(record("a" + "x" * 1_000_000 + "z"))["message"]
    assert len(message) < MOST_CHARS + 100
    assert (message[0], message[-1]) == ("a", "z")


def test_text_lines_stay_as_they_were() -> None:
    assert line_format("text").format(record("hello")).endswith(" I edgert.service: hello")
    assert isinstance(line_format("json"), JsonLines)
