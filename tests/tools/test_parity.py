"""The comparison with Hugging Face's tokenizers finds what is planted, wherever it shows, and nothing else."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import UnsupportedTokenizer, UsageError
from edge_runtime.tokenizer import open_tokenizer
from edge_runtime.tokenizer.spec import read_spec
from edgert_tools import parity_sides
from edgert_tools.parity import COMPARED, check_parity, compare, family_of, written_tokens
from edgert_tools.parity_texts import DOCUMENT_LINES, ParityTexts, builtin_texts, file_texts
from tests import tiny

TEXTS = ParityTexts(("turn on the Light!", "a[SEP]b [MASK] c", "kitchen lamp, warm up.", "don't"), ("on\noff",))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "tokenizer.json").write_text(json.dumps(tiny.tokenizer_json()))
    return tmp_path / "tokenizer.json"


@pytest.fixture
def planted(file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], None]], Path]:
    """Let edgert read a file that was changed, and Hugging Face the one it was."""

    def plant(change: Callable[[Any], None]) -> Path:
        document = tiny.tokenizer_json()
        change(document)
        other = file.with_name("other.json")
        other.write_text(json.dumps(document))
        right = open_tokenizer
        monkeypatch.setattr(parity_sides, "open_tokenizer", lambda _, parse_special: right(other, parse_special))
        return file

    return plant


def test_an_identical_tokenizer_has_no_mismatches(file: Path) -> None:
    result = compare(file, lambda tokens: TEXTS)
    assert (result.mismatches, result.first) == (0, ())
    assert (result.family, result.lines, result.documents) == ("wordpiece", 4, 1)
    assert result.characters == sum(map(len, TEXTS.texts))
    assert result.oracle.startswith("tokenizers 0.")


def keep_case(document: Any) -> None:
    document["normalizer"]["lowercase"] = False


def other_type(document: Any) -> None:
    document["post_processor"]["single"][1]["Sequence"]["type_id"] = 1


def other_pair(document: Any) -> None:
    document["post_processor"]["pair"][3]["Sequence"]["type_id"] = 0


def no_cleanup(document: Any) -> None:
    document["decoder"]["cleanup"] = False


def strip_left(document: Any) -> None:
    document["added_tokens"][4]["lstrip"] = True


IDS, ALONE, CONTROL, CUT, OVERFLOW, PAIRS, DECODED = COMPARED


@pytest.mark.parametrize(
    ("change", "kinds", "texts"),
    [
        (keep_case, {IDS, ALONE, CONTROL, CUT, OVERFLOW, PAIRS}, {"L", "K", "M", "E", "P", "S"}),
        (other_type, {IDS, CONTROL, CUT, OVERFLOW, PAIRS}, None),
        (other_pair, {PAIRS}, None),
        (no_cleanup, {DECODED}, {"!", ".", "?"}),
        (strip_left, {CONTROL}, {" [MASK]"}),
    ],
)
def test_a_planted_difference_is_found_where_it_shows_and_made_short(
    planted: Callable[[Callable[[Any], None]], Path],
    change: Callable[[Any], None],
    kinds: set[str],
    texts: set[str] | None,
) -> None:
    result = compare(planted(change), lambda tokens: TEXTS)
    assert {mismatch.compared for mismatch in result.first} == kinds
    assert result.mismatches >= len(kinds)
    for mismatch in result.first:
        assert mismatch.found != mismatch.expected
        assert len(mismatch.text) <= 1 if texts is None else mismatch.text in texts


def test_a_model_that_would_be_served_wrongly_is_refused(planted: Callable[[Callable[[Any], None]], Path]) -> None:
    with pytest.raises(UnsupportedTokenizer, match=r"differs from Hugging Face's on .* cannot be served correctly"):
        check_parity(planted(keep_case), ["turn on the light"])


def test_what_was_proved_is_told_for_the_manifest(file: Path) -> None:
    parity = check_parity(file, ["turn on the light", "open"]).parity
    assert (parity.mismatches, parity.compared) == (0, COMPARED)
    assert parity.texts > 700
    assert parity.characters > 50_000


def test_the_family_is_that_of_the_model(file: Path, real_tokenizer: Callable[[str], Path]) -> None:
    assert family_of(read_spec(file)) == "wordpiece"
    assert family_of(read_spec(real_tokenizer("moonshine"))) == "bpe"
    assert family_of(read_spec(real_tokenizer("deberta-v3"))) == "unigram"


def test_control_tokens_are_written_first(file: Path) -> None:
    document = tiny.tokenizer_json()
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False}
    document["added_tokens"].insert(0, {"id": 5, "content": "a", **flags})
    file.write_text(json.dumps(document))
    assert written_tokens(read_spec(file)) == [*tiny.SPECIALS, "a"]


def test_the_built_in_texts_are_the_same_each_time_and_in_many_scripts() -> None:
    texts = builtin_texts(["[SEP]"])
    assert texts == builtin_texts(["[SEP]"])
    letters = {letter for text in texts.texts for letter in text if unicodedata.category(letter).startswith("L")}
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in letters}
    assert {"LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC", "DEVANAGARI", "TAMIL", "THAI", "TIBETAN"} <= scripts
    assert {"GEORGIAN", "ETHIOPIC", "KHMER", "HIRAGANA", "KATAKANA", "CJK", "HANGUL", "MATHEMATICAL"} <= scripts
    assert any("[SEP]" in line for line in texts.lines)
    assert any("[S" in line and "[SEP]" not in line for line in texts.lines)
    assert len(texts.lines) > 2500
    assert len(texts.documents) > 100


def test_a_files_lines_are_texts_and_its_documents_keep_the_line_ends(tmp_path: Path) -> None:
    content = "".join(f"line {number}\r\n\n" for number in range(DOCUMENT_LINES))
    (tmp_path / "corpus").write_bytes(content.encode())
    texts = file_texts(tmp_path / "corpus")
    assert texts.lines[:2] == ("line 0\r", "line 1\r")
    assert "\n".join(texts.documents) == content


@pytest.mark.parametrize(("content", "says"), [(b"\xff", "not UTF-8"), (b" \n", "no text"), (b"", "no text")])
def test_a_file_that_is_no_text_is_used_wrongly(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "corpus").write_bytes(content)
    with pytest.raises(UsageError, match=says):
        file_texts(tmp_path / "corpus")
