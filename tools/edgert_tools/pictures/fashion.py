"""Fashion-MNIST: 70,000 small gray pictures of clothes, out of Debian's package; fetched by apt, never installed."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import tarfile
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.manifest import sha256_of
from edge_runtime.errors import SourceUnavailable
from edgert_tools.cache import cache_folder, keep, work_folder
from edgert_tools.progress import Say

# In the order of the data's labels: Xiao et al. 2017, arXiv:1708.07747, table 2.
LABELS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
PACKAGE, MEGABYTES = "dataset-fashion-mnist", 31
SHA256 = "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0"
SIDE = 28

_FOLDER = "usr/share/datasets/fashion-mnist"
_PICTURES_HEAD, _LABELS_HEAD = 16, 8  # bytes before the data: IDX, as of MNIST
_TIMEOUT_S = 600

Pixels = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]


def load(part: str, say: Say) -> tuple[Pixels, Numbers]:
    """Pictures (rows, 28, 28), light on black, and the numbers of their labels.

    Args:
        part: "train" (60,000 rows) or "t10k" (10,000).

    Raises:
        SourceUnavailable: no apt, no network, or another package than the pinned one.
    """
    archive = _archive(say)
    pictures = np.frombuffer(_member(archive, f"{part}-images-idx3-ubyte.gz"), np.uint8, offset=_PICTURES_HEAD)
    labels = np.frombuffer(_member(archive, f"{part}-labels-idx1-ubyte.gz"), np.uint8, offset=_LABELS_HEAD)
    return pictures.reshape(-1, SIDE, SIDE), labels.astype(np.int64)


def _archive(say: Say) -> Path:
    """The package in the cache."""
    kept = cache_folder() / "debian-pinned" / f"{PACKAGE}.deb"
    if kept.is_file() and sha256_of(kept) == SHA256:
        return kept
    apt = shutil.which("apt-get")
    if apt is None:
        raise _unavailable("there is no apt-get here")
    say(f"{PACKAGE} ({MEGABYTES} MB) from the Debian archive")
    with work_folder() as work:
        try:
            done = subprocess.run(
                [apt, "download", PACKAGE],
                cwd=work,
                env={**os.environ, "LC_ALL": "C"},
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _unavailable(str(error)) from error
        found = next(work.glob(f"{PACKAGE}_*.deb"), None)
        if done.returncode or found is None:
            raise _unavailable(done.stderr.strip()[-200:] or "apt-get said nothing")
        if sha256_of(found) != SHA256:
            raise _unavailable(f"apt offers {found.name}, which is another file than the pinned one")
        kept.parent.mkdir(parents=True, exist_ok=True)
        return keep(found, kept)


@cache
def _files(archive: Path) -> dict[str, bytes]:
    """The package's data files, still packed."""
    dpkg = shutil.which("dpkg-deb")
    if dpkg is None:
        raise _unavailable("there is no dpkg-deb here")
    done = subprocess.run([dpkg, "--fsys-tarfile", archive], stdout=subprocess.PIPE, timeout=_TIMEOUT_S, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        members = [info for info in tar if info.isfile() and _FOLDER in info.name]
        streams = {Path(info.name).name: tar.extractfile(info) for info in members}
        return {name: stream.read() for name, stream in streams.items() if stream is not None}


def _member(archive: Path, name: str) -> bytes:
    files = _files(archive)
    if name not in files:
        raise _unavailable(f"it has no {name}")
    return gzip.decompress(files[name])


def _unavailable(reason: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"cannot get the Debian package {PACKAGE}: {reason}. On Debian 12 with a network, try "
        f"`apt-get download {PACKAGE}`; elsewhere, set EDGERT_CACHE to the cache folder of a machine that has it"
    )
