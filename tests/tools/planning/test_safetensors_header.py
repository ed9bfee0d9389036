"""Headers of safetensors files: the library's own are read as it wrote them, everything else ends in one error."""

from __future__ import annotations

import contextlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgert_tools.planning.refusal import BadSource
from edgert_tools.planning.safetensors_header import INDEX, read_safetensors, read_split, tensors_of
from tests.tools.planning.headers import MIB, bytes_read, safetensors_header, write_sparse

SHAPES = st.dictionaries(
    st.text(min_size=1, max_size=20).filter(lambda name: name != "__metadata__"),
    st.tuples(st.sampled_from(["float32", "float16", "int64", "uint8"]), st.lists(st.integers(0, 5), max_size=3)),
    min_size=1,
    max_size=5,
)
# Files that hypothesis writes anew are of no use to the next example.
SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "I64", "F4", "BOOL", "X"]) | JSON,
        "shape": st.lists(st.integers(-1, 1 << 62), max_size=4) | JSON,
        "data_offsets": st.lists(st.integers(-1, 1 << 64), min_size=1, max_size=3) | JSON,
    },
)


@SAME_FOLDER
@given(SHAPES)
def test_a_file_of_the_library_is_read_as_it_was_written(
    tmp_path: Path, shapes: dict[str, tuple[str, list[int]]]
) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    arrays = {name: np.zeros(shape, dtype) for name, (dtype, shape) in shapes.items()}
    numpy.save_file(arrays, tmp_path / "model.safetensors")
    found = {tensor.name: tensor for tensor in read_safetensors(tmp_path / "model.safetensors")}
    assert {name: (tensor.shape, tensor.stored_bytes) for name, tensor in found.items()} == {
        name: (array.shape, array.nbytes) for name, array in arrays.items()
    }


@SAME_FOLDER
@given(st.binary(max_size=200) | st.builds(lambda body: struct.pack("<Q", len(body)) + body, st.binary(max_size=200)))
def test_any_bytes_give_a_header_or_the_one_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with contextlib.suppress(BadSource):
        assert read_safetensors(file)


@SAME_FOLDER
@given(st.dictionaries(st.text(max_size=8), ENTRY | JSON, max_size=4), st.none() | st.integers(0, 1 << 40))
def test_any_parsed_header_gives_tensors_or_the_one_error(header: dict[str, Any], data_bytes: int | None) -> None:
    try:
        found = tensors_of(header, "x", data_bytes)
    except BadSource:
        return
    assert sum(tensor.stored_bytes for tensor in found) == (
        max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
    )


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = safetensors_header({"a": ("F32", (2, 3), 24), "b": ("F16", (4,), 8)}) + bytes(32)
    file = tmp_path / "model.safetensors"
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(BadSource):
            read_safetensors(file)
    file.write_bytes(whole)
    assert len(read_safetensors(file)) == 2


def test_of_a_large_file_only_the_header_is_read(tmp_path: Path) -> None:
    size = 1 << 30
    file = write_sparse(tmp_path / "x.safetensors", safetensors_header({"a": ("F32", (size // 4,), size)}), size)
    before = bytes_read()
    (tensor,) = read_safetensors(file)
    assert bytes_read() - before < MIB
    assert tensor.values == size // 4


@pytest.mark.parametrize(
    ("tensors", "complaint"),
    [
        ({}, "no tensors"),
        ({"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}, "F99"),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, "does not take the 4 bytes"),
        ({"a": {"dtype": "F32", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 4]}}, "does not take"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, "begins at 4, expected 0"),
        ({"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}, "whole numbers"),
        ({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}}, "whole numbers"),
        ({"a": [1]}, "not described by a table"),
    ],
)
def test_a_header_that_lies_is_refused_with_what_it_says(tensors: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadSource, match=complaint):
        tensors_of(tensors, "x", None)


def write_split(folder: Path, weight_map: dict[str, str]) -> Path:
    for name in ("one", "two"):
        content = safetensors_header({name: ("F32", (2, 2), 16)}) + bytes(16)
        (folder / f"{name}.safetensors").write_bytes(content)
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    return folder / INDEX


def test_weights_in_several_files_are_read_together(tmp_path: Path) -> None:
    index = write_split(tmp_path, {"one": "one.safetensors", "two": "two.safetensors"})
    assert {tensor.name for tensor in read_split(index)} == {"one", "two"}


@pytest.mark.parametrize(
    ("weight_map", "complaint"),
    [
        ({}, "no weight_map"),
        ({"one": "two.safetensors"}, "does not place there"),
        ({"one": "one.safetensors", "three": "two.safetensors"}, "does not place there"),
        ({"one": "one.safetensors", "three": "one.safetensors"}, "names 'three'"),
        ({"one": "../one.safetensors"}, "beside it"),
        ({"one": "pytorch_model.bin"}, "beside it"),
        ({"one": "gone.safetensors"}, "cannot be read"),
    ],
)
def test_an_index_that_does_not_hold_is_refused(tmp_path: Path, weight_map: dict[str, str], complaint: str) -> None:
    with pytest.raises(BadSource, match=complaint):
        read_split(write_split(tmp_path, weight_map))
