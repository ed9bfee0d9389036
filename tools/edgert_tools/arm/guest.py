"""Runs a graph, in this process or on an emulated board: `guest.py GRAPH INPUTS.npz OUTPUTS.npz REQUESTS`.

It is a script for whatever Python there is, with numpy and onnxruntime and nothing of edgert. The inputs' names are
`ROW/NAME`. The outputs of every row go to the second file, as `ROW/NUMBER`; then row 0 is run REQUESTS times with a
mark before, between and after for `counter.c`.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import Any

import numpy as np

MARK = -4242  # counter.c has the same


def open_graph(graph: str) -> Any:
    """A session as the board has it: one thread. With two, the waiting one's turns would be counted."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def rows_of(stored: Any) -> list[dict[str, Any]]:
    """Inputs by row."""
    rows: dict[int, dict[str, Any]] = {}
    for key in stored.files:
        number, _, name = key.partition("/")
        rows.setdefault(int(number), {})[name] = stored[key]
    return [rows[number] for number in sorted(rows)]


def answers_of(session: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Outputs by `ROW/NUMBER`."""
    return {
        f"{row}/{number}": values
        for row, feeds in enumerate(rows)
        for number, values in enumerate(session.run(None, feeds))
    }


def _mark() -> None:
    with contextlib.suppress(OSError):
        os.close(MARK)


def _main(graph: str, inputs: str, outputs: str, requests: str) -> None:
    session = open_graph(graph)
    with np.load(inputs) as stored:
        rows = rows_of(stored)
    np.savez(outputs, **answers_of(session, rows))
    gc.collect()
    gc.disable()
    session.run(None, rows[0])  # memory is as this row wants it from now on
    _mark()
    for _ in range(int(requests)):
        session.run(None, rows[0])
        _mark()


if __name__ == "__main__":
    _main(*sys.argv[1:])
