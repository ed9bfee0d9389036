"""Long sounds are heard in windows: none of it is lost, and no word is cut where there is a pause."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.models.sound.sound_windows import windows_of

RATE, MOST = 16000, 30 * 16000


def speech(seconds: float, pauses: tuple[float, ...] = ()) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Noise, and half a second of near silence around each pause."""
    samples = np.random.default_rng(1).normal(0, 0.2, round(seconds * RATE)).astype(np.float32)
    for pause in pauses:
        samples[round((pause - 0.25) * RATE) : round((pause + 0.25) * RATE)] *= 0.01
    return samples


@pytest.mark.parametrize("seconds", [0, 0.5, 29.99, 30, 30.01, 61.3, 125])
def test_the_windows_together_are_the_whole_sound(seconds: float) -> None:
    samples = speech(seconds)
    windows = list(windows_of(samples, MOST, RATE))
    assert np.array_equal(np.concatenate(windows), samples)
    assert max(map(len, windows)) <= MOST
    assert min(map(len, windows[:-1]), default=MOST) >= MOST * 5 // 6


def test_the_cut_is_in_the_pause() -> None:
    first, second, third = windows_of(speech(70, (27.3, 53.5)), MOST, RATE)
    assert len(first) / RATE == pytest.approx(27.3, abs=0.2)
    assert (len(first) + len(second)) / RATE == pytest.approx(53.5, abs=0.2)
    assert len(first) + len(second) + len(third) == 70 * RATE


def test_silence_is_cut_at_its_end() -> None:
    first, _ = windows_of(np.zeros(40 * RATE, np.float32), MOST, RATE)
    assert len(first) / RATE == pytest.approx(29.9, abs=0.11)
