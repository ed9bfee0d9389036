"""edgert on the board: load a bundle, answer requests.

`load(path)` gives a ready `Pipeline`; nothing heavy is imported before it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.pipeline import Pipeline

__version__ = "0.1.0"


def load(bundle: str | Path, *, threads: int = 0) -> Pipeline:
    """Open a bundle folder as a `Pipeline` that answers texts.

    Args:
        bundle: folder with a `manifest.json`, as written by `edgert convert`.
        threads: intra-op threads of the engine; 0 lets the engine choose (one per physical core).

    Raises:
        BundleError: the bundle is not whole (every file is hashed before it is used).
        UnsupportedModel, UnsupportedTokenizer: this runtime cannot run it.
    """
    from pathlib import Path

    from edge_runtime.pipeline import open_pipeline

    return open_pipeline(Path(bundle), threads=threads)
