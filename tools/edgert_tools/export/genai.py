"""Decoders by the model builder of ONNX Runtime GenAI, as a child process in an environment of its own.

It needs a newer transformers than optimum bears, so it never runs with this Python.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgert_tools.export.environment import environment
from edgert_tools.export.lock import read_lock
from edgert_tools.export.optimum import link
from edgert_tools.export.process import Call, run
from edgert_tools.progress import Say
from edgert_tools.quantization.scheme import Scheme

GRAPH, WEIGHTS_FILE = "model.onnx", "model.onnx.data"
_READ = (".json", ".jinja", ".safetensors", ".model", ".txt")
_SIDE = "genai_side"


@dataclass(frozen=True)
class Exporter:
    """The open environment."""

    python: Path
    say: Say

    def dequantize(self, gguf: Path, out: Path) -> None:
        """Write a GGUF file as a float32 checkpoint into the new folder `out`. UnsupportedModel: it is not read."""
        self._call("dequantize", file=str(gguf.absolute()), out=str(out))

    def build(self, checkpoint: Path, scheme: Scheme, out: Path) -> Mapping[str, Any]:
        """Build the graph of a checkpoint in the new folder `out`; the builder's own description of it.

        The graph gives the last token's logits only, and has no product of a padded block.
        """
        staged = out.with_name(out.name + "-read")
        staged.mkdir()
        try:
            for file in checkpoint.iterdir():
                if file.is_file() and file.suffix in _READ:  # a pickle beside them is not even seen
                    link(file, staged / file.name)
            options = builder_options(scheme)
            precision = "fp32" if scheme.family == "float32" else f"int{scheme.bits}"
            found = self._call("build", checkpoint=str(staged), out=str(out), precision=precision, options=options)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        config: Mapping[str, Any] = found["genai_config"]
        return config

    def logits(self, checkpoint: Path, tokens: Sequence[int], work: Path) -> tuple[Any, tuple[str, ...]]:
        """The float model's own logits, (tokens, words), and names of weights that the checkpoint lacks."""
        file = work / "logits.npy"
        found = self._call("logits", checkpoint=str(checkpoint), tokens=list(tokens), out=str(file))
        values = np.load(file, allow_pickle=False)
        file.unlink()
        return values, tuple(found["missing"])

    def _call(self, function: str, **arguments: object) -> Mapping[str, Any]:
        return run(self.python, Call(_SIDE, function, arguments), self.say)


@contextmanager
def genai_exporter(say: Say) -> Iterator[Exporter]:
    """The exporter, its environment made if it is not there yet. EnvironmentFailed: it cannot be made."""
    with environment(read_lock("genai"), say) as python:
        yield Exporter(python, say)


def builder_options(scheme: Scheme) -> dict[str, str]:
    """The builder's options for a scheme.

    Only the last token's logits are computed: a prompt of 1000 tokens would give 1000 rows of all words. One product
    for gate and up projection: prompts take a quarter less time.
    """
    fused = {"prune_lm_head": "true", "fuse_mlp_gate_up": "true"}
    if scheme.family == "float32":
        return fused
    return {**fused, "block_size": str(scheme.block), "accuracy_level": "4"}
