"""Headers of GGUF files: what llama.cpp's own package reads, and one error for everything that is none."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgert_tools.planning.gguf_header import TYPES, read_gguf
from edgert_tools.planning.refusal import BadSource
from tests.tools.planning.headers import LLAMA, MIB, bytes_read, gguf_bytes, gguf_text, gguf_value, llama_tensors

SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
WHOLE = gguf_bytes(LLAMA, llama_tensors())
HEADER = WHOLE.index(b"blk.1.attn_norm") + 100  # somewhere behind the last tensor's description


def written(folder: Path, content: bytes) -> Path:
    file = folder / "model.gguf"
    file.write_bytes(content)
    return file


def test_metadata_and_tensors_are_read(tmp_path: Path) -> None:
    header = read_gguf(written(tmp_path, WHOLE))
    assert header.metadata["llama.block_count"] == 2
    assert header.lengths["tokenizer.ggml.tokens"] == 100
    assert header.metadata["tokenizer.ggml.tokens"] == ()
    shapes = {tensor.name: (tensor.dtype, tensor.shape, tensor.stored_bytes) for tensor in header.tensors}
    assert shapes["token_embd.weight"] == ("Q8_0", (4000, 64), 272_000)
    assert shapes["blk.1.ffn_up.weight"] == ("F32", (128, 64), 32_768)
    assert len(shapes) == 7


@SAME_FOLDER
@given(st.binary(max_size=300) | st.builds(lambda body: b"GGUF\x03\0\0\0" + body, st.binary(max_size=300)))
def test_any_bytes_give_a_header_or_the_one_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadSource, match=r"model\.gguf"):
        read_gguf(written(tmp_path, content))


@SAME_FOLDER
@given(st.data())
def test_a_file_with_damaged_bytes_gives_a_header_or_the_one_error(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(WHOLE)
    for place in data.draw(st.lists(st.integers(0, HEADER - 1), min_size=1, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    try:
        header = read_gguf(written(tmp_path, bytes(content)))
    except BadSource:
        return
    assert sum(tensor.stored_bytes for tensor in header.tensors) <= len(content)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    for length in [*range(0, HEADER, 7), HEADER, len(WHOLE) - 32 * 1024]:
        with pytest.raises(BadSource):
            read_gguf(written(tmp_path, WHOLE[:length]))


def test_of_a_large_file_only_the_header_is_read(tmp_path: Path) -> None:
    values = 1 << 28
    content = gguf_bytes({"general.architecture": "llama"}, [("a", (values,), 0, 0)])
    file = written(tmp_path, content)
    with file.open("r+b") as stream:
        stream.truncate(len(content) + 4 * values)
    before = bytes_read()
    assert read_gguf(file).tensors[0].values == values
    assert bytes_read() - before < MIB


def lying(counts: tuple[int, int], rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, *counts) + rest + bytes(4096)


KEY = gguf_text("k")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no GGUF file"),
        (b"GGUF" + struct.pack("<I", 1) + bytes(64), "version 1, expected 2 or 3"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(64), "expected 2 or 3 in little-endian"),
        (lying((1 << 60, 0)), "1152921504606846976 tensors"),
        (lying((0, 1 << 60)), "keys"),
        (lying((0, 0)), "no tensors"),
        (lying((0, 1), struct.pack("<Q", 1 << 62)), "a text of"),
        (lying((0, 1), KEY + struct.pack("<I", 99)), "metadata of type 99"),
        (lying((0, 1), KEY + struct.pack("<IIQ", 9, 4, 1 << 61)), "an array of"),
        (lying((0, 1), KEY + struct.pack("<IIQ", 9, 8, 1 << 61)), "an array of"),
        (lying((0, 1), KEY + struct.pack("<II", 9, 9) + struct.pack("<QI", 1, 9) * 8), "an array of"),
        (lying((0, 2), (KEY + gguf_value(1)) * 2), "the key 'k' twice"),
        (lying((1, 0), gguf_text("a") + struct.pack("<I", 900)), "900 dimensions"),
        (lying((1, 0), gguf_text("a") + struct.pack("<IQIQ", 1, 32, 77, 0)), "ggml type 77"),
        (lying((1, 0), gguf_text("a") + struct.pack("<IQIQ", 1, 33, 8, 0)), "in blocks of 32"),
        (lying((1, 0), gguf_text("a") + struct.pack("<IQQIQ", 2, 1 << 40, 1 << 40, 0, 0)), "a shape"),
        (lying((1, 0), gguf_text("a") + struct.pack("<IQIQ", 1, 1 << 30, 0, 0)), "cut short"),
        (lying((2, 0), (gguf_text("a") + struct.pack("<IQIQ", 1, 32, 0, 0)) * 2), "where another tensor is"),
        (lying((1, 1), gguf_text("general.alignment") + gguf_value(0)), "alignment of 0|ends inside|dimensions"),
    ],
)
def test_a_header_that_lies_is_refused_with_what_it_claims(tmp_path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(BadSource, match=complaint):
        read_gguf(written(tmp_path, content))


def test_the_types_are_those_of_the_gguf_package() -> None:
    gguf = pytest.importorskip("gguf", reason="the package gguf is not installed")
    theirs = {int(kind): (kind.name, *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    assert {number: entry for number, entry in theirs.items() if number in TYPES} == {
        number: entry for number, entry in TYPES.items() if number in theirs
    }
    assert set(theirs) <= set(TYPES)


def test_a_file_is_read_as_the_gguf_package_reads_it(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf", reason="the package gguf is not installed")
    file = written(tmp_path, WHOLE)
    theirs = gguf.GGUFReader(file)
    ours = read_gguf(file)
    assert [(t.name, tuple(reversed(t.shape.tolist())), int(t.n_bytes)) for t in theirs.tensors] == [
        (tensor.name, tensor.shape, tensor.stored_bytes) for tensor in ours.tensors
    ]
    assert theirs.fields["general.name"].contents() == ours.metadata["general.name"]
