"""Files out of Debian packages: pinned by sha256, fetched by apt, never installed, kept in the cache."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edge_runtime.bundle.manifest import sha256_of
from edge_runtime.errors import SourceUnavailable
from edgert_tools.cache import cache_folder, keep, work_folder
from edgert_tools.packages import MAX_MEMBER_BYTES
from edgert_tools.progress import Say

_TIMEOUT_S = 600


@dataclass(frozen=True)
class DebianPackage:
    """One `.deb` of Debian 12 that is the same for all machines: its name, sha256, and megabytes to download."""

    name: str
    sha256: str
    megabytes: int


def debian_files(package: DebianPackage, folder: str, say: Say) -> Mapping[str, bytes]:
    """The files under a folder of the package, by their path in it; kept in memory, as long as the process lives.

    Args:
        folder: as `usr/share/wordnet`.

    Raises:
        SourceUnavailable: no apt, no network, or another package than the pinned one.
    """
    return _files(_archive(package, say), package, folder)


def _archive(package: DebianPackage, say: Say) -> Path:
    """The package in the cache."""
    kept = cache_folder() / "debian-pinned" / f"{package.name}.deb"
    if kept.is_file() and sha256_of(kept) == package.sha256:
        return kept
    apt = shutil.which("apt-get")
    if apt is None:
        raise _unavailable(package, "there is no apt-get here")
    say(f"{package.name} ({package.megabytes} MB) from the Debian archive")
    with work_folder() as work:
        found = _download(package, apt, work)
        if sha256_of(found) != package.sha256:
            raise _unavailable(package, f"apt offers {found.name}, which is another file than the pinned one")
        kept.parent.mkdir(parents=True, exist_ok=True)
        return keep(found, kept)


def _download(package: DebianPackage, apt: str, work: Path) -> Path:
    try:
        done = subprocess.run(
            [apt, "download", package.name],
            cwd=work,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unavailable(package, str(error)) from error
    found = next(work.glob(f"{package.name}_*.deb"), None)
    if done.returncode or found is None:
        raise _unavailable(package, done.stderr.strip()[-200:] or "apt-get said nothing")
    return found


@cache
def _files(archive: Path, package: DebianPackage, folder: str) -> Mapping[str, bytes]:
    dpkg = shutil.which("dpkg-deb")
    if dpkg is None:
        raise _unavailable(package, "there is no dpkg-deb here")
    done = subprocess.run([dpkg, "--fsys-tarfile", archive], stdout=subprocess.PIPE, timeout=_TIMEOUT_S, check=True)
    prefix = f"./{folder}/"
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        members = [
            info for info in tar if info.isfile() and info.name.startswith(prefix) and info.size <= MAX_MEMBER_BYTES
        ]
        streams = {info.name.removeprefix(prefix): tar.extractfile(info) for info in members}
        return {name: stream.read() for name, stream in streams.items() if stream is not None}


def _unavailable(package: DebianPackage, reason: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"cannot get the Debian package {package.name}: {reason}. On Debian 12 with a network, try "
        f"`apt-get download {package.name}`; elsewhere, set EDGERT_CACHE to the cache folder of a machine that has it"
    )
