"""Pinned peers in a folder of the cache, beside whatever this Python has: the newest `tokenizers` above all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgert_tools.cache import cache_folder, keep, work_folder

TOKENIZERS = "tokenizers==0.23.3"
PACKAGES = (
    TOKENIZERS,
    "nanotoken==0.1.0",
    "snaptokens==0.2.6",
    "tiktoken==0.14.0",
    "regex==2026.11.15",  # tiktoken needs it
    "tuetoken==0.1.3",
    "tokie==0.1.4",
    "sentencepiece==0.2.3",
)
PIP_TIMEOUT_S = 600


def peer_folders(packages: Sequence[str] = PACKAGES) -> tuple[list[Path], list[str]]:
    """Give the folders to put on PYTHONPATH, and a line for each peer that cannot be had here.

    Only wheels are taken: nothing is compiled. What is in the cache needs no network.
    """
    folders, missing = [], []
    for requirement in packages:
        folder = cache_folder() / "peers" / f"{requirement}-py{sys.version_info.major}{sys.version_info.minor}"
        error = "" if folder.is_dir() else _install(requirement, folder)
        if error and requirement == TOKENIZERS:
            sys.exit(f"cannot get {requirement}, which everything is compared with: {error}")
        if error:
            missing.append(f"{requirement}: {error}")
        else:
            folders.append(folder)
    return folders, missing


def _install(requirement: str, folder: Path) -> str:
    """Put one package into its folder; gives why not, or nothing."""
    options = (
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--quiet",
        "--root-user-action=ignore",
    )
    with work_folder() as work:
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(work / "site"), requirement]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
            return (lines or [done.stderr.strip()])[-1].removeprefix("ERROR: ")[:200]
        keep(work / "site", folder)
    return ""
