"""WordLevel looks words up as the peer does."""

from __future__ import annotations

import pytest

from edge_runtime.errors import BadRequest
from edge_runtime.tokenizer.plain.word_level import WordLevel
from edge_runtime.tokenizer.spec import kinds
from tests.edge_runtime.tokenizer.families import models
from tests.edge_runtime.tokenizer.plain.model_oracle import assert_same


@pytest.mark.parametrize("seed", range(30))
def test_any_word_gives_the_token_of_the_peer(seed: int) -> None:
    assert_same(models.word_level, seed)


def test_a_word_is_one_token_or_unknown() -> None:
    ours = WordLevel(kinds.WordLevel({"lamp": 0, "<unk>": 1}, "<unk>"))
    assert ours.tokenize("lamp") == [(0, 0, 4)]
    assert ours.tokenize("lamps") == [(1, 0, 5)]


def test_an_unknown_token_that_the_vocabulary_lacks_is_missed_when_it_is_needed() -> None:
    ours = WordLevel(kinds.WordLevel({"lamp": 0}, "<unk>"))
    assert ours.ids("lamp") == [0]
    with pytest.raises(BadRequest, match="text has 'lamps'"):
        ours.ids("lamps")
