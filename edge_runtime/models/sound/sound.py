"""Sound as requests bring it: WAV files, read with the standard library alone."""

from __future__ import annotations

import io
import wave

import numpy as np
import numpy.typing as npt

from edge_runtime.errors import BadRequest

_WIDTH_BYTES = 2
_FULL_SCALE = np.float32(32768)


def read_wav(raw: bytes, rate: int) -> npt.NDArray[np.float32]:
    """Samples of a WAV file, (samples) from -1 to 1.

    Args:
        raw: the whole file; one cut short gives the samples that are there.
        rate: samples a second that the model was trained on.

    Raises:
        BadRequest: no WAV, or another rate, width or number of channels; says which and how to convert it. Nothing is
            resampled here: a bad resampler costs accuracy that nobody would look for in it.
    """
    try:
        with wave.open(io.BytesIO(raw)) as sound:
            found = sound.getframerate(), sound.getnchannels(), sound.getsampwidth()
            data = sound.readframes(sound.getnframes()) if found == (rate, 1, _WIDTH_BYTES) else b""
    except (wave.Error, EOFError, ValueError) as error:
        raise BadRequest(f"payload is no WAV file of PCM samples ({str(error)[:80] or 'it is cut short'})") from error
    if found != (rate, 1, _WIDTH_BYTES):
        hz, channels, width = found
        raise BadRequest(
            f"sound has {hz} Hz, {channels} channel{'s' * (channels != 1)}, {8 * width} bits, expected {rate} Hz, "
            f"1 channel, 16 bits: convert it, as by `ffmpeg -i IN -ar {rate} -ac 1 -c:a pcm_s16le OUT.wav`"
        )
    whole = len(data) - len(data) % _WIDTH_BYTES
    return np.frombuffer(data[:whole], "<i2").astype(np.float32) / _FULL_SCALE
