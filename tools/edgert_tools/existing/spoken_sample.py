"""Ten seconds of speech out of a package, louder, quieter and in noise: what a model of voice activity is judged on."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.manifest import VoiceSpec
from edge_runtime.engine.onnx import open_onnx
from edge_runtime.errors import UsageError
from edge_runtime.models.sound.sound import read_wav
from edgert_tools.existing.checks import GraphFacts
from edgert_tools.existing.examples import Examples, Feeds, Row
from edgert_tools.existing.package_file import fetch_member
from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.packages import PinnedPackage
from edgert_tools.progress import Say

FloatArray = npt.NDArray[np.float32]

# Spoken English, one speaker, "Ever tried, ever failed ...", 9.96 s, 16 kHz.
PACKAGE = PinnedPackage(
    "useful-moonshine-onnx", "20251121", "b4189b0d7dc8064d567fd0b5d5ce78634be290b0a3a3274ab80ad11c46d531a2"
)
WAV = "moonshine_onnx/assets/beckett.wav"
_MEDIA_TYPE = "audio/wav"
_LOUDNESS, _NOISE = (1.0, 0.3), (0.0, 0.003, 0.01, 0.03)  # factors; noise as a share of full scale
_SECONDS = 2  # of a question
_CALIBRATION_EVERY = 4


def sample(say: Say) -> bytes:
    """The WAV file."""
    return fetch_member(PACKAGE, WAV, say).read_bytes()


def examples(recipe: GraphRecipe, facts: GraphFacts, say: Say) -> Examples:
    """Pieces of two seconds to ask about; each frame of other pieces, with the state before it, to calibrate on."""
    voice = recipe.voice
    if voice is None:
        raise UsageError("this data is for recipes with [voice]")
    pieces = list(_pieces(read_wav(sample(say), voice.rate), voice.rate))
    questions = [Row(raw=as_wav(piece, voice.rate), media_type=_MEDIA_TYPE) for piece in pieces]
    held_back = [one for number, one in enumerate(questions) if number % _CALIBRATION_EVERY]
    frames = [feed for piece in pieces[::_CALIBRATION_EVERY] for feed in frames_fed(facts, voice, piece)]
    feeds = frames[::_CALIBRATION_EVERY]  # neighbours are much alike
    words = f"{len(held_back)} pieces of {_SECONDS} s of one speaker, louder, quieter and in noise"
    return Examples(held_back, feeds, f"{words}; {len(feeds)} frames of other pieces to calibrate on")


def as_wav(samples: FloatArray, rate: int) -> bytes:
    """Samples from -1 to 1 as a WAV file of 16 bits."""
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes())
    return made.getvalue()


def _pieces(samples: FloatArray, rate: int) -> Iterator[FloatArray]:
    random = np.random.default_rng(0)
    size = _SECONDS * rate
    for loudness in _LOUDNESS:
        for noise in _NOISE:
            varied = samples * np.float32(loudness) + random.normal(0, noise, len(samples)).astype(np.float32)
            yield from (varied[start : start + size] for start in range(0, len(varied) - size + 1, size))


def frames_fed(facts: GraphFacts, voice: VoiceSpec, samples: FloatArray) -> Iterator[Feeds]:
    """What a graph that keeps a state is fed of a whole sound, frame by frame."""
    session = open_onnx(facts.file, 1)
    names = [spec.name for spec in facts.outputs]
    shapes = {spec.name: tuple(size if isinstance(size, int) else 1 for size in spec.shape) for spec in facts.inputs}
    types = {spec.name: spec.dtype for spec in facts.inputs}
    feeds = {name: np.zeros(shapes[name], types[name]) for name in voice.state}
    feeds |= {name: np.full(shapes[name], value, types[name]) for name, value in voice.constants.items()}
    padded = np.concatenate([np.zeros(voice.context, np.float32), samples])
    for start in range(0, len(samples) - voice.frame + 1, voice.frame):
        feeds[voice.audio] = padded[None, start : start + voice.context + voice.frame]
        yield dict(feeds)
        outputs = dict(zip(names, session.run(feeds), strict=True))
        feeds |= {name: outputs[source] for name, source in voice.state.items()}
