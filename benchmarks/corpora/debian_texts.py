"""Real text out of Debian packages: fetched by apt, read in memory, never installed and never run.

What apt offers is taken and recorded with version and sha256: a Debian mirror keeps no older version to pin.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import re
import shutil
import struct
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from edge_runtime.errors import SourceUnavailable
from edgert_tools.cache import cache_folder, keep, work_folder

APT_TIMEOUT_S = 900
MO_MAGIC = 0x950412DE
SHORTEST_LINE = 20  # menus, page numbers and bare commands are shorter


@dataclass(frozen=True)
class DebianPackage:
    """A package in the cache."""

    name: str
    version: str
    sha256: str
    path: Path


def fetch(names: Sequence[str]) -> list[DebianPackage]:
    """Give the packages in the order of `names`, downloading those that the cache has not.

    Raises:
        SourceUnavailable: no apt here, no network, or no such package.
    """
    folder = cache_folder() / "debian"
    missing = [name for name in names if _archive(folder, name) is None]
    if missing:
        _download(missing, folder)
    return [_package(name, _archive(folder, name)) for name in names]


def lines_of(package: DebianPackage) -> Iterator[tuple[str, str]]:
    """Give (language, line or paragraph) in the order of the archive's sorted paths; languages as in ISO 639."""
    found: dict[str, tuple[str, Callable[[bytes], list[str]], bytes]] = {}
    for path, data in _members(package.path):
        for pattern, reader in _READERS:
            if match := pattern.fullmatch(path):
                named = match.groupdict().get("language") or package.name.partition("-")[2] or "en"
                found[path] = (_language(named), reader, data)
    for path in sorted(found):
        language, reader, data = found[path]
        for line in reader(data):
            if len(line) >= SHORTEST_LINE and "\ufffd" not in line:
                yield language, line


def emoji(package: DebianPackage) -> list[str]:
    """Give every fully qualified emoji, with their joiners and skin tones, from `unicode-data`."""
    texts = [data for path, data in _members(package.path) if path.endswith("/emoji-test.txt")]
    lines = [line for line in texts[0].decode().splitlines() if "; fully-qualified" in line]
    return ["".join(chr(int(code, 16)) for code in line.partition(";")[0].split()) for line in lines]


def read_html(data: bytes) -> list[str]:
    """Give the text of a page, a line for each block."""
    page = re.sub(r"(?s)<(script|style|head)\b.*?</\1>", " ", data.decode("utf-8", "replace"))
    page = re.sub(r"(?s)<(p|div|li|h\d|tr|br|dt|dd|pre|td|th)\b[^>]*>", "\n", page)
    return _stripped(html.unescape(re.sub(r"(?s)<[^>]+>", "", page)).split("\n"))


def read_quotes(data: bytes) -> list[str]:
    """Give the quotes of a fortune file, which a line with a per cent sign parts."""
    return _stripped(data.decode("utf-8", "replace").split("\n%\n"))


def read_manual(data: bytes) -> list[str]:
    """Give the paragraphs of a manual page without its requests and font changes."""
    paragraphs = re.split(r"(?m)^[.'].*\n?", gzip.decompress(data).decode("utf-8", "replace"))
    texts = (re.sub(r"\\f[BIRPC]|\\[,/&]", "", paragraph) for paragraph in paragraphs)
    return _stripped(text.replace("\\-", "-").replace("\n", " ") for text in texts)


def read_messages(data: bytes) -> list[str]:
    """Give the translations of a compiled catalogue (GNU gettext's .mo)."""
    order = "<" if struct.unpack("<I", data[:4])[0] == MO_MAGIC else ">"
    count, _, table = struct.unpack(order + "III", data[8:20])
    texts = []
    for entry in range(count):
        length, at = struct.unpack_from(order + "II", data, table + 8 * entry)
        texts += data[at : at + length].decode("utf-8", "replace").split("\0")
    return _stripped(re.sub(r"<[^>]+>", "", text) for text in texts[1:])  # the first is the catalogue's header


_READERS: tuple[tuple[re.Pattern[str], Callable[[bytes], list[str]]], ...] = (
    (re.compile(r"usr/share/doc/debian-handbook/html/(?P<language>[\w-]+)/[^/]+\.html"), read_html),
    (re.compile(r"usr/share/doc/installation-guide-\w+/(?P<language>\w+)/[^/]+\.html"), read_html),
    (re.compile(r"usr/share/libreoffice/help/(?P<language>[\w-]+)/text/.+\.html"), read_html),
    (re.compile(r"usr/share/games/fortunes/(\w+/)?[^/]+(?<!\.dat)(?<!\.u8)"), read_quotes),
    (re.compile(r"usr/share/man/(?P<language>\w+)/man\d\w*/[^/]+\.gz"), read_manual),
    (re.compile(r".*/(?P<language>[\w-]+)/LC_MESSAGES/[^/]+\.mo"), read_messages),
)


def _language(named: str) -> str:
    """`de-DE`, `zh_CN` and the `min` of a package name as the language that they are."""
    code = re.split(r"[-_]", named)[0]
    return {"min": "en", "br": "pt", "fortunes": "en"}.get(code, code)


def _stripped(lines: Iterator[str] | Sequence[str]) -> list[str]:
    return [line for line in (line.strip() for line in lines) if line]


def _archive(folder: Path, name: str) -> Path | None:
    """The newest archive of this package in the cache: `name_version_architecture.deb`."""
    found = sorted(folder.glob(f"{name}_*.deb"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def _package(name: str, archive: Path | None) -> DebianPackage:
    if archive is None:
        raise SourceUnavailable(f"apt gave no file for the package {name}: run `apt-get update` and try again")
    version = unquote(archive.name.split("_")[1])
    return DebianPackage(name, version, hashlib.sha256(archive.read_bytes()).hexdigest(), archive)


def _download(names: Sequence[str], folder: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise SourceUnavailable("no apt-get and dpkg-deb here: the large corpora are texts out of Debian's packages")
    with work_folder() as work:
        try:
            done = subprocess.run(
                ["apt-get", "download", "-qq", *names],
                cwd=work,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                timeout=APT_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SourceUnavailable(f"apt-get did not end in {APT_TIMEOUT_S} s: try again") from error
        for archive in sorted(work.glob("*.deb")):
            keep(archive, folder / archive.name)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        raise SourceUnavailable(
            f"apt-get download failed: {'; '.join(errors[:2]) or done.stderr[-200:]}: run `apt-get update` first"
        )


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Give (path, bytes) of the regular files in a package."""
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|") as stream:
            for info in stream:
                path = info.name.removeprefix("./")
                if info.isfile() and (path.endswith("emoji-test.txt") or any(p.fullmatch(path) for p, _ in _READERS)):
                    member = stream.extractfile(info)
                    assert member is not None
                    yield path, member.read()
        process.stdout.read()  # dpkg-deb ends with a full pipe otherwise
    if process.returncode:
        raise SourceUnavailable(f"dpkg-deb cannot read {archive.name}: delete it from the cache and try again")
