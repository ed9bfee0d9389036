"""edgert on the board: load a bundle, answer requests.

`load(path)` gives a model that is ready; nothing heavy is imported before it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.model import Model

__version__ = "0.1.0"


def load(bundle: str | Path, *, threads: int = 0) -> Model:
    """Open a bundle folder as a model that answers; a bundle that reads plain texts is a `Pipeline`.

    Args:
        bundle: folder with a `manifest.json`, as written by `edgert convert`.
        threads: intra-op threads of the engine; 0 lets the engine choose (one per physical core).

    Raises:
        BundleError: the bundle is not whole (every file is hashed before it is used).
        UnsupportedModel, UnsupportedTokenizer: this runtime cannot run it.
    """
    from pathlib import Path

    from edge_runtime.model import open_model

    return open_model(Path(bundle), threads=threads)
