"""The board's spectrogram is the one that Whisper was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_runtime.models.sound.mel import MelSpectrogram, mel_filters
from tests.tiny_whisper import sound

RATE, SECONDS = 16000, 30
# Both compute in float32 at the end. transformers' NumPy way differs by 2.4e-7, its torch way, whose Fourier transform
# is in float32 as well, by up to 3.2e-5 of values from about -1 to 1.5.
NUMPY_GAP, TORCH_GAP = 1e-6, 1e-4


def extractor(mels: int) -> Any:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    return transformers.WhisperFeatureExtractor(feature_size=mels)


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize("seconds", [0.01, 1.0, 9.9637, 29.99, 30.0])
def test_a_spectrogram_is_that_of_transformers(mels: int, seconds: float) -> None:
    samples, oracle = sound(seconds), extractor(mels)
    found = MelSpectrogram(mels, RATE, SECONDS)(samples)
    padded = np.pad(samples, (0, SECONDS * RATE - len(samples)))
    assert found.shape == (1, mels, 3000)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, oracle._np_extract_fbank_features(padded[None], "cpu"), atol=NUMPY_GAP, rtol=0)
    theirs = oracle(samples, sampling_rate=RATE, return_tensors="np").input_features
    np.testing.assert_allclose(found, theirs, atol=TORCH_GAP, rtol=0)


def test_silence_is_the_same_everywhere() -> None:
    found = MelSpectrogram(80, RATE, SECONDS)(np.zeros(0, np.float32))
    (level,) = np.unique(found)
    assert level == pytest.approx(-1.5, abs=NUMPY_GAP)  # (log10(1e-10) + 4) / 4


def test_each_frequency_adds_to_the_bands_around_it_and_no_other() -> None:
    filters = mel_filters(80, RATE)
    assert filters.shape == (201, 80)
    assert ((filters > 0).sum(axis=1) <= 2).all()  # triangles overlap with their neighbours alone
    peaks = filters.argmax(axis=0)
    assert (np.diff(peaks) >= 0).all()
