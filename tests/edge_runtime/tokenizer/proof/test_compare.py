"""The proof notices what is wrong: one that cannot fail proves nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from edge_runtime.tokenizer.encoding import Encoded, Tokenizer
from tests.edge_runtime.tokenizer.documents import plain_document
from tests.edge_runtime.tokenizer.proof.compare import Comparison, Shares
from tests.edge_runtime.tokenizer.proof.contenders import Contenders, contenders
from tests.edge_runtime.tokenizer.proof.shrink import shortest

TEXTS = ["turn on the light", "off", "on", "", "turn off the light " * 30, "light on " * 200]


class Wrong:
    """A tokenizer whose batches are changed where a text has the word `off`."""

    def __init__(self, right: Tokenizer, change: Callable[[Encoded], None]) -> None:
        self._right, self._change = right, change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._right, name)

    def encode_batch(self, texts: Sequence[str], *options: Any, **named: Any) -> Encoded:
        encoded = self._right.encode_batch(texts, *options, **named)
        if any("off" in text for text in texts) and encoded.offsets is not None:
            self._change(encoded)
        return encoded


@pytest.fixture
def them(tmp_path: Path) -> Contenders:
    return contenders(plain_document(["turn", "on", "off", "the", "light"]), tmp_path, "plain", parse_special=False)


def _compared(them: Contenders, texts: Sequence[str] = TEXTS) -> Comparison:
    comparison = Comparison(them, random.Random(0), Shares(reference=1))
    comparison.fuzz(texts)
    return comparison


def test_what_is_right_is_compared_and_found_equal(them: Contenders) -> None:
    totals = _compared(them).totals
    assert totals["different"] == 0
    assert totals["texts"] == 2 * len(TEXTS)
    assert min(totals[name] for name in ("rows decoded", "texts one by one", "texts by the reference")) > 0


@pytest.mark.parametrize("who", ["fast", "forgetful", "reference"])
@pytest.mark.parametrize("what", ["input_ids", "attention_mask", "token_type_ids", "offsets", "special_tokens_mask"])
def test_one_wrong_number_of_anybody_is_found_and_shown_on_the_shortest_text(
    them: Contenders, who: str, what: str
) -> None:
    def change(encoded: Encoded) -> None:
        getattr(encoded, what)[:, :1] += 1

    comparison = _compared(replace(them, **{who: Wrong(getattr(them, who), change)}))  # type: ignore[arg-type]
    assert comparison.totals["different"] > 0
    assert any(example.startswith(who) and example.endswith("['off']") for example in comparison.examples)


def test_a_crash_is_a_difference(them: Contenders) -> None:
    def change(_: Encoded) -> None:
        raise IndexError("beyond the table")

    comparison = _compared(replace(them, fast=Wrong(them.fast, change)))
    assert comparison.totals["different"] > 0
    assert any("beyond the table" in name for name in comparison.totals)


class Cut(Wrong):
    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        return self._right.decode(ids, skip_special_tokens)[:-1]


class Miscounting(Wrong):
    def count(self, text: str) -> int:
        return self._right.count(text) + 1


@pytest.mark.parametrize(("wrong", "word"), [(Cut, "decoded"), (Miscounting, "one by one")])
def test_a_text_cut_short_and_a_wrong_count_are_found(them: Contenders, wrong: type[Wrong], word: str) -> None:
    comparison = _compared(replace(them, fast=wrong(them.fast, lambda _: None)))
    assert any(word in example for example in comparison.examples)


def test_shortening_ends_at_a_text_that_nothing_can_be_dropped_from() -> None:
    assert shortest("some words and then x and y behind", lambda text: "x" in text and "y" in text) == "xy"
