"""What a manifest says, as data (docs/bundle.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edge_runtime.bundle.generate_specs import GenerateSpec
from edge_runtime.bundle.picture_specs import DetectSpec, ImageSpec, OcrSpec
from edge_runtime.bundle.speech_specs import TranscribeSpec
from edge_runtime.bundle.text_specs import Aggregation, PairSpec, WindowSpec

SCHEMA = "edgert.bundle/1"

Role = Literal["model", "tokenizer", "golden", "report", "license", "characters", "template"]
Family = Literal["wordpiece", "bpe", "unigram", "wordlevel"]


@dataclass(frozen=True)
class FileEntry:
    """One file: relative path with `/`, what it is for, size in bytes and sha256 in hex."""

    path: str
    role: Role
    size: int
    sha256: str


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of the graph; a dimension is a number or the name of a free one."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class ModelSpec:
    """The graph file and how it was quantized.

    `batch_invariant` says whether an answer is the same alone and in a batch. Dynamic int8 takes one scale per
    tensor, so it is not; such a model gets one text a run.
    """

    file: str
    engine: str
    scheme: str
    batch_invariant: bool
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True)
class Variant:
    """Another form of the same model, for some boards: its graph, for which targets, and its own golden rows.

    Its files lie in a folder of their own, so that it is clear which are whose.
    """

    model: ModelSpec
    targets: tuple[str, ...]
    golden: str


@dataclass(frozen=True)
class VoiceSpec:
    """How a graph that hears speech is fed: `frame` samples at a time, with `context` samples of the frame before.

    `audio` and `probability` name its input and output, `state` its outputs that are fed back by the inputs that they
    are fed to, `constants` further inputs of one fixed whole number.
    """

    rate: int
    frame: int
    context: int
    audio: str
    probability: str
    state: Mapping[str, str]
    constants: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskSpec:
    """What the outputs mean: `embed` gives vectors, `classify` one of `labels`.

    `pooling` is what the board still has to do; "none" means that the graph gives final values. `scores` is what
    `image-classify` gives: logits, or probabilities already. `image` is for tasks that read pictures, `detect` and
    `ocr` for those of the same name. `windows` is for tasks that read texts of any length, `aggregation` for
    `token-classify`, `pairs` for `rerank` and `zero-shot`, `transcribe` for the task of
    that name, whose decoder is `decoder` in the manifest's `more`, `generate` for the task of that name.
    """

    name: str
    labels: tuple[str, ...] = ()
    pooling: Literal["mean", "cls", "none"] = "none"
    normalize: bool = False
    voice: VoiceSpec | None = None
    scores: Literal["logits", "probabilities"] = "logits"
    image: ImageSpec | None = None
    detect: DetectSpec | None = None
    ocr: OcrSpec | None = None
    windows: WindowSpec | None = None
    aggregation: Aggregation = "first"
    pairs: PairSpec | None = None
    transcribe: TranscribeSpec | None = None
    generate: GenerateSpec | None = None


@dataclass(frozen=True)
class Parity:
    """How the workstation compared the tokenizer with the one it stands for.

    `oracle` is that one's name and version, `compared` what had to be the same; `mismatches` is 0 in every bundle.
    """

    oracle: str
    texts: int
    characters: int
    mismatches: int
    compared: tuple[str, ...]


@dataclass(frozen=True)
class TokenizerSpec:
    """The tokenizer's file and family; `parity` is None in a bundle that was put together by hand.

    `compiled` is the compiled form of `file`, which opens faster; None if there is none.
    """

    file: str
    family: Family
    parity: Parity | None = None
    compiled: str | None = None


@dataclass(frozen=True)
class Limits:
    """The most tokens in a text (special tokens included) and the most texts in a request."""

    max_tokens: int
    max_texts: int


@dataclass(frozen=True)
class Source:
    """Where the weights come from: upstream model, how they were fetched, revision, sha256 of the weights, licence."""

    model: str
    origin: str
    revision: str
    sha256: str
    license: str


@dataclass(frozen=True)
class Manifest:
    """All that is known of a bundle.

    `variants` are other forms of `model`, the first that fits a board is used there and `model` where none fits.
    `counter` only grows, so that a later signature can forbid going back. `tokenizer` is None for a model that reads
    no texts. `more` are further graphs that the task needs beside `model`, by their part in it.
    """

    name: str
    version: str
    counter: int
    task: TaskSpec
    model: ModelSpec
    tokenizer: TokenizerSpec | None
    limits: Limits
    source: Source
    targets: tuple[str, ...]
    lock: Mapping[str, str]
    measured: Mapping[str, object]
    files: tuple[FileEntry, ...] = ()
    more: Mapping[str, ModelSpec] = field(default_factory=dict)
    variants: tuple[Variant, ...] = ()
    schema: str = SCHEMA

    def file_of(self, role: str) -> FileEntry | None:
        """The first file with this role, if there is one."""
        return next((entry for entry in self.files if entry.role == role), None)

    @property
    def size_bytes(self) -> int:
        """Bytes of all listed files together."""
        return sum(entry.size for entry in self.files)
