"""What a tokenizer learns before it serves, and the short texts it remembers whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import InputTooLong
from edge_runtime.tokenizer import open_tokenizer
from edge_runtime.tokenizer.common_words import common_words
from edge_runtime.tokenizer.compiled import compile_tokenizer, open_compiled
from edge_runtime.tokenizer.encoding import Encoded, Tokenizer
from edge_runtime.tokenizer.recent import RecentTexts
from edge_runtime.tokenizer.vector.scalar import NotSimple, ShortTexts
from tests.edge_runtime.tokenizer.real_files import EVERYDAY

TEXTS = ["turn off the living room lights", "Seventeen degrees, 21 now", "café 中文 don't", " ", "", "a  b"]


def _row(tokens: int) -> Encoded:
    ids = np.zeros((1, tokens), np.int64)
    return Encoded(ids, ids, ids, (False,))


@pytest.fixture
def minilm_compiled(minilm_folder: Path, tmp_path: Path) -> Path:
    compile_tokenizer(minilm_folder / "tokenizer.json", tmp_path / "fast")
    return tmp_path / "fast"


@pytest.fixture
def minilm_tokenizer(minilm_compiled: Path) -> Tokenizer:
    return open_tokenizer(minilm_compiled)


@pytest.mark.parametrize("name", EVERYDAY)
def test_a_tokenizer_that_is_warmed_up_gives_the_same(
    name: str, real_tokenizer: Callable[[str], Path], tmp_path: Path
) -> None:
    compile_tokenizer(real_tokenizer(name), tmp_path / "fast")
    plain, warmed = (
        open_tokenizer(tmp_path / "fast" if (tmp_path / "fast").exists() else real_tokenizer(name)) for _ in range(2)
    )
    warmed.warm_up()
    for text in TEXTS:
        wanted = plain.encode_batch([text])
        for again in (warmed.encode_batch([text]), warmed.encode_batch([text])):
            assert all(np.array_equal(own, other) for own, other in zip(again[:3], wanted[:3], strict=True))


def test_what_is_remembered_cannot_be_changed_by_who_gets_it(minilm_tokenizer: Tokenizer) -> None:
    minilm_tokenizer.encode_batch(["hello there"])
    for array in minilm_tokenizer.encode_batch(["hello there"])[:3]:
        assert isinstance(array, np.ndarray)
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 7


def test_a_remembered_text_still_can_be_too_long(minilm_tokenizer: Tokenizer) -> None:
    text = "hello there you"
    assert minilm_tokenizer.encode_batch([text], 5).input_ids.shape == (1, 5)
    with pytest.raises(InputTooLong):
        minilm_tokenizer.encode_batch([text], 4)
    assert minilm_tokenizer.encode_batch([text], 4, truncate=True).truncated == (True,)


def test_what_was_asked_for_last_is_remembered_and_the_rest_forgotten() -> None:
    recent = RecentTexts()
    for number in range(5000):
        recent.add(f"text {number}", _row(10))
    assert recent.get("text 4999") is not None
    assert recent.get("text 0") is None
    assert sum(recent.get(f"text {number}") is not None for number in range(5000)) < 2000


class Joining:
    """A family in which `5` joins with what stands beside it, so that it is no word by itself."""

    leads_with_space = skips_spaces = False

    def ids_of(self, segment: str) -> list[int]:
        if "5" in segment:
            raise NotSimple
        return [len(segment)]


def test_a_word_that_joins_with_its_neighbours_is_not_learned() -> None:
    texts = ShortTexts(Joining())
    texts.learn(["a", "5", "b"])
    assert texts.framed(b"", "a b", b"") is not None
    assert texts.framed(b"", "a 5", b"") is None


def test_a_long_text_is_not_remembered() -> None:
    recent = RecentTexts()
    recent.add("x" * 5000, _row(10))
    assert recent.get("x" * 5000) is None


def test_words_come_in_the_order_of_the_vocabulary(minilm_compiled: Path) -> None:
    words = list(common_words(open_compiled(minilm_compiled).arrays, 2000))
    assert len(words) == 2000
    assert words.index("the") < words.index("light")
    assert all(word.isalpha() for word in words)
