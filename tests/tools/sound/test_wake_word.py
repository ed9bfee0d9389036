"""The wake word's graph, its data and what is counted as right: with real graphs and espeak-ng's voices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.engine.onnx import open_onnx
from edge_runtime.models.sound.wake_word import Event, WakeAnswer
from edgert_tools.sound import said_words
from edgert_tools.sound.said_words import NEAR, RATE, WORDS, Said, sayings
from edgert_tools.sound.wake_graph import BANDS, CONTEXT, EMBEDDINGS, FRAME, STEPS, WIDTH, WakeHead, wake_graph
from edgert_tools.sound.wake_word import Features, is_right, taught
from edgert_tools.speech.spoken import is_installed
from tests.conftest import fetched

needs_espeak = pytest.mark.skipif(not is_installed(), reason="espeak-ng is not installed")


def noise(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.random.default_rng(3).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def head() -> WakeHead:
    random = np.random.default_rng(4)
    shapes = ((EMBEDDINGS * WIDTH, 8), (8,), (8, 1), (1,))
    return WakeHead(*(random.normal(0, 0.03, shape).astype(np.float32) for shape in shapes))


def test_the_graph_fed_frame_by_frame_makes_the_embeddings_that_training_saw(tmp_path: Path) -> None:
    file = fetched(lambda: wake_graph(head(), tmp_path / "wake.onnx", print))
    session, samples = open_onnx(file, 1), noise(2.5)
    expected, one = Features(print).embeddings(samples), head()
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), samples])
    steps, known = np.zeros((1, STEPS, BANDS), np.float32), np.zeros((1, EMBEDDINGS, WIDTH), np.float32)
    for number, row in enumerate(expected):
        audio = padded[None, number * FRAME : (number + 1) * FRAME + CONTEXT]
        probability, steps, known = session.run({"audio": audio, "steps": steps, "embeddings": known})
        assert np.abs(known[0, -1] - row).max() < 1e-3 * np.abs(expected).max()  # many at a time sum in another order
        hidden = np.maximum(known.reshape(1, -1) @ one.first + one.first_bias, 0)
        logit = hidden @ one.second + one.second_bias
        assert probability.item() == pytest.approx(1 / (1 + np.exp(-logit.item())), abs=1e-4)


def test_the_head_is_taught_to_speak_up_after_the_words_and_not_around_them() -> None:
    embeddings = np.random.default_rng(1).normal(size=(40, WIDTH)).astype(np.float32)  # 3.2 seconds
    views, wanted = taught(embeddings, Said(noise(3.2), 1.6))
    assert views.shape == (len(wanted), EMBEDDINGS * WIDTH)
    assert wanted.sum() == 6  # frames that end from 0 to 0.45 s after 1.6 s
    assert len(wanted) < 40  # what is neither clearly before nor after is left out
    last = views[wanted == 1][0].reshape(EMBEDDINGS, WIDTH)[-1]
    assert np.array_equal(last, embeddings[19])  # the frame that ends at 1.6 s
    _, others = taught(embeddings, Said(noise(3.2), None))
    assert (len(others), others.sum()) == (40, 0)


@pytest.mark.parametrize(
    ("times", "ends", "right"),
    [
        ([], None, True),
        ([1.0], None, False),
        ([1.2], 1.0, True),
        ([0.9], 1.0, True),  # the last sound of the words need not be waited for
        ([], 1.0, False),
        ([0.3], 1.0, False),
        ([2.5], 1.0, False),
        ([1.1, 1.3], 1.0, False),
    ],
)
def test_one_event_soon_after_the_words_is_right_and_none_without_them(
    times: list[float], ends: float | None, right: bool
) -> None:
    answer = WakeAnswer(tuple(Event(WORDS, 0.9, time_s) for time_s in times))
    assert is_right(answer, ends) is right


@needs_espeak
def test_sounds_are_the_same_each_time_and_say_where_the_words_end() -> None:
    first, again = (fetched(lambda: list(sayings(3, 2, 2, 9, held_back=True))) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.samples, other.samples)
    assert [one.words_end_s is None for one in first] == [False] * 3 + [True] * 4
    for one in first[:3]:
        assert one.words_end_s is not None
        assert 0.5 < one.words_end_s < len(one.samples) / RATE - 0.5


@needs_espeak
def test_held_back_sounds_have_voices_and_sentences_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[bool, set[tuple[str, str]]] = {True: set(), False: set()}
    held_back = False

    def hear(text: str, voice: str, pace: int, pitch: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        asked[held_back].add((text, voice.partition("+")[2]))
        return noise(0.5)

    monkeypatch.setattr(said_words, "spoken", hear)
    for held_back in (True, False):
        fetched(lambda which=held_back: list(sayings(40, 60, 40, 9, held_back=which)))
    voices, texts = ({which: {one[place] for one in asked[which]} for which in asked} for place in (1, 0))
    assert not voices[True] & voices[False]
    assert texts[True] & texts[False] == {WORDS}
    assert {text for text in texts[True] if text in NEAR}
