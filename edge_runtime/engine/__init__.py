"""Engines run a model's graph. One file each; a name maps to "module:attribute" and is imported on use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.manifest import ModelSpec
from edge_runtime.errors import UnsupportedModel

Array = npt.NDArray[np.generic]
FloatArray = npt.NDArray[np.float32]

ENGINES = {"onnx": "edge_runtime.engine.onnx:open_onnx"}
ENTRY_POINTS = "edgert.engines"  # how a vendor's package adds an engine


class Session(Protocol):
    """A loaded model, ready to run; for one thread at a time, unless it has `parallel = True`."""

    input_names: tuple[str, ...]

    def run(self, feeds: Mapping[str, Array]) -> list[FloatArray]:
        """Run the graph once; returns its outputs in the model's order."""
        ...


Opener = Callable[[Path, int], Session]


def open_session(folder: Path, model: ModelSpec, threads: int = 0) -> Session:
    """Load the model of a bundle with the engine that it names.

    Args:
        folder: the bundle.
        model: its manifest's model part.
        threads: intra-op threads; 0 lets the engine choose.

    Raises:
        UnsupportedModel: no such engine here, or the engine cannot load the file.
    """
    return _opener(model.engine)(folder / model.file, threads)


def import_engine(engine: str = "onnx") -> None:
    """Load an engine's libraries now, so that what they take can be told from what a model takes."""
    _opener(engine)


def _opener(engine: str) -> Opener:
    target = ENGINES.get(engine)
    if target is None:
        from importlib.metadata import entry_points  # 3 MB that a board with the built-in engine never needs

        found = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
        if engine not in found:
            known = ", ".join(sorted({*ENGINES, *found}))
            raise UnsupportedModel(f"no engine {engine[:64]!r} here, known are {known}: install the vendor's package")
        opener: Opener = found[engine].load()
        return opener
    module, attribute = target.split(":")
    builtin: Opener = getattr(import_module(module), attribute)
    return builtin
