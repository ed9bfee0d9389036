"""Decoded text is that of Hugging Face `tokenizers`, for every decoder and every chain of them."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from tokenizers import Tokenizer

from edge_runtime.errors import BadRequest
from edge_runtime.tokenizer.decode import Decoder
from edge_runtime.tokenizer.spec.kinds import (
    ByteLevelDecoder,
    Fuse,
    MetaspaceDecoder,
    Pattern,
    ReplaceDecoder,
    StripDecoder,
    WordPieceDecoder,
)
from tests.edge_runtime.tokenizer.decode import chains
from tests.edge_runtime.tokenizer.decode.chains import PIECES, SPECIAL, both, peer_of, random_chain, random_ids

KINDS = [
    chains.byte_level,
    chains.word_piece,
    chains.metaspace,
    chains.byte_pair,
    chains.ctc,
    chains.replace,
    chains.fuse,
    chains.strip,
    chains.byte_fallback,
]


def compare(ours: Decoder, peer: Tokenizer, rng: random.Random, times: int) -> int:
    """Fail unless both give the same texts; say how often the peer gave one at all."""
    compared = 0
    for _ in range(times):
        ids, skip = random_ids(rng), rng.random() < 0.5
        expected = None
        try:
            expected = peer.decode(ids, skip_special_tokens=skip)
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # its Strip panics where nothing but the content is left
                raise
        text = ours.decode(ids, skip)
        if expected is not None:
            assert text == expected
            compared += 1
    return compared


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_decoder_gives_the_text_of_the_peer(kind: Callable[..., tuple[object, dict[str, object]]]) -> None:
    rng = random.Random(kind.__name__)
    compared = 0
    for _ in range(40):
        compared += compare(*both([kind(rng)]), rng, times=20)  # type: ignore[list-item]
    assert compared > 400


@pytest.mark.parametrize("seed", range(20))
def test_every_chain_of_decoders_gives_the_text_of_the_peer(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        compare(*both(random_chain(rng)), rng, times=10)


def test_without_a_decoder_tokens_are_joined_by_spaces() -> None:
    assert compare(Decoder(None, PIECES, SPECIAL), peer_of(None), random.Random(0), times=200) == 200


def test_a_chain_of_nothing_joins_tokens() -> None:
    ours, peer = both([])
    assert compare(ours, peer, random.Random(0), times=200) == 200


@pytest.mark.parametrize("pattern", [" {2,}", "x*", "[ab]+", "a|(?=b)", "^a", "x$", "▁|x", ""])
@pytest.mark.parametrize("behind_fuse", [True, False])
def test_regular_expressions_replace_what_the_peer_replaces(pattern: str, behind_fuse: bool) -> None:
    rng = random.Random(pattern)
    document = chains.replace_document({"Regex": pattern}, "zz")
    chain = [(ReplaceDecoder(Pattern(pattern, regex=True), "zz"), document)]
    ours, peer = both([chains.fuse(rng), *chain] if behind_fuse else chain)  # type: ignore[list-item]
    assert compare(ours, peer, rng, times=100) == 100


def test_an_empty_text_to_replace_is_found_everywhere_as_by_the_peer() -> None:
    chain = (ReplaceDecoder(Pattern("", regex=False), "-"), chains.replace_document({"String": ""}, "-"))
    assert compare(*both([chain]), random.Random(0), times=100) == 100


def test_bytes_that_are_no_text_become_the_replacement_characters_of_the_peer() -> None:
    ours, peer = both([chains.byte_level(random.Random())])
    rng = random.Random(0)
    broken = [PIECES.index(piece) for piece in ("Ã", "©", "â", "Ĥ", "¬", "ð", "ŁĺĢ", "ðŁ", "í", "ł", "ÿ", "a")]
    for _ in range(500):
        ids = rng.choices(broken, k=rng.randrange(8))
        assert ours.decode(ids) == peer.decode(ids)


def test_special_tokens_are_skipped_only_if_asked() -> None:
    ours = Decoder((WordPieceDecoder("##", cleanup=True),), ["[CLS]", "a", "##b", "."], frozenset({0}))
    assert ours.decode([0, 1, 2, 3]) == "ab."
    assert ours.decode([0, 1, 2, 3], skip_special_tokens=False) == "[CLS] ab."


def test_the_first_token_is_the_first_that_is_not_skipped() -> None:
    ours = Decoder((MetaspaceDecoder("▁", "always"),), ["<s>", None, "▁a"], frozenset({0}))
    assert ours.decode([0, 1, 0, 2, 2]) == "a a"


@pytest.mark.parametrize("ids", [[-1], [3], [0, 10**9]])
@pytest.mark.parametrize("decoders", [None, (ByteLevelDecoder(),), (Fuse(), StripDecoder(" ", 1, 0))])
def test_an_id_outside_the_vocabulary_is_refused(ids: list[int], decoders: object) -> None:
    ours = Decoder(decoders, ["a", None, "b"], frozenset())  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="is not in the vocabulary: send ids from 0 to 2"):
        ours.decode(ids)
    with pytest.raises(BadRequest):
        ours.stream().step(ids[-1])


def test_ids_may_be_an_array_or_an_iterator() -> None:
    ours = Decoder((ByteLevelDecoder(),), ["a", "Ġb"], frozenset())
    assert ours.decode(np.array([0, 1])) == ours.decode(iter([0, 1])) == "a b"
