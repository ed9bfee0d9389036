"""Run `edgert` inside a test's own process."""

from __future__ import annotations

import pytest

from edge_runtime.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """`edgert ARGUMENTS`: its exit status, what it printed to stdout, what to stderr."""
    status = 0
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    out, err = capsys.readouterr()
    return status, out, err
