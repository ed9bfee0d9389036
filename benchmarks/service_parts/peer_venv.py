"""A virtual environment of its own for each peer, in the cache: made on first use, with pinned versions."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from setup_pip import Pip, SetupError, refuse_cuda, say
from setup_venv import make_venv

from edgert_tools.cache import cache_folder, keep, work_folder

CELL_CHARACTERS = 160


class NoPeer(Exception):
    """The peer cannot be had on this machine; the message says why, in one line."""


def peer_python(name: str, requirements: Sequence[str], *, torch: bool = False, torch_index: str = "") -> Path:
    """The Python of a peer's environment. Only wheels are taken; what is in the cache needs no network.

    Args:
        name: what the person is told, and the folder's name.
        requirements: pinned, as pip takes them; other pins make another environment.
        torch: the peer needs PyTorch; it gets the version that this Python has, never a CUDA build.
        torch_index: package index with the CPU build of PyTorch, where the default one has CUDA.

    Raises:
        NoPeer: no network, no wheel for this machine, no CPU build of PyTorch.
    """
    folder = cache_folder() / "peers" / _folder_name(name, requirements)
    python = folder / "bin" / "python"
    if not python.exists():
        say(f"making an environment for {name}: {' '.join(requirements)}")
        try:
            _make(folder, requirements, [_torch_pin()] if torch else [], torch_index)
        except (SetupError, OSError) as error:
            say(str(error))
            raise NoPeer(one_line(str(error))) from error
    return python


def one_line(said: str) -> str:
    """The first line of an error, short enough for a table's cell; all of it was said before."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["no reason given"]
    return lines[0][:CELL_CHARACTERS]


def _folder_name(name: str, requirements: Sequence[str]) -> str:
    pins = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:8]
    return f"{name.lower()}-py{sys.version_info.major}{sys.version_info.minor}-{pins}"


def _torch_pin() -> str:
    """PyTorch as this Python has it, with its local version: `2.13.0+cpu` is never taken for a CUDA build."""
    try:
        return f"torch=={version('torch')}"
    except PackageNotFoundError:
        raise NoPeer("it needs PyTorch, whose CPU build comes with edgert's extra `convert`") from None


def _make(folder: Path, requirements: Sequence[str], torch: list[str], torch_index: str) -> None:
    """Fill a folder and move it into place: nothing half made is ever taken for a peer.

    A moved environment works as long as its programs are started by `python -m`, as all peers here are.
    """
    with work_folder() as work:
        made = work / "venv"
        make_venv(made, reuse=False)
        pip = Pip(made)
        if torch:
            _install_torch(pip, torch, ["--index-url", torch_index] if torch_index else [])
        pip.install("--only-binary=:all:", *torch, *requirements)
        keep(made, folder)


def _install_torch(pip: Pip, torch: list[str], index: list[str]) -> None:
    try:
        refuse_cuda(pip.report(*index, *torch))
        pip.install(*index, *torch)
    except SetupError as error:
        say(str(error))
        raise NoPeer("no CPU build of PyTorch: name its package index with --torch-index") from error
