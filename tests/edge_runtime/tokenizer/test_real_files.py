"""Real tokenizers of every family give what Hugging Face gives, in all that `edgert tokenizer check` compares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from edge_runtime.tokenizer.spec import read_spec
from edgert_tools.parity import compare, family_of
from edgert_tools.parity_texts import builtin_texts
from tests.edge_runtime.tokenizer.real_files import EVERYDAY, MADE, TOKENIZERS

# Of what edgert makes itself those that no file of its makers stands for.
_ONLY_MADE = ("gpt2", "roberta", "clip", "mistral-v3", "t5", "xlm-roberta", "albert")


@pytest.mark.parametrize("name", [*EVERYDAY, *_ONLY_MADE])
def test_a_real_tokenizer_is_the_same_as_hugging_faces(name: str, real_tokenizer: Callable[[str], Path]) -> None:
    result = compare(real_tokenizer(name), lambda tokens: builtin_texts(tokens, lines=240))
    assert result.first == ()
    assert result.mismatches == 0


def test_the_everyday_files_are_of_every_family_that_was_found(real_tokenizer: Callable[[str], Path]) -> None:
    assert {family_of(read_spec(real_tokenizer(name))) for name in ("minilm", "llama2", "deberta-v3")} == {
        "wordpiece",
        "bpe",
        "unigram",
    }
    assert set(_ONLY_MADE) <= set(MADE)
    assert set(EVERYDAY) < set(TOKENIZERS)
