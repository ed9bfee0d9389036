"""What a command loads: `--help` answers at once, and the board never loads the workstation's packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

HEAVY = {"numpy", "onnxruntime", "paho"}
WORKSTATION = {"hassil", "huggingface_hub", "onnx", "optimum", "sklearn", "tokenizers", "torch", "transformers"}

# Runs its source, then says which top-level modules are loaded: on fd 3, as stdout is the command's.
PROBE = """
import json, os, sys
try:
    exec(sys.argv[1])
finally:
    os.write(int(sys.argv[2]), json.dumps(sorted({name.partition(".")[0] for name in sys.modules})).encode())
"""


def loaded_by(source: str) -> tuple[set[str], str]:
    """Top-level modules that `source` loads in a fresh interpreter, and what it printed."""
    reader, writer = os.pipe()
    try:
        command = [sys.executable, "-c", PROBE, source, str(writer)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, pass_fds=[writer], check=False)
        os.close(writer)
        with os.fdopen(reader, closefd=False) as told:
            names = told.read()
    finally:
        os.close(reader)
    assert done.returncode == 0, done.stderr
    return set(json.loads(names)), done.stdout


@pytest.mark.parametrize("words", [["--help"], ["--version"], *([name, "--help"] for name in ("serve", "up", "ask"))])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    names, printed = loaded_by(f"from edge_runtime.cli import main\nmain({words})")
    assert "edgert" in printed
    assert names & (HEAVY | WORKSTATION) == set()


@pytest.mark.parametrize("command", ["convert", "demo", "recipes"])
def test_help_of_the_workstation_commands_loads_nothing_heavy(command: str) -> None:
    names, printed = loaded_by(f"from edge_runtime.cli import main\nmain([{command!r}, '--help'])")
    assert f"edgert {command}" in printed
    assert names & (HEAVY | WORKSTATION) == set()


@pytest.mark.parametrize(
    "module", ["daemon", "service", "client", "running", "engine.onnx", "tokenizer", "tasks.classify"]
)
def test_the_board_never_loads_the_workstation(module: str) -> None:
    names, _ = loaded_by(f"import edge_runtime.{module}")
    assert "edge_runtime" in names
    assert names & (WORKSTATION | {"edgert_tools", "firmware_bridge"}) == set()


def test_the_package_itself_loads_nothing_heavy() -> None:
    names, _ = loaded_by("import edge_runtime, edge_runtime.errors, firmware_bridge, firmware_bridge.framing")
    assert names & (HEAVY | WORKSTATION) == set()


def test_the_probe_sees_what_is_loaded() -> None:
    names, _ = loaded_by("import numpy")
    assert "numpy" in names
