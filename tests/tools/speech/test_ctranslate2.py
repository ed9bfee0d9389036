"""CTranslate2's file is read whole or refused with the place that is wrong."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import UnsupportedModel
from edgert_tools.speech.ctranslate2 import read_model
from tests.tools.speech.ctranslate2_files import array, model_bin, string

ARRAYS = {
    "a/weight": np.arange(6, dtype=np.float16).reshape(2, 3),
    "b": np.array([1.5, -2], np.float32),
    "heads": np.array(6, np.int16),
}
WHOLE = model_bin(ARRAYS, {"c": "a/weight"})


def written(folder: Path, content: bytes) -> Path:
    file = folder / "model.bin"
    file.write_bytes(content)
    return file


def test_every_array_and_alias_is_what_was_written(tmp_path: Path) -> None:
    model = read_model(written(tmp_path, WHOLE))
    assert (model.spec, model.revision) == ("WhisperSpec", 3)
    for name, values in {**ARRAYS, "c": ARRAYS["a/weight"]}.items():
        assert model.arrays[name].dtype == values.dtype
        assert np.array_equal(model.arrays[name], values)


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, cut: int) -> None:
    with pytest.raises(UnsupportedModel, match=r"model\.bin"):
        read_model(written(tmp_path, WHOLE[:cut]))


HEAD = struct.pack("<I", 6) + string("WhisperSpec") + struct.pack("<I", 3)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (WHOLE + b"x", "bytes after its end"),
        (model_bin(ARRAYS, version=5), "binary version 5, only 6 is known"),
        (HEAD + struct.pack("<I", 2**32 - 1), "4294967295 arrays"),
        (HEAD + struct.pack("<I", 2) + array("a", ARRAYS["b"]) * 2, "'a' twice"),
        (HEAD + struct.pack("<I", 1) + string("a") + b"\x09", "of 9 dimensions"),
        (HEAD + struct.pack("<I", 1) + string("a") + struct.pack("<BIBI", 1, 1, 77, 4) + bytes(4), "unknown type 77"),
        # A shape whose product is 4 modulo 2**32, with 4 bytes.
        (
            HEAD + struct.pack("<I", 1) + string("a") + struct.pack("<BIIBI", 2, 2**31, 2, 1, 0) + bytes(4),
            "takes 4294967296",
        ),
        (HEAD + struct.pack("<I", 1) + string("a") + struct.pack("<BIBI", 1, 9, 0, 36) + bytes(8), "36 were promised"),
        (HEAD + struct.pack("<I", 1) + struct.pack("<H", 0), "a string of 0 bytes"),
        (HEAD + struct.pack("<I", 1) + struct.pack("<H", 4) + b"a\0b\0", "other characters"),
        (model_bin(ARRAYS, {"c": "no-such"}), "alias 'c' for 'no-such'"),
        (model_bin(ARRAYS, {"b": "a/weight"}), "alias 'b'"),
        (b"", "cannot read"),
    ],
)
def test_a_file_that_lies_is_refused_with_what_it_says(tmp_path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(UnsupportedModel, match=complaint):
        read_model(written(tmp_path, content))
