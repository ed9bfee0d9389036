"""Run a module with the newest `tokenizers` instead of the one that this Python has installed.

python -m benchmarks.tokenizing.with_newest MODULE [ARGUMENT]...
"""

from __future__ import annotations

import os
import sys

from benchmarks.tokenizing.peer_packages import TOKENIZERS, peer_folders


def main() -> None:
    """Become that module's process."""
    folders, _ = peer_folders((TOKENIZERS,))
    path = os.pathsep.join([*map(str, folders), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    os.execve(sys.executable, [sys.executable, "-m", *sys.argv[1:]], os.environ | {"PYTHONPATH": path})


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main()
