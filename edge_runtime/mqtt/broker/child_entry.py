"""Entry of a child process: ties its life to its parent's, then becomes the program. Run as a script by `child.py`.

Done by the child itself and not between fork and exec: Python code there can deadlock when other threads run.
"""

from __future__ import annotations

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent_pid: str, program: str, *arguments: str) -> None:
    """Become `program`, which ends, at the latest, with the thread that started it. Linux only, elsewhere it stays."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # survives exec
    if os.getppid() != int(parent_pid):  # it ended before the kernel knew
        os._exit(1)
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
