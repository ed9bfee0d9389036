"""The spectrogram that Whisper hears: logarithmic mel bands of windows of 25 ms, one every 10 ms.

Source: Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision", section 2.2; the mel scale
and the height of its triangles are those of Malcolm Slaney's Auditory Toolbox (1998).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_SIZE, _HOP = 400, 160  # samples of a window, and from one to the next: 25 and 10 ms at 16 kHz
_EDGE = _SIZE // 2  # the sound is mirrored by so many samples at both ends, so that a window has its middle at its time
_LEAST = np.float32(1e-10)
_DEPTH = np.float32(8)  # powers of ten under the loudest band, below which all is the same
# Slaney: linear up to 1 kHz, 15 mels; then 27 mels for each factor of 6.4.
_LINEAR_HZ, _BREAK_HZ, _LOG_STEP = 200 / 3, 1000.0, np.log(6.4) / 27


class MelSpectrogram:
    """Makes spectrograms of one shape.

    Args:
        mels: bands, from 0 Hz to half the rate.
        rate: samples a second.
        seconds: of sound in each spectrogram.
    """

    def __init__(self, mels: int, rate: int, seconds: int) -> None:
        self.samples = rate * seconds
        self.frames = self.samples // _HOP
        self._filters = mel_filters(mels, rate)
        self._window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_SIZE) / _SIZE)  # Hann's, periodic

    def __call__(self, sound: FloatArray) -> FloatArray:
        """The spectrogram of a sound of at most `self.samples` samples, silence behind it: (1, mels, frames)."""
        edges = self._mirrored(sound)
        heard = min(self.frames, (len(sound) + _EDGE - 1) // _HOP + 1)  # later windows see silence alone
        windows = np.lib.stride_tricks.sliding_window_view(edges, _SIZE)[::_HOP][:heard]
        spectrum = np.fft.rfft(windows * self._window)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        levels = np.full((self.frames, self._filters.shape[1]), np.log10(_LEAST), np.float32)
        levels[:heard] = np.log10(np.maximum(power @ self._filters, _LEAST))
        levels = (np.maximum(levels, levels.max() - _DEPTH) + 4) / 4
        return np.ascontiguousarray(levels.T)[None]

    def _mirrored(self, sound: FloatArray) -> FloatArray:
        """The sound with silence up to the whole length, both ends mirrored."""
        filled = np.zeros(self.samples, np.float32)
        filled[: len(sound)] = sound
        return np.pad(filled, _EDGE, mode="reflect")


def mel_filters(mels: int, rate: int) -> FloatArray:
    """What each frequency of a window's spectrum adds to each band: (`_SIZE` / 2 + 1, mels), triangles of area 1."""
    spectrum = np.linspace(0, rate / 2, _SIZE // 2 + 1)
    corners = _to_hz(np.linspace(0, _to_mels(rate / 2), mels + 2))
    left, middle, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (spectrum[:, None] - left) / (middle - left)
    falling = (right - spectrum[:, None]) / (right - middle)
    triangles = np.maximum(0, np.minimum(rising, falling))
    scaled: FloatArray = (triangles * (2 / (right - left))).astype(np.float32)
    return scaled


def _to_mels(hz: float) -> float:
    return hz / _LINEAR_HZ if hz < _BREAK_HZ else float(_BREAK_HZ / _LINEAR_HZ + np.log(hz / _BREAK_HZ) / _LOG_STEP)


def _to_hz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above = np.maximum(mels - _BREAK_HZ / _LINEAR_HZ, 0)
    return np.where(above > 0, _BREAK_HZ * np.exp(above * _LOG_STEP), mels * _LINEAR_HZ)
