"""What a manifest says of a model that writes down what is said (docs/bundle.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TranscribeSpec:
    """How sound becomes the encoder's input, and which tokens steer the decoder.

    Attributes:
        start, end: the token that begins every answer, and the one that ends it.
        no_timestamps: said last before the text.
        mels: bands of the spectrogram.
        rate: samples a second.
        window_s: seconds that the encoder hears at once; what is shorter is filled up with silence.
        transcribe: said after the language, by models of several languages.
        languages: their codes and tokens; empty: the model knows one language and says none.
        no_speech: the token whose probability at the start says that nobody speaks; None: the model has none.
        suppress: tokens that are no text; `suppress_first`: those that no text begins with.
    """

    start: int
    end: int
    no_timestamps: int
    mels: int = 80
    rate: int = 16000
    window_s: int = 30
    transcribe: int | None = None
    languages: Mapping[str, int] = field(default_factory=dict)
    no_speech: int | None = None
    suppress: tuple[int, ...] = ()
    suppress_first: tuple[int, ...] = ()
