"""The sentences with personal data: what is marked is there, and training never sees a held-back template."""

from __future__ import annotations

import pytest

from edgert_tools.datasets.lessons import Lessons, Marked
from edgert_tools.datasets.pii_templates import pii_sentences
from tests.conftest import fetched


@pytest.fixture(scope="module")
def sentences() -> Lessons[Marked, Marked]:
    return fetched(lambda: pii_sentences(held_back=520, variants=1, seed=1))


def test_what_is_marked_stands_in_the_text_in_order_and_apart(sentences: Lessons[Marked, Marked]) -> None:
    for row in (*sentences.train, *sentences.held_back):
        edges = [edge for span in row.spans for edge in (span.start, span.end)]
        assert edges == sorted(edges)
        assert all(span.start < span.end <= len(row.text) for span in row.spans)


def test_no_held_back_sentence_or_template_is_trained_on(sentences: Lessons[Marked, Marked]) -> None:
    assert len(sentences.held_back) >= 520
    assert not {row.template for row in sentences.train} & {row.template for row in sentences.held_back}
    assert not {row.text for row in sentences.train} & {row.text for row in sentences.held_back}


def test_every_label_that_is_judged_was_trained_and_rare_ones_are_left_out_by_name(
    sentences: Lessons[Marked, Marked],
) -> None:
    judged = {span.label for row in sentences.held_back for span in row.spans}
    assert judged <= set(sentences.labels)
    assert {"PERSON", "STREET_ADDRESS", "CREDIT_CARD", "EMAIL_ADDRESS", "PHONE_NUMBER"} <= judged
    dropped = {label for label, _ in sentences.dropped}
    assert "US_DRIVER_LICENSE" in dropped
    assert not dropped & set(sentences.labels)


def test_variants_have_other_names_in_the_same_sentence(sentences: Lessons[Marked, Marked]) -> None:
    plain = fetched(lambda: pii_sentences(held_back=520, variants=0, seed=1))
    assert plain.held_back == sentences.held_back
    made = sentences.train[len(plain.train) :]
    assert len(made) > 0.5 * len(plain.train)
    known = {(row.text[span.start : span.end], span.label) for row in plain.train for span in row.spans}
    assert all((row.text[span.start : span.end], span.label) in known for row in made for span in row.spans)


def test_another_seed_holds_back_other_templates(sentences: Lessons[Marked, Marked]) -> None:
    other = fetched(lambda: pii_sentences(held_back=520, variants=0, seed=2))
    assert {row.template for row in other.held_back} != {row.template for row in sentences.held_back}
