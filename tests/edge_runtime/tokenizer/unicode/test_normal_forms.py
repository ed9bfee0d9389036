"""The four normal forms, and the alignment they give, compared with the oracle."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.tokenizer.unicode import load_tables
from edge_runtime.tokenizer.unicode.normal_forms import FORMS, Change, NormalForm, normal_form
from tests.edge_runtime.tokenizer.unicode.unicode_data import ages, unicode_lines

OLDEST_TABLE = (9, 0)  # the Unicode version of the oracle's normal forms


def interesting() -> list[str]:
    """Give characters that normal forms change, and those that change places or join."""
    tables = load_tables()
    parts = {char for text in tables.decomposition.values() for char in text}
    codes = {*tables.decomposition, *tables.compatibility, *tables.combining_class, *range(0x1100, 0x1200)}
    return sorted({*map(chr, codes), *parts})


CHARACTERS = (
    st.sampled_from(interesting())
    | st.sampled_from(sorted({char for text in load_tables().decomposition.values() for char in text}))
    | st.integers(0xAC00, 0xD7A3).map(chr)
    | st.characters(exclude_categories=["Cs"])
)
TEXTS = st.lists(CHARACTERS, max_size=12).map("".join)


def peer(form: str) -> Any:
    tokenizers = pytest.importorskip("tokenizers", reason="the oracle is missing: pip install tokenizers")
    return getattr(tokenizers.normalizers, form)()


def spans(changes: list[Change]) -> list[tuple[str, tuple[int, int]]]:
    """Count the changes off, as the original does: each character with its place in the original text."""
    result, place = [], 0
    for char, change in changes:
        at = place - 1 if change > 0 else place
        result.append((char, (at, at + 1)))
        place += 1 - change if change <= 0 else 0
    return result


def peer_spans(form: str, text: str) -> list[tuple[str, tuple[int, int]]]:
    tokenizers = pytest.importorskip("tokenizers", reason="the oracle is missing: pip install tokenizers")
    pieces = tokenizers.PreTokenizedString(text)
    pieces.normalize(lambda piece: peer(form).normalize(piece))
    pieces.split(lambda _, piece: piece.split(tokenizers.Regex("(?m)."), "isolated"))
    return [(piece, span) for piece, span, _ in pieces.get_splits("original", "char")]


@pytest.mark.parametrize("form", FORMS)
@given(text=TEXTS)
def test_a_normal_form_and_its_alignment_are_the_oracles(form: str, text: str) -> None:
    ours = normal_form(form)
    assert ours.normalize(text) == peer(form).normalize_str(text)
    assert spans(ours.changes(text)) == peer_spans(form, text)


@pytest.mark.parametrize("form", FORMS)
def test_the_unicode_normalization_test_is_passed(form: str) -> None:
    known, ours = ages(), normal_form(form)
    compared = 0
    for line in unicode_lines("NormalizationTest.txt.bz2"):
        fields = ["".join(chr(int(code, 16)) for code in field.split()) for field in line.split(";")[:5]]
        if all(known[ord(char)] <= OLDEST_TABLE for char in fields[0]):
            expected = fields[1:][("NFC", "NFD", "NFKC", "NFKD").index(form)]
            assert ours.normalize(fields[0]) == expected
            assert "".join(char for char, _ in ours.changes(fields[0])) == expected
            compared += 1
    assert compared > 15_000


@pytest.mark.parametrize("form", FORMS)
def test_a_stable_character_is_never_changed(form: str) -> None:
    stable = normal_form(form).stable
    text = "".join(chr(code) for code in stable if not 0xD800 <= code <= 0xDFFF)
    assert normal_form(form).is_stable(text)
    assert peer(form).normalize_str(text) == text


@pytest.mark.parametrize("form", FORMS)
@given(text=TEXTS)
def test_a_text_that_is_called_stable_is_not_changed(form: str, text: str) -> None:
    assert not normal_form(form).is_stable(text) or peer(form).normalize_str(text) == text


def test_a_normal_form_forgets_before_it_grows_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.tokenizer.unicode.normal_forms.MOST_REMEMBERED", 100)
    ours = NormalForm("NFC", load_tables())
    texts = [chr(code) + "\u0301" for code in range(0x41, 0x241)]
    assert [ours.normalize(text) for text in texts] == [peer("NFC").normalize_str(text) for text in texts]
    assert len(ours.remembered) <= 100


@pytest.mark.parametrize("unit", ["\u0301\u0316", "\uac00\u11a8", "e\u0301", "\ufb01", "\u0301", "\uff21"])
def test_a_long_text_of_changing_characters_takes_linear_time(unit: str) -> None:
    text = unit * (200_000 // len(unit))  # quadratic work on it would take hours
    for form in FORMS:
        assert normal_form(form).normalize(text) == peer(form).normalize_str(text)
