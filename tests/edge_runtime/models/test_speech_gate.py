"""Stretches of speech out of probabilities: as silero_vad decides, and what its settings may be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import BadRequest
from edge_runtime.models.sound.speech_gate import SpeechGate, Stretch, padded, read_settings, share_of

RATE, FRAME = 16000, 512
# The file's `origin` says by what it was made.
ORACLE: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "silero_vad.json").read_text())
NAMES = {
    "threshold": "threshold",
    "min_silence_duration_ms": "min_silence_ms",
    "min_speech_duration_ms": "min_speech_ms",
    "speech_pad_ms": "pad_ms",
}


def stretches(probabilities: Sequence[float], total: int, **parameters: float) -> list[Stretch]:
    settings, gate = read_settings(parameters, RATE), SpeechGate()
    found = [gate.feed(probability, FRAME * number, settings) for number, probability in enumerate(probabilities)]
    found.append(gate.finish(total, settings))
    return padded([one for one in found if one], settings.pad, 0, total)


@pytest.mark.parametrize("name", ORACLE["stretches"])
def test_stretches_are_those_of_silero_vad_to_the_sample(name: str) -> None:
    case = ORACLE["stretches"][name]
    parameters = {NAMES[key]: value for key, value in case["parameters"].items()}
    found = stretches(ORACLE["probabilities"], ORACLE["samples"], **parameters)
    assert found == [(one["start"], one["end"]) for one in case["samples"]]


def test_speech_that_never_ends_ends_with_the_sound() -> None:
    assert stretches([0.0, *[0.9] * 20], 21 * FRAME, pad_ms=0) == [(FRAME, 21 * FRAME)]


def test_a_dip_between_the_thresholds_and_one_that_is_too_short_end_nothing() -> None:
    dips = [*[0.9] * 10, 0.4, 0.36, *[0.9] * 5, 0.1, 0.1, 0.1, *[0.9] * 10]  # three frames are 96 ms
    assert len(stretches(dips, len(dips) * FRAME)) == 1
    assert len(stretches(dips, len(dips) * FRAME, min_silence_ms=60)) == 2


def test_what_is_too_short_is_no_speech() -> None:
    assert stretches([0.9] * 7 + [0.0] * 9, 16 * FRAME) == []
    assert len(stretches([0.9] * 7 + [0.0] * 9, 16 * FRAME, min_speech_ms=200)) == 1


def test_stretches_are_padded_within_the_sound_and_share_a_short_gap() -> None:
    assert padded([(100.0, 200.0), (230.0, 900.0)], 150, 0, 1000) == [(0, 215.0), (215.0, 1000)]
    assert padded([], 150, 0, 1000) == []


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 1.5}, {"threshold": True}, {"pad_ms": -1}, {"min_silence_ms": "long"}, {"pad_ms": float("nan")}],
)
def test_settings_that_cannot_be_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=f"parameter {next(iter(wrong))} is"):
        read_settings(wrong, RATE)


def test_the_share_counts_frames_at_the_threshold() -> None:
    settings = read_settings({}, RATE)
    assert share_of([0.5, 0.6, 0.49, 0.0], settings) == 0.5
    assert share_of([], settings) == 0.0
