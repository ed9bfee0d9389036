"""Scores are read as the original reads them: it rounds twice."""

from __future__ import annotations

import json
import random

import pytest

from edge_runtime.tokenizer.spec.decimal import _read_any, read_decimal


def scores(rng: random.Random, count: int) -> list[str]:
    """Make numbers as JSON writes them, of every length."""
    made = []
    for _ in range(count):
        whole = str(rng.randint(0, 10 ** rng.choice((1, 2, 18, 19, 20, 25))))
        fraction = "".join(rng.choices("0000123456789", k=rng.choice((1, 3, 15, 17, 19, 22, 40))))
        exponent = rng.choice(("", "", "", f"e{rng.randint(-340, 280)}", f"E+{rng.randint(0, 9)}"))
        made.append(rng.choice(("-", "")) + whole + rng.choice(("", "." + fraction)) + exponent)
    return [*made, "-0.0", "0.0", "0e5", "-0e0", "0.0000000000000000000000000000000001", "18446744073709551615.5"]


def test_short_numbers_are_read_as_long_ones_are() -> None:
    for text in scores(random.Random(7), 5_000):
        assert repr(read_decimal(text)) == repr(_read_any(text)), text


def test_the_original_has_the_same_scores() -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")
    texts = scores(random.Random(8), 5_000)
    entries = ", ".join(f'["{at}", {text}]' for at, text in enumerate(texts))
    model = f'{{"type": "Unigram", "vocab": [{entries}]}}'
    written = json.loads(tokenizers.Tokenizer.from_str(f'{{"version": "1.0", "model": {model}}}').to_str())
    for text, (_, theirs) in zip(texts, written["model"]["vocab"], strict=True):
        assert repr(read_decimal(text)) == repr(float(theirs)), text  # what it writes is exact


@pytest.mark.parametrize("text", ["1e999", "1" + "0" * 400, "nan", "0x1"])
def test_what_is_no_number_of_json_or_too_large_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        read_decimal(text)
