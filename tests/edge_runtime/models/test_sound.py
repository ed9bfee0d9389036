"""WAV files: read as they are, or refused with the way to convert them."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from edge_runtime.errors import BadRequest
from edge_runtime.models.sound.sound import read_wav

SAMPLES = np.array([0, 16384, -32768, 32767], "<i2")


def wav(rate: int = 16000, channels: int = 1, width: int = 2, data: bytes = SAMPLES.tobytes()) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(width)
        sound.setframerate(rate)
        sound.writeframes(data)
    return made.getvalue()


def test_samples_are_read_from_minus_one_to_one() -> None:
    found = read_wav(wav(), 16000)
    assert found.dtype == np.float32
    assert found.tolist() == [0.0, 0.5, -1.0, 32767 / 32768]


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (wav(rate=44100), "44100 Hz, 1 channel, 16 bits, expected 16000 Hz"),
        (wav(channels=2), "16000 Hz, 2 channels, 16 bits"),
        (wav(width=1), "16000 Hz, 1 channel, 8 bits"),
    ],
)
def test_another_form_is_refused_with_the_command_that_converts_it(sound: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match="ffmpeg -i IN -ar 16000 -ac 1 -c:a pcm_s16le") as refused:
        read_wav(sound, 16000)
    assert said in str(refused.value)


@pytest.mark.parametrize("cut", range(0, len(wav()), 3))
def test_a_file_cut_anywhere_gives_what_is_there_or_is_refused(cut: int) -> None:
    try:
        found = read_wav(wav()[:cut], 16000)
    except BadRequest as error:
        assert cut < 44, "the header is whole"
        assert "no WAV file" in str(error)  # noqa: PT017
    else:
        assert len(found) <= (cut - 44) // 2


@pytest.mark.parametrize("junk", [b"", b"RIFF", b"hello" * 40, wav()[:20] + b"\xff" * 40])
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises(BadRequest, match="no WAV file"):
        read_wav(junk, 16000)
