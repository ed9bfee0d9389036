"""Where in a sound somebody speaks; a live stream may come in pieces (docs/tasks.md, "Voice activity")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.engine import open_session
from edge_runtime.models.parameters import Parameters
from edge_runtime.models.sound.frame_model import FrameModel, Heard
from edge_runtime.models.sound.speech_gate import SpeechGate, Stretch, padded, read_settings, share_of
from edge_runtime.tasks import OutputTensor


@dataclass
class Speaking:
    """Whether somebody is speaking, and where the last stretch that was told of ended, in samples."""

    gate: SpeechGate = field(default_factory=SpeechGate)
    told: float = 0.0


@dataclass(frozen=True)
class SpeechAnswer:
    """Stretches of speech in seconds, the share of frames that are speech; for a piece of a stream, where it stands.

    Attributes:
        probabilities: of speech, frame by frame; told only as a tensor.
        at_s: where in the stream the piece began: 0 again if the stream had been forgotten. None: no piece.
        speaking: somebody still spoke at its end.
    """

    speech: tuple[Stretch, ...]
    share: float
    probabilities: tuple[float, ...] = ()
    at_s: float | None = None
    speaking: bool = False
    truncated: tuple[bool, ...] = (False,)

    def rows(self) -> list[Mapping[str, object]]:
        """The one answer."""
        speech = [{"start_s": round(begin, 3), "end_s": round(end, 3)} for begin, end in self.speech]
        answer: dict[str, object] = {"speech": speech, "share": round(self.share, 4)}
        if self.at_s is not None:
            answer |= {"at_s": round(self.at_s, 3), "speaking": self.speaking}
        return [answer]

    def tensors(self) -> list[OutputTensor]:
        """`speech` (stretches, 2) in seconds, `share`, and `probability` (frames)."""
        flat = [float(np.float32(second)) for stretch in self.speech for second in stretch]
        speech = OutputTensor("speech", "FP32", (len(self.speech), 2), flat)
        share = OutputTensor("share", "FP32", (1,), [float(np.float32(self.share))])
        return [OutputTensor("probability", "FP32", (len(self.probabilities),), self.probabilities), speech, share]


class VoiceActivity(FrameModel[Speaking]):
    """Probabilities of speech, from which stretches are made."""

    def nothing_known(self) -> Speaking:
        """Nobody speaks."""
        return Speaking()

    def check_parameters(self, parameters: Parameters) -> None:
        """Thresholds and times. BadRequest: one cannot be."""
        read_settings(parameters, self.voice.rate)

    def decide(self, known: Speaking, heard: Heard, parameters: Parameters) -> SpeechAnswer:
        """The stretches that have ended."""
        settings, size, rate = read_settings(parameters, self.voice.rate), self.voice.frame, self.voice.rate
        ended = [
            known.gate.feed(probability, heard.first + number * size, settings)
            for number, probability in enumerate(heard.probabilities)
        ]
        if heard.over:
            ended.append(known.gate.finish(heard.end, settings))
        found = padded([stretch for stretch in ended if stretch], settings.pad, known.told, heard.end)
        known.told = found[-1][1] if found else known.told
        speech = tuple((begin / rate, end / rate) for begin, end in found)
        share, speaking = share_of(heard.probabilities, settings), known.gate.began is not None
        return SpeechAnswer(speech, share, heard.probabilities, heard.at_s, speaking)


def open_voice_activity(folder: Path, manifest: Manifest, threads: int) -> VoiceActivity:
    """Load a checked bundle; one thread, as frames are too small for more. UnsupportedModel: what it lacks."""
    return VoiceActivity(manifest, open_session(folder, manifest.model, 1))
