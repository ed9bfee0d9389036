"""What others make of a float graph with their default settings."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks.service_parts.peer_venv import NoPeer, one_line, peer_python
from edgert_tools.quiet import quiet

_MODEL = "model.onnx"
_OLIVE = "olive-ai==0.13.0"
_LIMIT_S = 600
_OLIVE_DEFAULT = """
import sys
from olive.model import ONNXModelHandler
from olive.passes.olive_pass import create_pass_from_dict
from olive.passes.onnx.quantization import OnnxDynamicQuantization
quantize = create_pass_from_dict(OnnxDynamicQuantization, {}, disable_search=True)
quantize.run(ONNXModelHandler(sys.argv[1]), sys.argv[2])
"""


class CannotQuantize(Exception):
    """The peer cannot be had here, or could not make it; the message says why, in one line."""


def optimum_default(exported: Path, work: Path) -> Path:
    """optimum's `ORTQuantizer` as its documentation shows it: dynamic, for AVX-512 VNNI, one scale a tensor."""
    return _optimum(exported, work / "optimum", per_channel=False)


def optimum_per_channel(exported: Path, work: Path) -> Path:
    """The same with the one option that helps it most: a scale a column."""
    return _optimum(exported, work / "optimum-per-channel", per_channel=True)


def olive_default(exported: Path, work: Path) -> Path:
    """Olive's dynamic quantization with its own defaults, in an environment of its own."""
    same = (f"{name}=={version(name)}" for name in ("onnx", "onnxruntime", "transformers"))
    try:
        python = peer_python("olive", (_OLIVE, *same), torch=True)
    except NoPeer as error:
        raise CannotQuantize(str(error)) from error
    command = [str(python), "-c", _OLIVE_DEFAULT, str(exported / _MODEL), str(work / "olive")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    if done.returncode:
        raise CannotQuantize(one_line(done.stderr.strip().rpartition("\n")[2]))
    return next((work / "olive").rglob("*.onnx"))


PEERS: dict[str, Callable[[Path, Path], Path]] = {
    "optimum default": optimum_default,
    "optimum per channel": optimum_per_channel,
    "olive default": olive_default,
}


def _optimum(exported: Path, folder: Path, *, per_channel: bool) -> Path:
    try:
        from optimum.onnxruntime import ORTQuantizer
        from optimum.onnxruntime.configuration import AutoQuantizationConfig
    except ImportError as error:
        raise CannotQuantize(str(error)) from error
    source = folder / "float"
    shutil.copytree(exported, source)
    with quiet():
        quantizer = ORTQuantizer.from_pretrained(source, file_name=_MODEL)
        config = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=per_channel)
        quantizer.quantize(save_dir=folder / "int8", quantization_config=config)
    return next((folder / "int8").glob("*.onnx"))
