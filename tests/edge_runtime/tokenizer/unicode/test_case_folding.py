"""Which characters are one where case is ignored, compared with the oracle's engine."""

from __future__ import annotations

import pytest

from edge_runtime.tokenizer.unicode.case_folding import case_variants, whole_folds
from edge_runtime.tokenizer.unicode.tables import packaged

LETTERS = sorted({code for fold in packaged().mapping("case_fold").items() for code in (fold[0], ord(fold[1]))})
OTHERS = "1\xaa\u0131\u0130\u0149\u02bc\u4e00\u01c0\U0001e922\ufb00\u0345"


def test_every_letter_of_the_table_equals_exactly_its_variants() -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="the oracle is missing: pip install tokenizers")
    text = "".join(dict.fromkeys([*map(chr, LETTERS), *OTHERS]))
    probed = [*LETTERS[::7], *map(ord, "sSkK\u017f\u212a\xb5\u03bc\u03c2\u03a9\u2126\xe5\u212b\u01c5" + OTHERS)]
    wrong = []
    for code in dict.fromkeys(probed):
        pattern = tokenizers.Regex(f"(?i)\\x{{{code:X}}}")
        left = tokenizers.normalizers.Replace(pattern, "").normalize_str(text)
        if set(text) - set(left) != {chr(code), *case_variants(code)}:
            wrong.append(chr(code))
    assert wrong == []


def test_long_s_and_kelvin_are_letters_of_ascii_where_case_is_ignored() -> None:
    assert (case_variants(ord("s")), case_variants(ord("K")), case_variants(0x17F)) == ("S\u017f", "k\u212a", "Ss")
    assert (case_variants(ord("i")), case_variants(ord("1"))) == ("I", "")


def test_characters_that_equal_several_are_those_that_the_oracle_matches() -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="the oracle is missing: pip install tokenizers")
    assert whole_folds()["\xdf"] == whole_folds()["\u1e9e"] == "ss"
    assert len(whole_folds()) > 100
    for char, text in whole_folds().items():
        pattern = "".join(f"\\x{{{ord(one):X}}}" for one in text)
        peer = tokenizers.normalizers.Replace(tokenizers.Regex(rf"(?i)\A{pattern}\z"), "")
        assert (char, peer.normalize_str(char)) == (char, "")
