"""Word error rates: what counts as a word, what as an error, how sure the figure is."""

from __future__ import annotations

import pytest

from edgert_tools.speech.words import edits, error_rate, loss, words_of


def test_words_are_what_is_said_not_how_it_is_written() -> None:
    assert words_of("Don’t stop, it's 21 degrees!") == ["don't", "stop", "it's", "21", "degrees"]
    assert words_of(" ... -- ") == []


@pytest.mark.parametrize(
    ("truth", "found", "count"),
    [
        ("", "", 0),
        ("a b c", "a b c", 0),
        ("a b c", "a x c", 1),
        ("a b c", "a c", 1),
        ("a b c", "a b b c", 1),
        ("a b c", "", 3),
        ("", "a b", 2),
        ("a b c d", "b c d e", 2),
        ("kitchen light on", "chicken lights are on", 3),
    ],
)
def test_edits_are_the_least_changes(truth: str, found: str, count: int) -> None:
    assert edits(truth.split(), found.split()) == count
    assert edits(found.split(), truth.split()) == count


def test_the_rate_is_all_errors_over_all_words() -> None:
    rate = error_rate([1, 0, 2], [4, 4, 2])
    assert rate.value == pytest.approx(30)
    assert rate.low < rate.value < rate.high


def test_a_loss_of_nothing_is_certain_and_a_small_one_on_few_words_is_not() -> None:
    same = loss([1, 2, 0], [1, 2, 0], [5, 5, 5])
    assert (same.value, same.low, same.high) == (0, 0, 0)
    some = loss([1, 2, 0], [1, 3, 0], [5, 5, 5])
    assert some.value == pytest.approx(100 / 15)
    assert some.low == 0 < some.value < some.high
    assert some == loss([1, 2, 0], [1, 3, 0], [5, 5, 5])


def test_a_rate_of_no_words_is_no_figure() -> None:
    with pytest.raises(ValueError, match="not defined"):
        error_rate([0], [0])
