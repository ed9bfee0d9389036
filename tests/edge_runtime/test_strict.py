"""The strict reader says where it stopped, what it found and what it expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pytest

from edge_runtime.strict import StrictError, decode


@dataclass(frozen=True)
class Inner:
    size: int
    ratio: float = 1.0


@dataclass(frozen=True)
class Outer:
    name: str
    kind: Literal["a", "b"] = "a"
    items: tuple[Inner, ...] = ()
    table: Mapping[str, int] | None = None
    mixed: tuple[int | str, ...] = ()


def test_every_kind_is_read() -> None:
    data = {"name": "x", "kind": "b", "items": [{"size": 1, "ratio": 2}], "table": {"k": 3}, "mixed": [1, "two"]}
    assert decode(Outer, data) == Outer("x", "b", (Inner(1, 2.0),), {"k": 3}, (1, "two"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "name: missing"),
        ([], "document: expected a table"),
        ({"name": "x", "nmae": 1}, "nmae: unknown key, expected one of name, kind"),
        ({"name": 1}, "name: expected a text, found 1"),
        ({"name": "x", "kind": "c"}, "kind: expected one of 'a', 'b', found 'c'"),
        ({"name": "x", "items": [{"size": 1}, {"size": "2"}]}, r"items\[1\].size: expected a whole number, found '2'"),
        ({"name": "x", "items": [{"size": True}]}, r"items\[0\].size: expected a whole number, found True"),
        ({"name": "x", "items": {}}, "items: expected a list"),
        ({"name": "x", "table": {"k": "v"}}, "table.k: expected a whole number"),
        ({"name": "x", "mixed": [1.5]}, r"mixed\[0\]"),
    ],
)
def test_the_message_names_the_place_and_the_kind(data: object, message: str) -> None:
    with pytest.raises(StrictError, match=message):
        decode(Outer, data)


def test_what_is_shown_of_a_bad_value_is_bounded() -> None:
    with pytest.raises(StrictError) as caught:
        decode(Outer, {"name": ["x" * 10_000]})
    assert len(str(caught.value)) < 200
