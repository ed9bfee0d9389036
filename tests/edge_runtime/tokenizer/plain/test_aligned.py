"""A text keeps track of where its characters come from."""

from __future__ import annotations

from edge_runtime.tokenizer.plain.aligned import Aligned


def test_a_part_of_a_text_counts_from_where_it_begins() -> None:
    part = Aligned.of("abc", 7)
    assert (list(part.starts), list(part.ends)) == ([7, 8, 9], [8, 9, 10])
    assert list(part.piece(1, 3).starts) == [8, 9]


def test_a_replacement_stands_for_the_last_character_that_it_replaces() -> None:
    text = Aligned.of("a--b").replace([(1, 3)], "<+>")
    assert (text.text, list(text.starts), list(text.ends)) == ("a<+>b", [0, 2, 2, 2, 3], [1, 3, 3, 3, 4])


def test_a_replacement_by_nothing_leaves_a_gap_in_the_original() -> None:
    text = Aligned.of("a--b").replace([(1, 3)], "")
    assert (text.text, list(text.starts), list(text.ends)) == ("ab", [0, 3], [1, 4])


def test_what_is_put_in_front_stands_for_the_first_character() -> None:
    text = Aligned.of("xyz").piece(1, 3).prepend("__")
    assert (text.text, list(text.starts), list(text.ends)) == ("__yz", [1, 1, 1, 2], [2, 2, 2, 3])


def test_a_table_may_remove_a_character_or_make_several_of_it() -> None:
    text = Aligned.of("abc").translate({ord("a"): "", ord("b"): "12", ord("c"): "c"})
    assert (text.text, list(text.starts), list(text.ends)) == ("12c", [1, 1, 2], [2, 2, 3])


def test_changes_replace_insert_and_swallow_what_follows() -> None:
    text = Aligned.of("abcde").transform([("A", -1), ("+", 1), ("C", 0), ("E", 0)])
    assert (text.text, list(text.starts), list(text.ends)) == ("A+CE", [0, 1, 2, 3], [1, 2, 3, 4])
