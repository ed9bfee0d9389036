"""Text in pictures: a detector finds lines, a classifier turns those that stand on their head, a recogniser reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.bundle.picture_specs import OcrSpec
from edge_runtime.engine import Session, open_session
from edge_runtime.errors import BundleError, UnsupportedModel
from edge_runtime.model import Asked
from edge_runtime.models.parameters import share
from edge_runtime.models.pictures.picture_input import check_pixels
from edge_runtime.models.pictures.picture_model import PictureModel, only_input
from edge_runtime.models.pictures.pictures import Picture, decode_picture, import_pillow
from edge_runtime.models.pictures.regions import Points
from edge_runtime.models.pictures.text_boxes import detector_input, find_boxes
from edge_runtime.models.pictures.text_lines import TextLine, line_input, read_characters, reading_order, straightened
from edge_runtime.tasks import OutputTensor

RECOGNISER, ANGLE = "recogniser", "angle"
_DOUBTFUL = 0.8  # what is read with less is tried on its head, too


@dataclass(frozen=True)
class OcrAnswer:
    """The lines of one picture, by rows."""

    lines: tuple[tuple[TextLine, ...], ...]
    truncated: tuple[bool, ...] = (False,)

    def rows(self) -> list[Mapping[str, object]]:
        """`{"text": ..., "lines": [{"text": ..., "score": ..., "box": [[x, y], ...]}, ...]}`, as people read.

        `box` is the corners: top left, top right, bottom right, bottom left. `text` has a line for each row.
        """
        lines = [
            {"text": line.text, "score": round(line.score, 6), "box": line.corners.tolist()} for line in self._all()
        ]
        return [{"text": "\n".join(" ".join(line.text for line in row) for row in self.lines), "lines": lines}]

    def tensors(self) -> list[OutputTensor]:
        """BYTES `text` and FP32 `score` (lines), FP32 `box` (lines, 4, 2)."""
        lines = self._all()
        corners = np.array([line.corners for line in lines]).reshape(len(lines), 4, 2)
        return [
            OutputTensor("text", "BYTES", (len(lines),), [line.text for line in lines]),
            OutputTensor("score", "FP32", (len(lines),), [line.score for line in lines]),
            OutputTensor("box", "FP32", corners.shape, corners.ravel().tolist()),
        ]

    def _all(self) -> list[TextLine]:
        return [line for row in self.lines for line in row]


class OcrModel(PictureModel[Picture]):
    """Two or three graphs; the lines of a picture are read one by one, so that none changes another's text."""

    def __init__(
        self, manifest: Manifest, detector: Session, readers: Mapping[str, Session], characters: Sequence[str]
    ) -> None:
        super().__init__(manifest, detector)
        if manifest.task.ocr is None:
            raise UnsupportedModel("an ocr bundle must have task.ocr, this one has none")
        if RECOGNISER not in readers:
            raise UnsupportedModel(f"an ocr bundle needs a graph {RECOGNISER!r} in `more`, this one has none")
        self.spec: OcrSpec = manifest.task.ocr
        check_pixels(self.spec.pixels)
        self._readers, self._characters = readers, characters
        self._feeds = {part: only_input(reader) for part, reader in readers.items()}
        self._feed = only_input(detector)

    def check_parameters(self, asked: Asked) -> None:
        """`min_score`: lines read with less are left out."""
        share(asked.parameters, "min_score", self.spec.min_score)

    def prepare(self, asked: Asked) -> Picture:
        """The picture."""
        return decode_picture(asked.raw or b"", asked.media_type)

    def run(self, prepared: Picture) -> list[list[TextLine]]:
        """All lines by rows, however badly read."""
        rows = reading_order(self.find(prepared))
        return [[self.read(prepared, corners) for corners in row] for row in rows]

    def finish(self, asked: Asked, prepared: Picture, outputs: list[list[TextLine]]) -> OcrAnswer:
        """The lines that are read well enough."""
        least = share(asked.parameters, "min_score", self.spec.min_score)
        rows = (tuple(line for line in row if line.text and line.score >= least) for row in outputs)
        return OcrAnswer(tuple(row for row in rows if row))

    def find(self, picture: Picture) -> list[Points]:
        """Corners of all lines."""
        tensor, placed = detector_input(picture, self.spec)
        (probabilities,) = self.session.run({self._feed: tensor})[:1]
        if probabilities.ndim != 4 or probabilities.shape[2:] != _plane(tensor.shape, self.spec):
            raise UnsupportedModel(f"detector gives {probabilities.shape} for an input of {tensor.shape}")
        return find_boxes(probabilities[0, 0], placed, self.spec)

    def read(self, picture: Picture, corners: Points) -> TextLine:
        """Read one line."""
        line = straightened(picture, corners)
        read = self._read(line, corners)
        # The classifier is often wrong, on slanted type and on short lines; but what is read upside down is read badly.
        if ANGLE in self._readers and (read.score < _DOUBTFUL or self._on_its_head(line) > self.spec.angle_threshold):
            read = max(read, self._read(line.turned(2), corners), key=lambda one: one.score)
        return read

    def warm_up(self) -> None:
        """Run every graph once on white paper."""
        paper = import_pillow().new("RGB", (self.spec.line_width, self.spec.line_height), (255, 255, 255))
        blank = Picture(paper.width, paper.height, paper)
        if ANGLE in self._readers:
            self._on_its_head(blank)
        self.find(blank)
        self.read(blank, np.array([[0, 0], [paper.width, 0], [paper.width, paper.height], [0, paper.height]], float))

    def _read(self, line: Picture, corners: Points) -> TextLine:
        tensor = line_input(line, self.spec, self.spec.line_width, stretches=True)
        scores = self._readers[RECOGNISER].run({self._feeds[RECOGNISER]: tensor})[0]
        return TextLine(*read_characters(scores, self._characters), corners)

    def _on_its_head(self, line: Picture) -> float:
        """How likely a line is."""
        tensor = line_input(line, self.spec, self.spec.angle_width, stretches=False)
        scores = self._readers[ANGLE].run({self._feeds[ANGLE]: tensor})[0]
        if scores.shape != (1, 2):
            raise UnsupportedModel(f"angle classifier gives {scores.shape}, expected (1, 2): upright, on its head")
        return float(scores[0, 1])


def open_ocr(folder: Path, manifest: Manifest, threads: int) -> OcrModel:
    """Load a checked bundle. UnsupportedModel: it cannot be run here. MissingExtra: Pillow is not installed."""
    import_pillow()
    if manifest.task.ocr is None:
        raise UnsupportedModel("an ocr bundle must have task.ocr, this one has none")
    characters = read_character_list(folder / manifest.task.ocr.characters)
    readers = {part: open_session(folder, spec, threads) for part, spec in manifest.more.items()}
    return OcrModel(manifest, open_session(folder, manifest.model, threads), readers, characters)


def read_character_list(file: Path) -> tuple[str, ...]:
    """The characters of a recogniser in the order of its outputs. BundleError: the file is no list of texts."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{file.name}: {error}") from error
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise BundleError(f"{file.name} is not a list of texts")
    return tuple(found)


def _plane(shape: tuple[int, ...], spec: OcrSpec) -> tuple[int, ...]:
    return shape[2:] if spec.pixels.layout == "nchw" else shape[1:3]
