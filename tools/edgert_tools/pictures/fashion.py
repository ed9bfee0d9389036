"""Fashion-MNIST: 70,000 small gray pictures of clothes, out of Debian's package; fetched by apt, never installed."""

from __future__ import annotations

import gzip

import numpy as np
import numpy.typing as npt

from edge_runtime.errors import SourceUnavailable
from edgert_tools.debian import DebianPackage, debian_files
from edgert_tools.progress import Say

# In the order of the data's labels: Xiao et al. 2017, arXiv:1708.07747, table 2.
LABELS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
PACKAGE = DebianPackage(
    "dataset-fashion-mnist", "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0", megabytes=31
)
SIDE = 28

_FOLDER = "usr/share/datasets/fashion-mnist"
_PICTURES_HEAD, _LABELS_HEAD = 16, 8  # bytes before the data: IDX, as of MNIST

Pixels = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]


def load(part: str, say: Say) -> tuple[Pixels, Numbers]:
    """Pictures (rows, 28, 28), light on black, and the numbers of their labels.

    Args:
        part: "train" (60,000 rows) or "t10k" (10,000).

    Raises:
        SourceUnavailable: no apt, no network, or another package than the pinned one.
    """
    pictures = np.frombuffer(_member(f"{part}-images-idx3-ubyte.gz", say), np.uint8, offset=_PICTURES_HEAD)
    labels = np.frombuffer(_member(f"{part}-labels-idx1-ubyte.gz", say), np.uint8, offset=_LABELS_HEAD)
    return pictures.reshape(-1, SIDE, SIDE), labels.astype(np.int64)


def _member(name: str, say: Say) -> bytes:
    files = debian_files(PACKAGE, _FOLDER, say)
    if name not in files:
        raise SourceUnavailable(f"the Debian package {PACKAGE.name} has no {name}: another release?")
    return gzip.decompress(files[name])
