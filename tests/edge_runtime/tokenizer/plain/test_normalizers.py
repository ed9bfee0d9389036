"""Normalizers, alone and one after another: the peer's texts and alignments."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.edge_runtime.tokenizer.plain.component_oracle import (  # isort: skip  (skips all without the peer)
    differences,
    peer_normalizer,
    random_component_text,
)

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.plain.normalizers import open_normalizer
from edge_runtime.tokenizer.spec import kinds
from tests.edge_runtime.tokenizer.documents import every_code_point
from tests.edge_runtime.tokenizer.plain.charsmap_file import compile_charsmap

CHARSMAP = compile_charsmap(
    {"\t": " ", "\r": " ", "\n": " ", "\r\n": "  ", "\u3000": " ", "\uff21": "A", "\ufb01": "fi", "\xe9": "e\u0301"}
    | {"\u200b": "", "\xad": "", "e\u0301": "\xe9", "\u2160": "I", "\xbd": "1/2", "\U0001f600": ":)", "'": "\u2019"}
)
BERT = [kinds.BertNormalizer(*flags) for flags in itertools.product((True, False), repeat=4)]
FORMS = [kinds.UnicodeForm("NFC"), kinds.UnicodeForm("NFD"), kinds.UnicodeForm("NFKC"), kinds.UnicodeForm("NFKD")]
BY_CHARACTER: list[kinds.Normalizer] = [
    kinds.Lowercase(),
    kinds.StripAccents(),
    kinds.Nmt(),
    kinds.ByteLevelNormalizer(),
]
REPLACEMENTS = [
    kinds.Replace(kinds.Pattern(*pattern), content)
    for pattern in (
        (" ", False),
        ("'s", False),
        ("\u2581", False),
        (" {2,}", True),
        (r"\s+|[^\w\s]", True),
        ("$", False),
    )
    for content in ("", "\u2581", "<\xe9>", r"\1")
]
ENDS = [kinds.Strip(True, True), kinds.Strip(True, False), kinds.Strip(False, True), kinds.Strip(False, False)]
OTHERS: list[kinds.Normalizer] = [kinds.Prepend("\u2581"), kinds.Prepend("\xe9 a"), kinds.Precompiled(CHARSMAP)]
ALL: list[kinds.Normalizer] = [*BERT, *FORMS, *BY_CHARACTER, *REPLACEMENTS, *ENDS, *OTHERS]


def texts(rng: random.Random, count: int) -> list[str]:
    return ["", " ", *(random_component_text(rng) for _ in range(count))]


def short(spec: kinds.Normalizer) -> str:
    return "Precompiled" if isinstance(spec, kinds.Precompiled) else str(spec)


@pytest.mark.parametrize("spec", ALL, ids=short)
def test_a_normalizer_gives_the_peers_texts_and_alignments(spec: kinds.Normalizer) -> None:
    rng = random.Random(21)
    assert differences([spec], [], texts(rng, 60), rng) == []


def test_sequences_of_normalizers_give_the_peers_texts_and_alignments() -> None:
    rng = random.Random(22)
    different = []
    for _ in range(150):
        specs = rng.choices(ALL, k=rng.randint(2, 4))
        different += [f"{list(map(short, specs))}: {found}" for found in differences(specs, [], texts(rng, 8), rng)]
    assert different == []


@pytest.mark.parametrize("spec", [BERT[0], *FORMS, *BY_CHARACTER, ENDS[0]], ids=short)
def test_every_code_point_becomes_what_it_becomes_in_the_peer(spec: kinds.Normalizer) -> None:
    ours, peer = open_normalizer([spec]), peer_normalizer(spec)
    assert [text for text in every_code_point("a{} ") if ours.normalize(text) != peer.normalize_str(text)] == []


def test_no_normalizer_leaves_a_text_and_its_alignment_alone() -> None:
    assert open_normalizer([]).normalize("\xc9 \r\n") == "\xc9 \r\n"


def test_nothing_is_put_in_front_of_nothing() -> None:
    strip_and_prepend = open_normalizer([kinds.Strip(True, True), kinds.Prepend("\u2581")])
    assert [strip_and_prepend.normalize(text) for text in ("", "  ", " a")] == ["", "", "\u2581a"]


def test_lower_casing_does_not_look_at_neighbours() -> None:
    assert (
        open_normalizer([kinds.Lowercase()]).normalize("\u039f\u0394\u039f\u03a3 \u0130")
        == "\u03bf\u03b4\u03bf\u03c3 i\u0307"
    )


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (kinds.Replace(kinds.Pattern("x*", True), "y"), "Replace looks for 'x\\*', which can match nothing"),
        (kinds.Replace(kinds.Pattern("", False), "y"), "can match nothing"),
        (kinds.Replace(kinds.Pattern(r"(a)\1", True), "y"), r"\\1"),
        (kinds.Prepend(""), "Prepend of nothing"),
        (kinds.Precompiled(b""), "precompiled_charsmap"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(spec: kinds.Normalizer, complaint: str) -> None:
    with pytest.raises(UnsupportedTokenizer, match=complaint):
        open_normalizer([spec])
