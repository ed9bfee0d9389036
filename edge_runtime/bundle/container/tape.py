"""The tar inside a container: written in one form only, and read only in that form.

The form: ustar, plain files with mode 0644, no times, no owners, sorted as the writer was given them, ended by two
empty blocks and nothing else. Reading compares each head with the one that the writer would have made, so links,
devices, sparse and extended entries, other modes and whatever a tar can hold besides are refused without a rule of
their own.

Source: POSIX.1-2017, pax, "ustar Interchange Format".
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from edge_runtime.bundle.errors import BadContainer

BLOCK = 512
CHUNK_BYTES = 1 << 20  # what is in memory at once
MOST_MEMBERS = 1001  # a bundle's files and its manifest
_END = bytes(2 * BLOCK)
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*")
_KINDS = {
    tarfile.LNKTYPE: "a link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.DIRTYPE: "a folder",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    tarfile.GNUTYPE_LONGNAME: "a GNU long name",
    tarfile.GNUTYPE_LONGLINK: "a GNU long link",
    tarfile.XHDTYPE: "an extended header",
    tarfile.XGLTYPE: "an extended header",
}


@dataclass(frozen=True)
class Member:
    """One file: its path with `/` and its size in bytes."""

    path: str
    size: int


def head_of(member: Member) -> bytes:
    """The 512 bytes before a file. BadContainer: the path or size has no place in ustar, or the path is not plain."""
    if not _PATH.fullmatch(member.path):
        raise BadContainer(f"path {member.path[:120]!r} is not a plain relative path")
    entry = tarfile.TarInfo(member.path)
    entry.size, entry.mode = member.size, 0o644
    try:
        return entry.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
    except ValueError as error:
        raise BadContainer(f"{member.path[:120]!r} with {member.size} bytes does not fit a tar: {error}") from error


def tape_bytes(members: Iterable[Member]) -> int:
    """Bytes of a whole tar."""
    return sum(BLOCK + member.size + _padding(member.size) for member in members) + len(_END)


def write_tape(files: Iterable[tuple[Member, Iterable[bytes]]]) -> Iterator[bytes]:
    """A whole tar in pieces; `files` are members with their content in pieces.

    Raises:
        BadContainer: a content is not as long as its member says.
    """
    for member, content in files:
        yield head_of(member)
        written = 0
        for piece in content:
            written += len(piece)
            yield piece
        if written != member.size:
            raise BadContainer(
                f"{member.path!r} has {written} bytes, {member.size} were announced: it changed meanwhile"
            )
        yield bytes(_padding(member.size))
    yield _END


def read_tape(stream: BinaryIO, size_bytes: int) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """Read a tar of `size_bytes` from where `stream` stands: each member with its content in pieces.

    The content must be read before the next member is asked for; what of it was not read is passed over.

    Raises:
        BadContainer: anything but what `write_tape` writes; it says which member and what is wrong with it.
    """
    tape, seen = _Tape(stream, size_bytes), set[str]()
    while True:
        block = tape.take(BLOCK)
        if not any(block):
            break
        member = _member(block)
        if member.path.casefold() in seen:
            raise BadContainer(
                f"{member.path[:120]!r} is there twice, or differs from another in upper and lower case only"
            )
        seen.add(member.path.casefold())
        if len(seen) > MOST_MEMBERS:
            raise BadContainer(f"tar has more than {MOST_MEMBERS} files")
        if member.size > tape.left:
            raise BadContainer(f"{member.path!r} claims {member.size} bytes, {tape.left} are left")
        content = tape.pieces(member.size)
        yield member, content
        for _ in content:  # what was not read
            pass
        if any(tape.take(_padding(member.size))):
            raise BadContainer(f"{member.path!r} is followed by bytes that belong to no file")
    if tape.left != BLOCK or any(tape.take(BLOCK)):
        raise BadContainer("tar does not end as it should: bytes follow its end")


class _Tape:
    """A stretch of a stream."""

    def __init__(self, stream: BinaryIO, size_bytes: int) -> None:
        self._stream, self.left = stream, size_bytes

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise BadContainer("tar ends in the middle of a file")
        data = self._stream.read(count) if count else b""
        if len(data) != count:
            raise BadContainer("file ends in the middle of its tar")
        self.left -= count
        return data

    def pieces(self, count: int) -> Iterator[bytes]:
        while count:
            piece = self.take(min(count, CHUNK_BYTES))
            count -= len(piece)
            yield piece


def _member(block: bytes) -> Member:
    try:
        entry = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        member = Member(entry.name, entry.size)
    except (tarfile.HeaderError, ValueError) as error:
        raise BadContainer(f"tar has a damaged head: {error}") from error
    if entry.type in _KINDS:
        raise BadContainer(f"{entry.name[:120]!r} is {_KINDS[entry.type]}: only plain files are taken")
    if entry.size < 0:
        raise BadContainer(f"{entry.name[:120]!r} claims {entry.size} bytes")
    if head_of(member) != block:
        raise BadContainer(
            f"head of {entry.name[:120]!r} is not as edgert writes it: times, owners and modes are fixed"
        )
    return member


def _padding(size: int) -> int:
    return -size % BLOCK
