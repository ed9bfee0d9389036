"""The plain tokenizer as a whole is the peer, whatever the file says and whatever the text."""

from __future__ import annotations

import random
from typing import Any

import pytest

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from edge_runtime.tokenizer.plain.reference import ReferenceTokenizer
from tests.edge_runtime.tokenizer.families.comparison import peer_of, spec_of
from tests.edge_runtime.tokenizer.families.files import FAMILIES
from tests.edge_runtime.tokenizer.fuzz import fuzz


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("family", FAMILIES)
def test_random_files_of_a_family_and_random_texts_give_what_the_peer_gives(
    family: str, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    totals = fuzz(180, random.Random(f"{family} {seed}").getrandbits(32), (family,))
    assert totals["different"] == 0, capsys.readouterr().out


def test_unknown_white_space_of_a_unigram_model_is_trimmed_off_offsets() -> None:
    none = dict.fromkeys(("truncation", "padding", "normalizer", "pre_tokenizer", "decoder"))
    model = {"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": [["<unk>", 0.0], ["a", -1.0]]}
    trimming = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    document: dict[str, Any] = {
        "version": "1.0",
        **none,
        "added_tokens": [],
        "post_processor": trimming,
        "model": model,
    }
    text = "a\u3000 x\u3000a \u3000a"
    encoded = ReferenceTokenizer(spec_of(document)).encode_batch([text], offsets=True)
    assert encoded.offsets is not None
    assert encoded.offsets.tolist() == [[[0, 1], [3, 4], [5, 6], [8, 8], [8, 9]]]
    assert peer_of(document, parse_special=False).encode(text).offsets == list(map(tuple, encoded.offsets[0].tolist()))
