"""The compiled file: what was written comes back, and nothing damaged is taken for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.compiled.file import FORMAT_VERSION, MAGIC, is_compiled, open_compiled, write_compiled

ARRAYS = {
    "numbers": np.arange(10, dtype=np.int32).reshape(2, 5),
    "words": np.array([2**63, 1], np.uint64),
    "none": np.empty(0, np.uint8),
    "scores": np.array([-0.5, np.inf]),
    "flags": np.array([True, False, True]),
}
ABOUT = {"family": "\u03b1", "size": 3}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "t.compiled"
    write_compiled(path, ABOUT, ARRAYS)
    return path


def test_what_was_written_comes_back(file: Path) -> None:
    opened = open_compiled(file, check=True)
    assert opened.about == ABOUT
    assert opened.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert opened.arrays[name].dtype == array.dtype
        assert np.array_equal(opened.arrays[name], array)
        assert not opened.arrays[name].flags.writeable


def test_the_same_arrays_give_the_same_bytes(file: Path, tmp_path: Path) -> None:
    write_compiled(tmp_path / "again", ABOUT, dict(reversed(ARRAYS.items())))
    assert (tmp_path / "again").read_bytes() == file.read_bytes()


def test_arrays_lie_where_vector_instructions_like_them(file: Path) -> None:
    for array in open_compiled(file).arrays.values():
        assert not len(array) or array.ctypes.data % 64 == 0


@pytest.mark.parametrize("at", [0, 8, 12, 16, 25, 60])
def test_a_damaged_header_is_refused_at_once(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)
    with pytest.raises(UnsupportedTokenizer):
        open_compiled(file)


def test_a_damaged_array_is_found_when_asked_for(file: Path) -> None:
    content = bytearray(file.read_bytes())
    place = bytes(content).index(np.arange(10, dtype=np.int32).tobytes())
    content[place] ^= 1
    file.write_bytes(content)
    open_compiled(file)
    with pytest.raises(UnsupportedTokenizer, match="numbers has another CRC-32"):
        open_compiled(file, check=True)


def test_a_cut_off_file_is_refused(file: Path) -> None:
    content = file.read_bytes()
    for size in (0, 5, len(MAGIC), 30, len(content) - 100):
        file.write_bytes(content[:size])
        with pytest.raises(UnsupportedTokenizer):
            open_compiled(file)


def test_another_format_version_is_named(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(MAGIC) : len(MAGIC) + 4] = (FORMAT_VERSION + 1).to_bytes(4, "little")
    file.write_bytes(content)
    with pytest.raises(UnsupportedTokenizer, match=f"format {FORMAT_VERSION + 1}, this edgert reads {FORMAT_VERSION}"):
        open_compiled(file)


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(TypeError):
        write_compiled(file, {"not": object()}, ARRAYS)
    with pytest.raises(OSError, match="No such file"):
        write_compiled(file.parent / "nowhere" / "x", ABOUT, ARRAYS)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_tokenizer_json_is_not_taken_for_a_compiled_file(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    assert not is_compiled(tmp_path / "tokenizer.json")
