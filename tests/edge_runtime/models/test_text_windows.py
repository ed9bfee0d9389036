"""Windows over long texts: every token is in one, none is cut away unsaid, each is taken from where it stands best."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from edge_runtime.bundle.manifest import Limits
from edge_runtime.bundle.text_specs import WindowSpec
from edge_runtime.errors import InputTooLong
from edge_runtime.models.texts.text_windows import of_whole_text, places_of, windows_of_context, windows_of_text
from edge_runtime.tokenizer import Tokenizer, open_tokenizer
from tests import tiny

TEXT = "turn on the light in a kitchen and close it " * 9


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    file.write_text(json.dumps(tiny.tokenizer_json()))
    return open_tokenizer(file)


def all_spans(tokenizer: Tokenizer, text: str) -> np.ndarray:
    encoded = tokenizer.encode_batch([text], special_tokens=False, offsets=True)
    assert encoded.offsets is not None
    return encoded.offsets[0]


@pytest.mark.parametrize("stride", [0, 1, 5, 100])
@pytest.mark.parametrize("max_tokens", [3, 4, 9, 16, 200])
def test_the_windows_hold_every_token_of_the_text_once_beside_what_they_repeat(
    tokenizer: Tokenizer, max_tokens: int, stride: int
) -> None:
    taken = windows_of_text(tokenizer, TEXT, Limits(max_tokens, 8), WindowSpec(stride, most=10**6), truncate=False)
    windows, spans = places_of(taken)
    assert np.array_equal(spans, all_spans(tokenizer, TEXT))
    assert taken.encoded.input_ids.shape[1] <= max_tokens
    assert windows[-1].first + windows[-1].count == len(spans)
    for before, after in itertools.pairwise(windows):
        assert before.first + before.count - after.first == taken.stride
    numbers = [np.full((taken.encoded.input_ids.shape[1], 1), -1.0, np.float32) for _ in windows]
    for window, columns in zip(windows, numbers, strict=True):
        columns[window.column : window.column + window.count, 0] = np.arange(window.first, window.first + window.count)
    assert of_whole_text(windows, numbers)[:, 0].tolist() == list(range(len(spans)))


def test_a_shared_token_is_taken_from_the_window_with_more_text_around_it(tokenizer: Tokenizer) -> None:
    taken = windows_of_text(tokenizer, TEXT, Limits(12, 8), WindowSpec(4), truncate=False)
    windows, spans = places_of(taken)
    owners = of_whole_text(windows, [np.full((12, 1), number, np.float32) for number in range(len(windows))])[:, 0]
    for token in range(len(spans)):
        rooms = {
            number: min(
                token - one.first if number else 10**6,
                one.first + one.count - 1 - token if number + 1 < len(windows) else 10**6,
            )
            for number, one in enumerate(windows)
            if one.first <= token < one.first + one.count
        }
        assert rooms[int(owners[token])] == max(rooms.values())


@pytest.mark.parametrize("question", ["on", "is the kitchen light on?"])
def test_each_window_of_a_context_begins_with_the_whole_question(tokenizer: Tokenizer, question: str) -> None:
    taken = windows_of_context(tokenizer, question, TEXT, Limits(20, 8), WindowSpec(50), truncate=False)
    asked = all_spans(tokenizer, question)
    windows, spans = places_of(taken)
    assert np.array_equal(spans, all_spans(tokenizer, TEXT))
    assert {window.column for window in windows} == {len(asked) + 2}
    rows = taken.encoded.input_ids
    assert (rows[:, 1 : len(asked) + 1] == rows[0, 1 : len(asked) + 1]).all()


def test_a_text_of_too_many_windows_is_refused_or_cut_as_asked(tokenizer: Tokenizer) -> None:
    limits, spec = Limits(12, 8), WindowSpec(4, most=3)
    tokens = len(all_spans(tokenizer, TEXT))
    with pytest.raises(InputTooLong) as refused:
        windows_of_text(tokenizer, TEXT, limits, spec, truncate=False)
    assert (refused.value.found, refused.value.limit) == (tokens, 10 + 2 * 6)
    taken = windows_of_text(tokenizer, TEXT, limits, spec, truncate=True)
    assert taken.truncated
    _, spans = places_of(taken)
    assert np.array_equal(spans, all_spans(tokenizer, TEXT)[:22])
    whole = windows_of_text(tokenizer, TEXT[: spans[-1, 1]], limits, spec, truncate=True)
    assert not whole.truncated


def test_a_question_that_leaves_no_room_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputTooLong, match="takes 12"):
        windows_of_context(tokenizer, "on " * 9, "the light", Limits(12, 8), WindowSpec(4), truncate=True)
