"""Ids decoded one by one give the text of all ids, and no more is held back than has to be."""

from __future__ import annotations

import random

import pytest

from edge_runtime.tokenizer.decode import Decoder
from edge_runtime.tokenizer.encoding import DecodeStream
from edge_runtime.tokenizer.spec.kinds import (
    CTC,
    BPEDecoder,
    ByteFallback,
    ByteLevelDecoder,
    Fuse,
    MetaspaceDecoder,
    Pattern,
    ReplaceDecoder,
    StripDecoder,
    WordPieceDecoder,
)
from edge_runtime.tokenizer.spec.kinds import Decoder as DecoderKind

LLAMA = (ReplaceDecoder(Pattern("▁", regex=False), " "), ByteFallback(), Fuse(), StripDecoder(" ", 1, 0))


def steps(decoders: tuple[DecoderKind, ...] | None, pieces: list[str]) -> list[str]:
    """Give what each piece gives, and last what `finish` gives."""
    stream = Decoder(decoders, pieces, frozenset()).stream()
    return [*(stream.step(token_id) for token_id in range(len(pieces))), stream.finish()]


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("skip", [True, False])
def test_what_a_stream_gives_is_what_decoding_all_ids_gives(seed: int, skip: bool) -> None:
    pytest.importorskip("tokenizers", reason="the random chains need the peer: pip install tokenizers")
    from tests.edge_runtime.tokenizer.decode.chains import both, random_chain, random_ids

    rng = random.Random(seed)
    for _ in range(20):
        decoder, _ = both(random_chain(rng))
        for _ in range(8):
            ids = random_ids(rng)
            stream = decoder.stream(skip)
            assert "".join(map(stream.step, ids)) + stream.finish() == decoder.decode(ids, skip)


@pytest.mark.parametrize("character", ["é", "€", "😀"])
def test_a_character_is_given_with_its_last_byte(character: str) -> None:
    names = {0xC3: "Ã", 0xA9: "©", 0xE2: "â", 0x82: "Ĥ", 0xAC: "¬", 0xF0: "ð", 0x9F: "Ł", 0x98: "ĺ", 0x80: "Ģ"}
    pieces = [names[byte] for byte in character.encode()]
    assert steps((ByteLevelDecoder(),), pieces) == [*[""] * (len(pieces) - 1), character, ""]
    assert steps((ByteLevelDecoder(),), pieces[:-1])[-1] == "\ufffd"
    assert steps((ByteLevelDecoder(),), [*pieces[:-1], "a"])[-2] == "\ufffda"


def test_a_run_of_byte_tokens_is_given_when_it_ends() -> None:
    assert steps(LLAMA, ["▁a", "<0xC3>", "<0xA9>", "▁b"]) == ["a", "", "", "é b", ""]
    assert steps(LLAMA, ["<0xC3>", "<0xA9>"]) == ["", "", "é"]


def test_a_run_of_bytes_that_cannot_become_text_is_not_held_back() -> None:
    assert steps(LLAMA, ["<0x41>", "<0xFF>", "<0xC3>", "b"]) == ["", "\ufffd\ufffd", "\ufffd", "b", ""]


@pytest.mark.parametrize(
    ("decoders", "pieces", "given"),
    [
        (None, ["a", "b"], ["a", " b", ""]),
        ((), ["a", "b"], ["a", "b", ""]),
        ((WordPieceDecoder("##", cleanup=True),), ["do", "n", "##'", "."], ["do", " n", "'", ".", ""]),
        ((MetaspaceDecoder("▁", "always"),), ["▁a", "▁b"], ["a", " b", ""]),
        ((BPEDecoder("</w>"),), ["a</w>", "b", "c</w>"], ["", "a ", "b", "c"]),
        ((CTC("<pad>", "|", cleanup=True),), ["a", "a", "<pad>", "a", "|"], ["a", "", "", "a", " ", ""]),
        ((Fuse(), StripDecoder(" ", 1, 1)), [" ", " a", " ", "b "], ["", " a", "", " b", ""]),
        ((Fuse(), ReplaceDecoder(Pattern("ab", regex=False), "x")), ["a", "b", "a", "c"], ["", "x", "", "ac", ""]),
        ((Fuse(), WordPieceDecoder("##", cleanup=True)), ["a", " ", ".", "b"], ["a", "", ".", "b", ""]),
        ((Fuse(), MetaspaceDecoder("▁", "first")), ["▁a", "▁b"], ["a", "b", ""]),
    ],
)
def test_only_what_a_later_token_could_change_is_held_back(
    decoders: tuple[DecoderKind, ...] | None, pieces: list[str], given: list[str]
) -> None:
    assert steps(decoders, pieces) == given


def test_a_stream_skips_special_tokens_only_if_asked() -> None:
    decoder = Decoder((WordPieceDecoder("##", cleanup=True),), ["[CLS]", "a"], frozenset({0}))

    def given(stream: DecodeStream) -> list[str]:
        return [stream.step(0), stream.step(1), stream.finish()]

    assert given(decoder.stream()) == ["", "a", ""]
    assert given(decoder.stream(skip_special_tokens=False)) == ["[CLS]", " a", ""]


def test_streams_of_one_decoder_do_not_disturb_each_other() -> None:
    decoder = Decoder(LLAMA, ["<0xC3>", "<0xA9>", "▁a"], frozenset())
    one, other = decoder.stream(), decoder.stream()
    assert one.step(0) + other.step(2) + one.step(1) + other.finish() + one.finish() == "aé"


def test_the_work_for_a_token_does_not_grow_with_the_tokens_before_it() -> None:
    class Counting(str):
        """A piece that counts how often it is read."""

        reads = 0

        def replace(self, *args: object) -> str:  # type: ignore[override]
            Counting.reads += 1
            return str.replace(self, *args)  # type: ignore[arg-type]

    stream = Decoder(LLAMA, [Counting("▁a")], frozenset()).stream()
    given = [stream.step(0) for _ in range(1000)]
    assert "".join(given) == "a" + " a" * 999
    assert Counting.reads == 2  # as the first token, and as any other
