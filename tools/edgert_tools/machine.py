"""What a measurement was taken on, and with which versions a bundle was made."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge_runtime import __version__
from edge_runtime.errors import MissingExtra

_TOOLS = (
    "torch",
    "transformers",
    "optimum",
    "optimum-onnx",
    "onnx",
    "onnxruntime",
    "numpy",
    "sentencepiece",
    "tokenizers",
)
_OTHER_CODE = {  # does not take part in a conversion
    "combine.py",
    "commands",
    "demo.py",
    "planning",
    "tokenizer_check.py",
    "unicode_tables",
}
_HEAD_TOOLS = ("scikit-learn", "hassil", "home-assistant-intents")


def machine() -> dict[str, object]:
    """Architecture, processor, cores that this process may use, Python and onnxruntime."""
    return {
        "arch": platform.machine(),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "python": platform.python_version(),
        "onnxruntime": _version("onnxruntime"),
    }


def tool_versions(*, with_head: bool) -> dict[str, str]:
    """Versions of everything that decides what comes out of a conversion, and a hash of this package's own code."""
    names = _TOOLS + (_HEAD_TOOLS if with_head else ())
    own = {"edgert": __version__, "edgert_tools_sha256": _own_code(), "python": platform.python_version()}
    return own | {name: _version(name) for name in names}


def require_modules(names: Iterable[str]) -> None:
    """Refuse to begin without what a conversion needs. MissingExtra: a module that is not installed."""
    for name in names:
        try:
            missing = importlib.util.find_spec(name) is None
        except ModuleNotFoundError:
            missing = True
        if missing:
            raise MissingExtra(name.partition(".")[0], "convert")


def _own_code() -> str:
    """Hash of the code that converts: between two releases the version alone would not tell a changed one."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        place = file.relative_to(folder)
        if _OTHER_CODE.isdisjoint(place.parts):
            digest.update(place.as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _cpu_name() -> str:
    """The processor's name as the kernel tells it; ARM boards tell the board's model instead."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for key in ("model name", "Model"):
        for line in lines:
            if line.startswith(key) and ":" in line:
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
