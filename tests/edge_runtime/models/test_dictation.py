"""The decoder's loop on a scripted graph: which tokens it is told, which it takes, and when it stops."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from edge_runtime.bundle.manifest import ModelSpec, TensorSpec
from edge_runtime.bundle.speech_specs import TranscribeSpec
from edge_runtime.errors import UnsupportedModel
from edge_runtime.models.sound.dictation import Dictation, Said

VOCABULARY = 16
END, START, EN, DE, WRITE, QUIET, TIMELESS = range(9, 16)
ENGLISH = TranscribeSpec(START, END, TIMELESS, no_speech=QUIET, suppress=(1, START), suppress_first=(2, END))
MANY = dataclasses.replace(ENGLISH, transcribe=WRITE, languages={"en": EN, "de": DE})
PAST: tuple[int | str, ...] = ("batch", 2, "said", 4)
SOUND: tuple[int | str, ...] = ("batch", 2, "frames", 4)
HEARD = (TensorSpec("present.0.encoder.key", "float32", SOUND),)
CROSS = np.ones((1, 2, 5, 4), np.float32)


def decoder(*others: TensorSpec) -> ModelSpec:
    """What the manifest says of the scripted graph."""
    inputs = (
        TensorSpec("input_ids", "int64", ("batch", "one")),
        TensorSpec("past_key_values.0.decoder.key", "float32", PAST),
        TensorSpec("past_key_values.0.encoder.key", "float32", SOUND),
    )
    outputs = (
        TensorSpec("logits", "float32", ("batch", "one", VOCABULARY)),
        TensorSpec("present.0.decoder.key", "float32", PAST),
    )
    return ModelSpec("decoder.onnx", "onnx", "float32", True, (*inputs, *others), outputs)


class Script:
    """A session that prefers the tokens of a list, one a step; `told` is what it was fed.

    Each step's logits are those of `scores`, by token; what is not said is -5.
    """

    parallel = True
    input_names = ("input_ids",)

    def __init__(self, *scores: Mapping[int, float]) -> None:
        self.scores, self.told = list(scores), list[int]()

    def run(self, feeds: Mapping[str, Any]) -> list[Any]:
        assert np.array_equal(feeds["past_key_values.0.encoder.key"], CROSS)
        past = feeds["past_key_values.0.decoder.key"]
        assert past.shape == (1, 2, len(self.told), 4)
        self.told.append(int(feeds["input_ids"][0, 0]))
        logits = np.full((1, 1, VOCABULARY), -5, np.float32)
        for token, score in self.scores[len(self.told) - 1].items():
            logits[0, 0, token] = score
        return [logits, np.concatenate([past, np.zeros((1, 2, 1, 4), np.float32)], axis=2)]


def written(script: Script, spec: TranscribeSpec = ENGLISH, said: Said | None = None, most: int = 10) -> Said:
    found = said or Said()
    found.tokens = found.tokens or []
    assert list(Dictation(script, decoder(), HEARD, spec, 100).write([CROSS], found, most)) == found.tokens
    return found


def test_a_model_of_one_language_is_told_two_tokens_and_stops_at_the_end() -> None:
    script = Script({}, {4: 3}, {5: 3}, {END: 3})
    assert written(script).tokens == [4, 5]
    assert script.told == [START, TIMELESS, 4, 5]


def test_a_model_of_several_is_told_the_language_and_the_task() -> None:
    script = Script({}, {}, {}, {4: 3}, {END: 3})
    assert written(script, MANY, Said(language="de")).tokens == [4]
    assert script.told == [START, DE, WRITE, TIMELESS, 4]


def test_without_a_language_the_likeliest_is_taken_whatever_else_is_likelier() -> None:
    script = Script({EN: 1, DE: 2, 4: 9}, {}, {}, {END: 0, 5: 3}, {END: 3})
    assert written(script, MANY).language == "de"
    assert script.told == [START, DE, WRITE, TIMELESS, 5]


def test_what_is_suppressed_is_never_said_and_some_not_first() -> None:
    script = Script({}, {1: 9, 2: 8, END: 7, 4: 3}, {1: 9, START: 9, 2: 8}, {END: 3})
    assert written(script).tokens == [4, 2]


def test_a_text_longer_than_its_bound_is_cut_and_that_is_said() -> None:
    endless = [{}, *[{4: 3.0}] * 4]
    assert (written(Script(*endless), most=3).tokens, written(Script(*endless), most=3).cut) == ([4, 4, 4], True)
    assert not written(Script({}, {4: 3}, {4: 3}, {4: 3}, {END: 3}), most=3).cut


def test_how_sure_it_is_is_told() -> None:
    quiet = written(Script({QUIET: 10}, {4: 10}, {END: 10}))
    assert quiet.no_speech == pytest.approx(1, abs=1e-4)
    assert quiet.log_likelihood == pytest.approx(0, abs=1e-4)
    unsure = written(Script({4: 10}, {}, {END: -5}, *[{END: 9}] * 3))
    assert unsure.no_speech < 1e-4
    assert unsure.log_likelihood < -1.2  # of about 12 tokens that are alike, then 14 with the end among them


@pytest.mark.parametrize(
    ("model", "heard", "named"),
    [
        (decoder(TensorSpec("past_key_values.1.decoder.key", "float32", PAST)), HEARD, "past_key_values.1.decoder.key"),
        (decoder(), (), "past_key_values.0.encoder.key"),
        (decoder(TensorSpec("attention_mask", "int64", ("batch", "said"))), HEARD, "attention_mask"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(model: ModelSpec, heard: Sequence[TensorSpec], named: str) -> None:
    with pytest.raises(UnsupportedModel, match=named):
        Dictation(Script(), model, tuple(heard), ENGLISH, 100)
