"""What is where in a picture: objects with a label, a score and a box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.bundle.picture_specs import DetectSpec
from edge_runtime.engine import Array, Session, open_session
from edge_runtime.errors import UnsupportedModel
from edge_runtime.model import Asked
from edge_runtime.models.parameters import share, whole_number
from edge_runtime.models.pictures.box_layouts import best_boxes, read_boxes
from edge_runtime.models.pictures.picture_input import PictureInput, Placement
from edge_runtime.models.pictures.picture_model import PictureModel, image_spec, only_input
from edge_runtime.models.pictures.pictures import decode_picture, import_pillow
from edge_runtime.tasks import OutputTensor

FloatArray = npt.NDArray[np.float32]

MOST_OBJECTS = 1000


@dataclass(frozen=True)
class DetectAnswer:
    """Objects of one picture, best first: labels, scores (objects), boxes (objects, 4) as left, top, width, height."""

    labels: tuple[str, ...]
    scores: npt.NDArray[np.float64]
    boxes: npt.NDArray[np.float64]
    truncated: tuple[bool, ...] = (False,)

    def rows(self) -> list[Mapping[str, object]]:
        """`{"objects": [{"label": ..., "score": ..., "box": [x, y, width, height]}, ...]}`, pixels of the picture."""
        found = zip(self.labels, self.scores.tolist(), self.boxes.tolist(), strict=True)
        return [
            {
                "objects": [
                    {"label": label, "score": round(score, 6), "box": [round(side, 2) for side in box]}
                    for label, score, box in found
                ]
            }
        ]

    def tensors(self) -> list[OutputTensor]:
        """BYTES `label` and FP32 `score` (objects), FP32 `box` (objects, 4)."""
        return [
            OutputTensor("label", "BYTES", (len(self.labels),), self.labels),
            OutputTensor("score", "FP32", self.scores.shape, self.scores.tolist()),
            OutputTensor("box", "FP32", self.boxes.shape, self.boxes.ravel().tolist()),
        ]


@dataclass(frozen=True)
class _Prepared:
    tensor: Array
    placed: Placement
    width: int
    height: int


class DetectModel(PictureModel[_Prepared]):
    """A graph with one picture in, and boxes with scores out in one of the usual layouts."""

    def __init__(self, manifest: Manifest, session: Session) -> None:
        super().__init__(manifest, session)
        if manifest.task.detect is None or not manifest.task.labels:
            raise UnsupportedModel("a detect bundle must have task.detect and list its labels")
        self.spec: DetectSpec = manifest.task.detect
        image = image_spec(manifest)
        self.input, self._size = PictureInput(image), (image.width, image.height)
        self._feed = only_input(session)

    def check_parameters(self, asked: Asked) -> None:
        """`score_threshold` and `iou_threshold`, 0 to 1; `max_objects`."""
        self._limits(asked)

    def prepare(self, asked: Asked) -> _Prepared:
        """The input, and where the picture lies in it."""
        picture = decode_picture(asked.raw or b"", asked.media_type, self.input.shortest_side)
        return _Prepared(*self.input(picture), picture.width, picture.height)

    def run(self, prepared: _Prepared) -> Sequence[FloatArray]:
        """The outputs."""
        return self.session.run({self._feed: prepared.tensor})

    def finish(self, asked: Asked, prepared: _Prepared, outputs: Sequence[FloatArray]) -> DetectAnswer:
        """The objects, in pixels of the picture, cut at its edges."""
        boxes, scores = read_boxes(outputs, self.spec, len(self.manifest.task.labels), self._size)
        kept, labels = best_boxes(boxes, scores, *self._limits(asked))
        limits = [prepared.width, prepared.height] * 2
        corners = np.clip(prepared.placed.to_picture(boxes[kept]), 0, limits)
        inside = (corners[:, 2:] > corners[:, :2]).all(axis=1)
        corners, kept, labels = corners[inside], kept[inside], labels[inside]
        return DetectAnswer(
            tuple(self.manifest.task.labels[number] for number in labels),
            scores[kept, labels].astype(np.float64),
            np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1),
        )

    def warm_up(self) -> None:
        """Run once on a gray picture. UnsupportedModel: the outputs are not of the layout."""
        outputs = self.session.run({self._feed: self.input.blank()})
        read_boxes(outputs, self.spec, len(self.manifest.task.labels), self._size)

    def _limits(self, asked: Asked) -> tuple[float, float, int]:
        parameters, spec = asked.parameters, self.spec
        return (
            share(parameters, "score_threshold", spec.score_threshold),
            share(parameters, "iou_threshold", spec.iou_threshold),
            whole_number(parameters, "max_objects", spec.most, MOST_OBJECTS),
        )


def open_detect(folder: Path, manifest: Manifest, threads: int) -> DetectModel:
    """Load a checked bundle. UnsupportedModel: it cannot be run here. MissingExtra: Pillow is not installed."""
    import_pillow()
    return DetectModel(manifest, open_session(folder, manifest.model, threads))
