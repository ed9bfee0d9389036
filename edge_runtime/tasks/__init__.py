"""Tasks turn a model's outputs into answers, in NumPy alone. One file each, named in the manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.manifest import TaskSpec
from edge_runtime.errors import UnsupportedModel

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

TASKS = {
    "classify": "edge_runtime.tasks.classify:ClassifyTask",
    "embed": "edge_runtime.tasks.embed:EmbedTask",
}


# Datatypes of the Open Inference Protocol as NumPy's, little-endian; BYTES is texts.
NUMPY_TYPES = {
    "BOOL": "<?", "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "<i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
DATATYPES = {np.dtype(kind).name: name for name, kind in NUMPY_TYPES.items()}  # "float32" -> "FP32"


@dataclass(frozen=True)
class OutputTensor:
    """One output in the words of the Open Inference Protocol: name, datatype, shape, flat row-major data."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Sequence[object]

    def described(self) -> dict[str, object]:
        """The tensor as JSON data, without its values."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}

    def plain(self) -> dict[str, object]:
        """The tensor as JSON data."""
        return {**self.described(), "data": self.data}

    def packed(self) -> bytes:
        """The values as bytes: numbers little-endian, BYTES each with its length in four bytes in front."""
        if self.datatype in NUMPY_TYPES:
            return np.asarray(self.data, NUMPY_TYPES[self.datatype]).tobytes()
        texts = [str(value).encode() for value in self.data]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


class Task(Protocol):
    """From raw outputs to values (one row a text), and from values to answers."""

    def values(self, outputs: Sequence[FloatArray], attention_mask: IntArray) -> FloatArray:
        """Final values, (texts, width): vectors for `embed`, probabilities for `classify`."""
        ...

    def plain(self, row: FloatArray) -> dict[str, object]:
        """One text's answer as JSON data."""
        ...

    def tensors(self, values: FloatArray) -> list[OutputTensor]:
        """All texts' answers as Open Inference Protocol outputs."""
        ...


def open_task(spec: TaskSpec) -> Task:
    """The task that a manifest names.

    Raises:
        UnsupportedModel: this edgert has no such task.
    """
    if spec.name not in TASKS:
        known = ", ".join(sorted(TASKS))
        raise UnsupportedModel(f"no task {spec.name[:64]!r} here, known are {known}: update edgert")
    module, attribute = TASKS[spec.name].split(":")
    build: Callable[[TaskSpec], Task] = getattr(import_module(module), attribute)
    return build(spec)
