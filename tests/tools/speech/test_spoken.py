"""The speech that models are judged on."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from edge_runtime.errors import SourceUnavailable
from edgert_tools.speech import spoken
from edgert_tools.speech.spoken import is_installed, pronounced, resampled, sentences


def tone(rate: int, hz: float, seconds: float = 0.5) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate).astype(np.float32)


def test_a_tone_stays_the_same_tone_at_another_rate() -> None:
    made = resampled(tone(22050, 1000), 22050, 16000)
    assert len(made) == 8000
    np.testing.assert_allclose(made[400:-400], tone(16000, 1000)[400:-400], atol=2e-3)


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    assert np.abs(resampled(tone(22050, 9500), 22050, 16000)[400:-400]).max() < 0.02


def test_a_missing_program_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spoken, "PROGRAM", "no-such-synthesiser")
    with pytest.raises(SourceUnavailable, match="apt-get install no-such-synthesiser"):
        pronounced("hello", "en-us")


@pytest.mark.skipif(not is_installed(), reason="espeak-ng is not installed: apt-get install espeak-ng")
def test_a_sentence_is_pronounced_clause_by_clause() -> None:
    assert pronounced("Yes, no.", "en-us").count(",") == 1
    assert pronounced("--help", "en-us").endswith(".")  # a text is never an option


def test_sentences_are_plain_words_of_both_kinds_and_always_the_same() -> None:
    notes: list[str] = []
    found = sentences(11, notes.append)
    assert found == sentences(11, notes.append)
    assert len({*found}) == 11
    assert all(5 <= len(text.split()) <= 20 and not any(map(str.isdigit, text)) for text in found)
    with pytest.raises(SourceUnavailable, match="ask for fewer"):
        sentences(100_000, notes.append)


def samples_in(raw: bytes) -> int:
    with wave.open(io.BytesIO(raw)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16000, 1, 2)
        return sound.getnframes()


class Network:
    """Gives 100 samples a token, louder than full scale."""

    def run(self, _outputs: None, feeds: dict[str, np.ndarray[tuple[int, int], np.dtype[np.int64]]]) -> list[object]:
        self.ids = feeds["input"].tolist()[0]
        return [np.full((1, 1, 100 * len(self.ids)), 3, np.float32)]


@pytest.mark.skipif(not is_installed(), reason="espeak-ng is not installed: apt-get install espeak-ng")
def test_a_voice_is_fed_its_own_signs_with_padding_between_them() -> None:
    voice = spoken.Voice.__new__(spoken.Voice)
    network = Network()
    voice._ids, voice._rate, voice._accent = (
        {"_": [0], "^": [1], "$": [2], ".": [10], "n": [40], "o": [41]},
        16000,
        "en-us",
    )
    voice._network = network
    assert samples_in(voice.read("no")) == 100 * len(network.ids)
    assert network.ids[:2] == [1, 0]
    assert network.ids[-3:] == [10, 0, 2]
    assert {40, 41} <= {*network.ids}
