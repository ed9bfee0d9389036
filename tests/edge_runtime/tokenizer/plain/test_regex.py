"""Oniguruma's regular expressions in Python's `re`: the peer's matches, or a refusal that names the construct."""

from __future__ import annotations

import itertools
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from tokenizers import Regex as PeerRegex
from tokenizers.pre_tokenizers import Split

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.plain.regex import open_regex
from tests.edge_runtime.tokenizer.plain.component_oracle import random_component_text
from tests.edge_runtime.tokenizer.plain.patterns import OF_CONSTRUCTS, OF_FILES, REFUSED


def texts(seed: int, count: int = 120) -> list[str]:
    rng = random.Random(seed)
    letters = ["".join(rng.choices("aabcdx \n", k=rng.randint(0, 7))) for _ in range(count // 3)]
    return [random_component_text(rng) for _ in range(count)] + letters


def disagreements(pattern: str, seed: int) -> list[str]:
    """Compare the matches, and where a text is cut: that shows the empty matches, too."""
    ours = open_regex(pattern)
    matches, borders = (Split(PeerRegex(pattern), *how) for how in (("removed", True), ("isolated", False)))
    different = []
    for text in texts(seed):
        spans = ours.spans(text)
        ends = sorted({0, len(text), *(end for span in spans for end in span)})
        found = [[span for span in spans if span[0] < span[1]], list(itertools.pairwise(ends))]
        expected = [[span for _, span in peer.pre_tokenize_str(text)] for peer in (matches, borders)]
        if found != expected:
            different.append(f"{text!a}: {found}, not {expected}")
    return different


@pytest.mark.parametrize("name", OF_FILES)
def test_patterns_of_real_files_match_where_the_peers_do(name: str) -> None:
    assert disagreements(OF_FILES[name], seed=11) == []


@pytest.mark.parametrize("pattern", OF_CONSTRUCTS)
def test_each_construct_matches_where_the_peers_does(pattern: str) -> None:
    assert disagreements(pattern, seed=12) == []


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_is_not_translated_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(UnsupportedTokenizer, match=REFUSED[pattern]):
        open_regex(pattern)


@pytest.mark.parametrize("name", OF_FILES)
def test_matches_do_not_depend_on_the_texts_before(name: str) -> None:
    used = open_regex(OF_FILES[name])
    for text in texts(seed=13, count=15):
        new = open_regex.__wrapped__(OF_FILES[name])
        assert new.spans(text) == used.spans(text), ascii(text)


def test_matches_and_replacements_are_those_at_the_spans() -> None:
    regex = open_regex(OF_FILES["gpt-2"])
    for text in texts(seed=14):
        assert regex.matches(text) == [text[start:end] for start, end in regex.spans(text)]
    assert open_regex(" {2,}").replace("a   b  c d", r"\1") == r"a\1b\1c d"


def test_a_pattern_is_opened_once() -> None:
    assert open_regex(OF_FILES["llama-3"]) is open_regex(OF_FILES["llama-3"])


def test_the_letters_of_contractions_have_their_odd_cases_and_no_others() -> None:
    every = "".join(f"'{chr(code)}" for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF)
    cases = open_regex("'(?i:s|k|i)").matches(every)
    assert [case[1] for case in cases] == ["I", "K", "S", "i", "k", "s", "\u017f", "\u212a"]


def test_a_negated_class_matches_a_line_feed_and_a_dot_does_not() -> None:
    assert open_regex("[^a]").finds("\n")
    assert not open_regex(".").finds("\n")


def test_threads_that_meet_new_characters_together_find_the_same() -> None:
    regex = open_regex.__wrapped__(OF_FILES["o200k"])
    samples = texts(seed=15, count=200)
    expected = [open_regex(OF_FILES["o200k"]).spans(text) for text in samples]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(regex.spans, samples)) == expected
