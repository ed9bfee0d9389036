"""Pre-tokenizers, alone and one after another, behind normalizers or not: the peer's words and alignments."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import get_args

import pytest

from tests.edge_runtime.tokenizer.plain.component_oracle import (  # isort: skip  (skips all without the peer)
    differences,
    random_component_text,
)

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.plain.pre_tokenizers import open_pre_tokenizer
from edge_runtime.tokenizer.spec import kinds
from tests.edge_runtime.tokenizer.plain.patterns import OF_FILES
from tests.edge_runtime.tokenizer.plain.test_normalizers import ALL as NORMALIZERS

BEHAVIORS: tuple[kinds.SplitBehavior, ...] = get_args(kinds.SplitBehavior)
SCHEMES: tuple[kinds.PrependScheme, ...] = get_args(kinds.PrependScheme)
SPLITS = [
    kinds.Split(kinds.Pattern(*pattern), behavior, invert)
    for pattern in ((" ", False), ("--", False), (r"\s+|\w", True), ("", False), (r"(?=\p{Lu})|-", True), ("x*", True))
    for behavior in BEHAVIORS
    for invert in (True, False)
]
OF_MODELS = [kinds.Split(kinds.Pattern(pattern, True), "isolated", False) for pattern in OF_FILES.values()]
METASPACES = [
    kinds.Metaspace(replacement, scheme, split)
    for replacement, scheme, split in itertools.product(("\u2581", "_", " "), SCHEMES, (True, False))
]
BYTE_LEVELS = [kinds.ByteLevel(*flags) for flags in itertools.product((True, False), repeat=2)]
BY_CHARACTER: list[kinds.PreTokenizer] = [
    *(kinds.BertPreTokenizer(), kinds.Whitespace(), kinds.WhitespaceSplit()),
    *(kinds.CharDelimiterSplit(char) for char in " -\u2581"),
    *map(kinds.Punctuation, BEHAVIORS),
    *(kinds.Digits(True), kinds.Digits(False), kinds.FixedLength(1), kinds.FixedLength(3)),
]
ALL: list[kinds.PreTokenizer] = [*SPLITS, *OF_MODELS, *METASPACES, *BYTE_LEVELS, *BY_CHARACTER]


def texts(rng: random.Random, count: int) -> list[str]:
    return ["", " ", *(random_component_text(rng) for _ in range(count))]


@pytest.mark.parametrize("spec", ALL, ids=str)
def test_a_pre_tokenizer_gives_the_peers_words_and_alignments(spec: kinds.PreTokenizer) -> None:
    rng = random.Random(31)
    assert differences([], [spec], texts(rng, 40), rng) == []


def test_sequences_behind_normalizers_give_the_peers_words_and_alignments() -> None:
    rng = random.Random(32)
    groups: tuple[Sequence[kinds.PreTokenizer], ...] = (SPLITS, OF_MODELS, METASPACES, BYTE_LEVELS, BY_CHARACTER)
    different = []
    for _ in range(200):
        normalizers = rng.choices(NORMALIZERS, k=rng.randint(0, 2))
        specs = [rng.choice(rng.choice(groups)) for _ in range(rng.randint(1, 3))]
        different += [
            f"{normalizers} {specs}: {found}" for found in differences(normalizers, specs, texts(rng, 6), rng)
        ]
    assert different == []


@pytest.mark.parametrize("spec", BY_CHARACTER, ids=str)
def test_a_text_is_cut_at_the_same_code_points(spec: kinds.PreTokenizer) -> None:
    every = ["".join(map(chr, range(start, start + 500))) for start in range(0, 0x3000, 500)]
    astral = ["".join(map(chr, range(start, start + 500))) for start in range(0x10000, 0x11000, 500)]
    rng = random.Random(33)
    assert differences([], [spec], [*every, *astral], rng) == []


def test_metaspace_with_first_goes_by_where_the_section_begins_not_by_its_first_character() -> None:
    chain = open_pre_tokenizer([kinds.Metaspace("\u2581", "first", True)])
    assert chain.words("a b", first=True) == ["\u2581a", "\u2581b"]
    assert chain.words("a b", first=False) == ["a", "\u2581b"]
    assert not chain.needs_alignment


def test_metaspace_with_first_behind_a_cut_needs_the_alignment() -> None:
    first = kinds.Metaspace("\u2581", "first", True)
    assert open_pre_tokenizer([kinds.WhitespaceSplit(), first]).needs_alignment
    assert not open_pre_tokenizer([kinds.ByteLevel(False, False), first]).needs_alignment
    assert not open_pre_tokenizer([kinds.WhitespaceSplit(), kinds.Metaspace("\u2581", "always", True)]).needs_alignment


def test_there_are_no_words_in_nothing() -> None:
    for spec in ALL:
        assert open_pre_tokenizer([spec]).words("", first=True) == []
    assert open_pre_tokenizer([]).words("", first=True) == []
    assert open_pre_tokenizer([]).words("a b", first=True) == ["a b"]


def test_a_pattern_that_is_not_implemented_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedTokenizer, match=r"\\1"):
        open_pre_tokenizer([kinds.Split(kinds.Pattern(r"(a)\1", True), "isolated", False)])
