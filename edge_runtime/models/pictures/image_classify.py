"""What a picture shows: one of the model's labels, with the probability of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.engine import Array, Session, open_session
from edge_runtime.errors import UnsupportedModel
from edge_runtime.model import Asked
from edge_runtime.models.parameters import whole_number
from edge_runtime.models.pictures.picture_input import PictureInput
from edge_runtime.models.pictures.picture_model import PictureModel, image_spec, only_input
from edge_runtime.models.pictures.pictures import decode_picture, import_pillow
from edge_runtime.tasks import OutputTensor
from edge_runtime.tasks.classify import TOP, softmax

FloatArray = npt.NDArray[np.float32]

MOST_TOP = 1000


@dataclass(frozen=True)
class ImageClassifyAnswer:
    """One picture's probabilities, (labels) float32."""

    labels: tuple[str, ...]
    probabilities: FloatArray
    top: int = TOP
    truncated: tuple[bool, ...] = (False,)

    def rows(self) -> list[Mapping[str, object]]:
        """`{"label": ..., "score": ..., "top": [{"label": ..., "score": ...}, ...]}`, best first."""
        best = np.argsort(-self.probabilities, kind="stable")[: self.top].tolist()
        top = [{"label": self.labels[i], "score": round(float(self.probabilities[i]), 6)} for i in best]
        return [{**top[0], "top": top}]

    def tensors(self) -> list[OutputTensor]:
        """BYTES `label` and FP32 `score` (1), FP32 `probabilities` (1, labels)."""
        best = int(self.probabilities.argmax())
        return [
            OutputTensor("label", "BYTES", (1,), [self.labels[best]]),
            OutputTensor("score", "FP32", (1,), [float(self.probabilities[best])]),
            OutputTensor("probabilities", "FP32", (1, len(self.labels)), self.probabilities.tolist()),
        ]


class ImageClassifyModel(PictureModel[Array]):
    """A graph with one picture in and one number for each label out."""

    def __init__(self, manifest: Manifest, session: Session) -> None:
        super().__init__(manifest, session)
        if not manifest.task.labels:
            raise UnsupportedModel("an image-classify bundle must list its labels: convert again")
        self.input = PictureInput(image_spec(manifest))
        self._feed = only_input(session)

    def check_parameters(self, asked: Asked) -> None:
        """`top`: how many labels the answer lists."""
        whole_number(asked.parameters, "top", TOP, MOST_TOP)

    def prepare(self, asked: Asked) -> Array:
        """The input."""
        tensor, _ = self.input(decode_picture(asked.raw or b"", asked.media_type, self.input.shortest_side))
        return tensor

    def run(self, prepared: Array) -> Sequence[FloatArray]:
        """The outputs."""
        return self.session.run({self._feed: prepared})

    def finish(self, asked: Asked, prepared: Array, outputs: Sequence[FloatArray]) -> ImageClassifyAnswer:
        """Probabilities of all labels."""
        scores, labels = outputs[0], self.manifest.task.labels
        if scores.size != len(labels) or scores.shape[0] != 1:
            raise UnsupportedModel(f"scores have shape {scores.shape}, the manifest lists {len(labels)} labels")
        row = scores.reshape(1, len(labels)).astype(np.float32)
        found = softmax(row) if self.manifest.task.scores == "logits" else row
        return ImageClassifyAnswer(labels, found[0], whole_number(asked.parameters, "top", TOP, MOST_TOP))

    def warm_up(self) -> None:
        """Run once on a gray picture."""
        self.run(self.input.blank())


def open_image_classify(folder: Path, manifest: Manifest, threads: int) -> ImageClassifyModel:
    """Load a checked bundle. UnsupportedModel: it cannot be run here. MissingExtra: Pillow is not installed."""
    import_pillow()
    return ImageClassifyModel(manifest, open_session(folder, manifest.model, threads))
