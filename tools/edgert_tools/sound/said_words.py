"""Wake words and other sentences, spoken by espeak-ng: many voices, paces and pitches, near and far, in noise.

The program is run, nothing of it is imported or passed on (GPL). Its voices are no people's: a model that is trained on
them knows how the words sound, and has met nobody.
"""

from __future__ import annotations

import io
import random
import subprocess
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_runtime.errors import SourceUnavailable
from edgert_tools.datasets.home_intents import sample_home_intents
from edgert_tools.datasets.reviews import product_reviews
from edgert_tools.speech.spoken import PROGRAM, resampled

RATE = 16000
WORDS = "hey robin"
# What is nearly the words, or a part of them.
NEAR = (
    "hey robert", "hey robot", "hey rob", "hey ruben", "robin", "hey", "a robin", "okay robin", "hey roger",
    "they robbed him", "hey rabbit", "the robin sings", "hello robin", "say rubbing", "hey you", "hay and ribbon",
    "robin hood", "gray ribbon", "heavy robbery", "hey robyn's brother", "hey there", "play rock music",
)  # fmt: skip
_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")
_VOICES = (
    "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "Alex", "Alicia", "Andrea",
    "Andy", "Annie", "Denis", "Diogo", "Gene", "Gene2", "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario",
    "Michael", "Mike", "Nguyen", "Storm", "adam", "anika", "antonio", "aunty", "belinda", "benjamin", "boris",
    "caleb", "david", "ed", "edward", "edward2", "grandma", "grandpa", "gustave", "iven", "iven2", "iven3",
    "iven4", "john", "kaukovalta", "linda", "marcelo", "max", "michel", "miguel", "norbert", "pablo", "paul",
    "pedro", "quincy", "rob", "robert", "sandro", "shelby", "steph", "steph2", "steph3", "travis", "victor", "zac",
)  # fmt: skip
_HELD_BACK_EVERY = 3  # voice, and sentence
_PACES, _PITCHES = (110, 205), (25, 75)  # words a minute; espeak-ng's 0 to 99
_LEAD_S, _TAIL_S = (0.3, 1.2), 0.7
_PEAKS, _NOISES = (0.08, 0.8), (0.0, 0.02)  # of full scale; noise as a share of the peak and of itself
_SILENT = 0.02  # of the peak: where the words have ended
_TIMEOUT_S = 60.0

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Said:
    """A sound of 16 kHz, and when in it the words had been said, in seconds; None: they are not in it."""

    samples: FloatArray
    words_end_s: float | None


def sayings(words: int, others: int, near: int, seed: int, *, held_back: bool) -> Iterator[Said]:
    """So many sounds with the words, with other sentences, and with what is nearly the words; in this order.

    Args:
        held_back: by voices, and of sentences, that the other sounds do not have.

    Raises:
        SourceUnavailable: espeak-ng or a package cannot be had.
    """
    rng = random.Random(f"{seed}/{held_back}")
    voices = [voice for number, voice in enumerate(_VOICES) if (number % _HELD_BACK_EVERY == 0) == held_back]
    sentences = _sentences(held_back=held_back)
    nearly = [text for number, text in enumerate(NEAR) if (number % _HELD_BACK_EVERY == 0) == held_back]
    texts = [WORDS] * words + [rng.choice(sentences) for _ in range(others)] + [rng.choice(nearly) for _ in range(near)]
    for text in texts:
        yield said(text, rng.choice(voices), rng)


def said(text: str, voice: str, rng: random.Random) -> Said:
    """One sentence by a voice, in an accent, at a pace and a distance that are drawn."""
    samples = spoken(text, f"{rng.choice(_ACCENTS)}+{voice}", rng.randint(*_PACES), rng.randint(*_PITCHES))
    samples *= np.float32(rng.uniform(*_PEAKS) / max(float(np.abs(samples).max()), 1e-6))
    last = int(np.flatnonzero(np.abs(samples) > _SILENT * np.abs(samples).max())[-1])
    lead = round(rng.uniform(*_LEAD_S) * RATE)
    padded = np.pad(samples[: last + 1], (lead, round(_TAIL_S * RATE)))
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(*_NOISES), len(padded))
    whole = (padded + noise).astype(np.float32)
    return Said(whole, (lead + last) / RATE if text == WORDS else None)


def spoken(text: str, voice: str, pace: int, pitch: int) -> FloatArray:
    """What espeak-ng says, at 16 kHz. SourceUnavailable: it is missing or fails."""
    command = [PROGRAM, "-v", voice, "-s", str(pace), "-p", str(pitch), "--stdout"]
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_TIMEOUT_S, check=True)
        with wave.open(io.BytesIO(done.stdout)) as sound:
            rate, raw = sound.getframerate(), sound.readframes(sound.getnframes())
    except FileNotFoundError as error:
        raise SourceUnavailable(
            f"{PROGRAM} is not installed: on Debian, as root, `apt-get install {PROGRAM}`"
        ) from error
    except (OSError, subprocess.SubprocessError, wave.Error, EOFError) as error:
        raise SourceUnavailable(f"{PROGRAM} failed: {str(error)[:200]}") from error
    whole = np.frombuffer(raw[: len(raw) // 2 * 2], "<i2").astype(np.float32) / np.float32(32768)
    return resampled(whole, rate, RATE)


def _sentences(*, held_back: bool) -> Sequence[str]:
    home = sample_home_intents(8, 40, 7)
    reviews = product_reviews(0)[int(held_back) :: 2]
    return [row.text for row in (home.held_back if held_back else home.train)] + [
        text for text in reviews if len(text) < 80
    ]
