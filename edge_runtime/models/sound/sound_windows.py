"""A sound of any length as windows of at most so many samples, cut where it is quietest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_SEARCH = 1 / 6  # of a window: its last 5 of 30 seconds are where a cut is looked for
_PAUSE_S = 0.2  # about as long as a pause between words; its middle is cut
_STEP_S = 0.02


def windows_of(sound: FloatArray, most: int, rate: int) -> Iterator[FloatArray]:
    """The windows, one after another; together they are the whole sound.

    Args:
        sound: (samples).
        most: samples of a window.
        rate: samples a second.
    """
    while len(sound) > most:
        first = most - round(most * _SEARCH)
        cut = first + _quietest(sound[first:most], rate)
        yield sound[:cut]
        sound = sound[cut:]
    yield sound


def _quietest(sound: FloatArray, rate: int) -> int:
    """The middle of the stretch of `_PAUSE_S` with the least energy; the last such."""
    step, steps = round(_STEP_S * rate), round(_PAUSE_S / _STEP_S)
    whole = len(sound) // step
    energies = (sound[: whole * step].reshape(whole, step).astype(np.float64) ** 2).sum(axis=1)
    stretches = np.lib.stride_tricks.sliding_window_view(energies, steps).sum(axis=1)
    last = len(stretches) - 1 - int(stretches[::-1].argmin())
    return (2 * last + steps) * step // 2
