"""Values and texts come out of payloads as they are written there; what cannot be read is no sample."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.rules.paths import as_number, as_text, look_up, parse_path
from edge_runtime.rules.reading import Payload, Reader
from edge_runtime.rules.rule import Rule
from edge_runtime.rules.template import Template

DOCUMENT = {"temperature": 21.5, "a": {"b": [{"c": "deep"}, 7]}, "odd.key": True, "list": [1, 2, 3], "nothing": None}


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("temperature", 21.5),
        ("a.b[0].c", "deep"),
        ("a.b[1]", 7),
        ("list[-1]", 3),
        ('["odd.key"]', True),
        ("", DOCUMENT),
        ("missing", None),
        ("temperature.x", None),
        ("list[3]", None),
        ("list[-4]", None),
        ("list.x", None),
        ("a[0]", None),
        ("nothing", None),
    ],
)
def test_a_place_gives_what_is_there_or_nothing(place: str, expected: object) -> None:
    assert look_up(DOCUMENT, parse_path(place)) == expected


@pytest.mark.parametrize("text", [".", "a.", ".a", "a..b", "a[", "a[x]", "a]b", "[1.5]", 'a["', "{a}", "a[99999999]"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no place in JSON"):
        parse_path(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (21, 21.0),
        ("21.5", 21.5),
        (" 3\n", 3.0),
        ("-1e3", -1000.0),
        (True, 1.0),
        ("ON", None),
        ("1_000", None),
        ("nan", None),
        (float("inf"), None),
        (10**400, None),
        (None, None),
        ([1], None),
        ({}, None),
    ],
)
def test_numbers_are_finite_numbers_also_as_text(value: object, expected: float | None) -> None:
    assert as_number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("hi", "hi"), (21.0, "21.0"), (21, "21"), (False, "false"), ({"a": [1, "ü"]}, '{"a":[1,"ü"]}')],
)
def test_values_are_written_as_json_writes_them(value: object, expected: str) -> None:
    assert as_text(value) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("living room is {value} degrees", "living room is 21 degrees"),
        ("{{value}} is {value}", "{value} is 21"),
        ("no gap", "no gap"),
        ("", ""),
        ("{value}{value}", "2121"),
        ("{value.__class__}", None),
        ("{missing}", None),
    ],
)
def test_gaps_are_filled_by_name_and_nothing_is_reached_through_them(template: str, expected: str | None) -> None:
    assert Template(template).fill(lambda gap: "21" if gap == "value" else None) == expected


@pytest.mark.parametrize("text", ["{", "}", "a } b", "{a{b}", "{value", "value}"])
def test_a_lone_brace_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="lone brace at character"):
        Template(text)


@settings(deadline=None)
@given(st.text())
def test_text_with_its_braces_doubled_stays_as_it_is(text: str) -> None:
    assert Template(text.replace("{", "{{").replace("}", "}}")).fill(lambda gap: None) == text


def sample_of(payload: bytes, **keys: object) -> tuple[object, str] | None:
    rule = Rule(**{"name": "r", "topic": "t/+", "model": "m", **keys})  # type: ignore[arg-type]
    sample = Reader(rule).read("t/x", Payload(payload))
    return None if sample is None else (sample.value, sample.text)


def test_the_question_is_made_of_the_payload_and_the_topic() -> None:
    payload = json.dumps(DOCUMENT).encode()
    asked = sample_of(payload, value="temperature", text="{topic}: {value} degrees, {a.b[0].c} {list}")
    assert asked == (21.5, "t/x: 21.5 degrees, deep [1,2,3]")


def test_without_a_place_the_whole_payload_is_the_value() -> None:
    assert sample_of("hört, hört".encode()) == ("hört, hört", "hört, hört")
    assert sample_of(b'{"a": 1}') == ('{"a": 1}', '{"a": 1}')


def test_a_number_sent_as_text_is_a_number_where_one_is_compared() -> None:
    assert sample_of(b"21.5", model="", above=20.0) == (21.5, "")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"not json",
        b'{"temperature": NaN}',
        b'{"temperature": null}',
        b'{"other": 1}',
        b'"temperature"',
        b"[" * 60_000,
        b'{"temperature": ' + b"9" * 5000 + b"}",
        b'{"temperature": 1, "fill": "' + b"x" * 65536 + b'"}',
    ],
)
def test_what_cannot_be_read_is_no_sample(payload: bytes) -> None:
    assert sample_of(payload, value="temperature") is None


def test_a_question_with_a_gap_that_the_payload_leaves_open_is_not_asked() -> None:
    assert sample_of(b'{"temperature": 1}', value="temperature", text="{humidity}") is None


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_no_payload_raises(payload: bytes) -> None:
    for keys in ({"value": "a[0]"}, {"above": 1.0, "model": ""}, {"text": "{a.b}"}, {}):
        sample_of(payload, **keys)
