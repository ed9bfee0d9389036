"""infinity-emb as a peer: `python -m benchmarks.service_parts.infinity_app v2 ..`, its own command line.

It has no option for onnxruntime's threads, so the session options are given here; all else is as it comes.
"""

from __future__ import annotations

import os
from typing import Any

import onnxruntime
import torch

from benchmarks.service_parts.peer_settings import THREADS

_open = onnxruntime.InferenceSession.__init__


def _open_with_threads(self: Any, path: Any, sess_options: Any = None, *arguments: Any, **named: Any) -> None:
    options = sess_options or onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ[THREADS])
    _open(self, path, options, *arguments, **named)


if __name__ == "__main__":
    if threads := int(os.environ.get(THREADS, "0")):
        onnxruntime.InferenceSession.__init__ = _open_with_threads
        torch.set_num_threads(threads)
    from infinity_emb.cli import cli

    cli()
