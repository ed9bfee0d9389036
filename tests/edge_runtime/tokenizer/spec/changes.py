"""Documents with one thing changed, and what the reader says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec import parse_spec
from edge_runtime.tokenizer.spec.kinds import TokenizerSpec
from tests.edge_runtime.tokenizer.documents import plain_document

Document = dict[str, Any]
Change = Callable[[Document], None]


def put(*path_and_value: Any) -> Change:
    """Make a change that sets one value deep inside a document."""
    *path, last, value = path_and_value

    def change(document: Document) -> None:
        inner: Any = document
        for key in path:
            inner = inner[key]
        inner[last] = value

    return change


def drop(*path: Any) -> Change:
    """Make a change that takes one key away."""

    def change(document: Document) -> None:
        inner: Any = document
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]

    return change


def spec_of(**sections: Any) -> TokenizerSpec:
    """Read a plain document with some sections of it replaced."""
    return parse_spec({**plain_document(["the"]), **sections})


def refusal_of(document: object) -> str:
    """Give the message that a document is refused with."""
    with pytest.raises(UnsupportedTokenizer) as refusal:
        parse_spec(document)
    return str(refusal.value)
