"""The tar in one form only: Python's reader takes what ours writes, and ours takes nothing else."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bundle.container.tape import BLOCK, CHUNK_BYTES, Member, head_of, read_tape, tape_bytes, write_tape
from edge_runtime.bundle.errors import BadContainer

FILES = [("manifest.edgert", b"x" * 600), ("a/model.onnx", b""), ("b.json", b"y" * 512)]


def tape(files: list[tuple[str, bytes]] = FILES) -> bytes:
    return b"".join(write_tape((Member(path, len(data)), [data]) for path, data in files))


def read(data: bytes) -> list[tuple[str, bytes]]:
    return [(member.path, b"".join(content)) for member, content in read_tape(io.BytesIO(data), len(data))]


def foreign(**changes: object) -> bytes:
    """A tar of one file as Python's writer makes it, with some fields of its head changed."""
    entry = tarfile.TarInfo("b.json")
    entry.size, entry.mode = 3, 0o644
    for name, value in changes.items():
        setattr(entry, name, value)
    has_data = entry.type in (tarfile.REGTYPE, tarfile.GNUTYPE_SPARSE)
    content = b"abc" + bytes(BLOCK - 3) if has_data and entry.size else b""
    return entry.tobuf(tarfile.USTAR_FORMAT) + content + bytes(2 * BLOCK)


def test_what_was_written_is_what_is_read_here_and_by_others() -> None:
    data = tape()
    assert read(data) == FILES
    assert len(data) == tape_bytes([Member(path, len(content)) for path, content in FILES])
    with tarfile.open(fileobj=io.BytesIO(data)) as others:
        assert [(one.name, one.size, one.mode, one.mtime, one.uid) for one in others] == [
            (path, len(content), 0o644, 0, 0) for path, content in FILES
        ]
        assert others.extractfile("b.json").read() == FILES[2][1]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (foreign(type=tarfile.SYMTYPE, linkname="/etc/passwd", size=0), "'b.json' is a symbolic link"),
        (foreign(type=tarfile.LNKTYPE, linkname="a", size=0), "is a link"),
        (foreign(type=tarfile.CHRTYPE, size=0), "is a device"),
        (foreign(type=tarfile.BLKTYPE, size=0), "is a device"),
        (foreign(type=tarfile.FIFOTYPE, size=0), "is a pipe"),
        (foreign(type=tarfile.DIRTYPE, size=0), "is a folder"),
        (foreign(type=tarfile.GNUTYPE_SPARSE), "is a sparse file"),
        (foreign(type=tarfile.GNUTYPE_LONGNAME), "is a GNU long name"),
        (foreign(type=tarfile.XHDTYPE), "is an extended header"),
        (foreign(type=tarfile.XGLTYPE), "is an extended header"),
        (foreign(type=b"7"), "not as edgert writes it"),
        (foreign(mode=0o755), "not as edgert writes it"),
        (foreign(mtime=1), "not as edgert writes it"),
        (foreign(uname="root"), "not as edgert writes it"),
        (foreign(name="/etc/passwd"), "not a plain relative path"),
        (foreign(name="../up"), "not a plain relative path"),
        (foreign(name="a/../b"), "not a plain relative path"),
        (foreign(name="a//b"), "not a plain relative path"),
        (foreign(name=".hidden"), "not a plain relative path"),
        (foreign(name="a b"), "not a plain relative path"),
        (foreign(name="ä"), "damaged head|not a plain"),
        (foreign(size=1 << 30), "claims 1073741824 bytes"),
        (foreign()[:BLOCK], "claims 3 bytes, 0 are left"),
        (foreign()[: BLOCK + 3], "ends in the middle"),
        (foreign()[: 2 * BLOCK], "ends in the middle"),
        (foreign()[:-BLOCK], "does not end as it should"),
        (foreign() + bytes(BLOCK), "does not end as it should"),
        (foreign()[:-1] + b"x", "does not end as it should"),
        (foreign()[: 2 * BLOCK - 1] + b"x" + bytes(2 * BLOCK), "belong to no file"),
        (b"x" * BLOCK, "damaged head"),
        (b"", "ends in the middle"),
        (tape([("a", b"1"), ("a", b"2")]), "'a' is there twice"),
        (
            tape([("Model.onnx", b"1"), ("model.onnx", b"2")]),
            "there twice, or differs from another in upper and lower case only",
        ),
        (tape([(f"f{number}", b"") for number in range(1002)]), "more than 1001 files"),
    ],
)
def test_anything_else_is_refused_in_words(data: bytes, complaint: str) -> None:
    with pytest.raises(BadContainer, match=complaint):
        read(data)


def test_a_name_in_two_fields_is_read_as_it_was_written() -> None:
    path = "variants/" + "a" * 60 + "/" + "b" * 90
    assert read(tape([(path, b"1")])) == [(path, b"1")]


def test_a_name_that_does_not_fit_is_not_written() -> None:
    with pytest.raises(BadContainer, match="does not fit a tar"):
        head_of(Member("a" * 101, 1))


def test_a_content_that_changes_while_it_is_written_is_noticed() -> None:
    with pytest.raises(BadContainer, match="2 bytes, 3 were announced"):
        b"".join(write_tape([(Member("a", 3), [b"12"])]))


def test_no_more_than_a_piece_is_in_memory_at_once() -> None:
    data = tape([("big", bytes(3 * CHUNK_BYTES + 1))])
    ((_, content),) = ((member, list(pieces)) for member, pieces in read_tape(io.BytesIO(data), len(data)))
    assert [len(piece) for piece in content] == [CHUNK_BYTES] * 3 + [1]


def test_what_is_not_read_of_a_file_is_passed_over() -> None:
    data = tape()
    assert [member.path for member, _ in read_tape(io.BytesIO(data), len(data))] == [path for path, _ in FILES]


@given(st.integers(0, len(tape()) - 1), st.binary(min_size=1, max_size=4))
def test_a_damaged_tar_is_read_the_same_or_refused(at: int, patch: bytes) -> None:
    data = bytearray(tape())
    data[at : at + len(patch)] = patch
    try:
        found = read(bytes(data))
    except BadContainer:
        return
    assert [path for path, _ in found] == [path for path, _ in FILES] or len(found) == len(FILES)
