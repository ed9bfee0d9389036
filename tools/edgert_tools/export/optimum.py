"""Encoders and sequence to sequence by optimum-onnx.

With this Python, if it has the exporter's packages at the locked versions, as after `pip install 'edgert[convert]'`;
else as a child process in an environment of its own. The code is the same, and so are the graphs.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edge_runtime.errors import EdgertError, UnsupportedModel
from edgert_tools.export.child import optimum_side
from edgert_tools.export.environment import environment
from edgert_tools.export.lock import read_lock
from edgert_tools.export.process import Call, run
from edgert_tools.progress import Say, to_stderr
from edgert_tools.quiet import quiet

APART = "EDGERT_EXPORT_APART"  # set: always in the exporter's own environment
_READ = (".json", ".txt", ".safetensors")  # a pickle beside them is not even seen


def export_by_optimum(
    folder: Path,
    out: Path,
    task: str,
    *,
    what: str,
    loader: str = "",
    unneeded: str = "",
    separate: bool = False,
    say: Say = to_stderr,
) -> None:
    """Export a checkpoint; see `child/optimum_side.py` for the arguments that are not explained here.

    Args:
        folder: the checkpoint; only its JSON, text and safetensors files are given to the exporter.
        out: folder to make.
        what: the model in words, for the message.

    Raises:
        UnsupportedModel: the exporter cannot, with its reason.
        EnvironmentFailed: its environment cannot be made.
    """
    staged = stage(folder, out.with_name(out.name + "-read"))
    arguments = {"task": task, "loader": loader, "unneeded": unneeded, "separate": separate}
    lock = read_lock("optimum")
    try:
        if lock.installed_here() and not os.environ.get(APART):
            with quiet():
                optimum_side.export(say, checkpoint=str(staged), out=str(out), **arguments)  # type: ignore[arg-type]
        else:
            with environment(lock, say) as python:
                call = Call("optimum_side", "export", {**arguments, "checkpoint": str(staged), "out": str(out)})
                run(python, call, say)
    except EdgertError:
        raise
    except Exception as error:  # a third-party exporter raises anything; the cause is kept
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UnsupportedModel(f"cannot export {what}: {reason}") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def stage(folder: Path, staged: Path) -> Path:
    """Make a folder in which an exporter sees nothing but a checkpoint's JSON, text and safetensors files."""
    staged.mkdir(parents=True)
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.suffix in _READ:
            link(file, staged / file.name)
    return staged


def link(file: Path, target: Path) -> None:
    """Make a file readable under another name, without a copy where the disk has links."""
    try:
        target.symlink_to(file.resolve())
    except OSError:  # a file system without links
        shutil.copyfile(file, target)
