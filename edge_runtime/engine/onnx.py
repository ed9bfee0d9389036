"""ONNX Runtime on the CPU: the one file of the board that imports onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnxruntime

from edge_runtime.engine import Array, FloatArray
from edge_runtime.errors import UnsupportedModel

# Paced load on two x86 cores: spinning threads burn a core for nothing between requests, while stopping them at the
# end of a run costs nothing measurable (0.29 against 0.97 of a core). Initializers outside the arena: 8 MB less.
_SETTINGS = {"session.force_spinning_stop": "1", "session.use_device_allocator_for_initializers": "1"}


class OnnxSession:
    """A graph loaded into ONNX Runtime's CPU provider."""

    parallel = True

    def __init__(self, file: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        for key, value in _SETTINGS.items():
            options.add_session_config_entry(key, value)
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        # On an error the Python wrapper would otherwise print a banner and try again with other providers.
        self._session.disable_fallback()
        # What a large batch has taken is given back at its end: a session would keep 80 MB after one of 8 x 256 tokens.
        self._options = onnxruntime.RunOptions()
        self._options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        self.input_names = tuple(node.name for node in self._session.get_inputs())

    def run(self, feeds: Mapping[str, Array]) -> list[FloatArray]:
        """Run once; raises whatever ONNX Runtime raises, which `service.py` turns into an error reply."""
        outputs: list[FloatArray] = self._session.run(None, dict(feeds), self._options)
        return outputs


def open_onnx(file: Path, threads: int) -> OnnxSession:
    """Load an ONNX file; a file that ONNX Runtime cannot load is an `UnsupportedModel` with its reason."""
    try:
        return OnnxSession(file, threads)
    except Exception as error:  # onnxruntime's exception classes share no other base
        reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        raise UnsupportedModel(
            f"onnxruntime {onnxruntime.__version__} cannot load {file.name}: {reason}: "
            "update onnxruntime or convert again with an older opset"
        ) from error
