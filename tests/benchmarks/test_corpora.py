"""The corpora are texts, not markup, and their documents are the same every time."""

from __future__ import annotations

import gzip
import random
import struct

import pytest

from benchmarks.corpora import corpus, debian_texts, intents
from benchmarks.corpora.machine_texts import MEGABYTE, megabytes


def test_a_page_gives_the_text_of_its_blocks_and_no_markup() -> None:
    page = (
        b"<html><head><title>x</title></head><body><p>Caf\xc3\xa9 &amp; bar <b>open</b></p><script>no</script><li>two"
    )
    assert debian_texts.read_html(page) == ["Café & bar open", "two"]


def test_a_manual_page_gives_its_paragraphs_without_requests_and_fonts() -> None:
    page = ".TH LS 1\n.SH NAME\nls \\- list \\fBall\\fR\nfiles\n.PP\n\\&.dot first\n"
    assert debian_texts.read_manual(gzip.compress(page.encode())) == ["ls - list all files", ".dot first"]


def test_a_fortune_file_gives_its_quotes() -> None:
    assert debian_texts.read_quotes(b"one\ntwo\n%\nthree\n%\n") == ["one\ntwo", "three"]


@pytest.mark.parametrize("order", "<>")
def test_a_catalogue_gives_translations_of_either_byte_order(order: str) -> None:
    texts = [b"Project-Id: x", "один\0два".encode(), b"three"]
    table, at = b"", 28 + 8 * len(texts)
    for text in texts:
        table += struct.pack(order + "II", len(text), at)
        at += len(text)
    head = struct.pack(order + "7I", debian_texts.MO_MAGIC, 0, len(texts), 0, 28, 0, 0)
    assert debian_texts.read_messages(head + table + b"".join(texts)) == ["один", "два", "three"]


def test_languages_get_equal_shares_and_what_a_small_one_lacks_the_others_give() -> None:
    assert corpus._shares({"de": 100, "ga": 4, "ja": 100}, 60) == {"ga": 4, "de": 28, "ja": 28}


def test_documents_are_the_same_every_time_and_as_long_as_asked() -> None:
    lines = {"de": [f"Zeile {n} mit etwas Text" for n in range(400)], "ja": [f"文字列{n}" * 3 for n in range(400)]}
    first, again = (corpus._documents(lines, 8000, (100, 300)) for _ in range(2))
    assert first == again
    assert {code for code, _ in first} == {"de", "ja"}
    assert all(100 < len(text) < 330 for _, text in first)
    assert sum(len(text.encode()) for _, text in first) == pytest.approx(8000, rel=0.1)


def test_a_template_of_intents_becomes_a_sentence() -> None:
    rules, lists = {"turn": "(turn|switch)"}, {"area": {"values": [{"in": "the [big ]kitchen", "out": "k"}]}}
    made = {intents._fill("<turn> on [all] lights in {area}", rules, lists, random.Random(seed)) for seed in range(60)}
    assert "turn on lights in the kitchen" in made
    assert "switch on all lights in the big kitchen" in made
    assert not any(set(text) & set("<>[](){}|") for text in made)


def test_a_rule_that_names_itself_gives_no_sentence() -> None:
    assert intents._fill("<a>", {"a": "x <a>"}, {}, random.Random(0)) == ""


def test_every_megabyte_is_a_megabyte() -> None:
    assert {name: len(text.encode()) for name, text in megabytes().items()} == {
        name: pytest.approx(MEGABYTE, abs=4) for name in megabytes()
    }
