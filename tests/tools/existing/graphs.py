"""Float networks that are worth making int8: large products, and convolutions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from tests import tiny_graphs

WIDTH, LAYERS = 384, 3


def products(folder: Path, classes: int = 10) -> Path:
    """`x` (rows, 384) -> three layers -> `logits` (rows, 10)."""
    random = np.random.default_rng(3)
    sizes = [*[WIDTH] * LAYERS, classes]
    tensors, nodes, last = {}, [], "x"
    for layer, size in enumerate(sizes[1:]):
        tensors[f"w{layer}"] = (random.normal(size=(sizes[layer], size)) / np.sqrt(sizes[layer])).astype(np.float32)
        nodes.append(helper.make_node("MatMul", [last, f"w{layer}"], [f"p{layer}"], name=f"product_{layer}"))
        last = f"r{layer}"
        nodes.append(helper.make_node("Relu", [f"p{layer}"], [last], name=f"relu_{layer}"))
    nodes[-1] = helper.make_node("Identity", [f"p{LAYERS - 1}"], ["logits"], name="end")
    model = tiny_graphs.model(
        nodes, [("x", "float32", ["rows", WIDTH])], [("logits", "float32", ["rows", classes])], tensors
    )
    file = folder / "products.onnx"
    onnx.save(model, file)
    return file


def convolutions(folder: Path) -> Path:
    """`image` (1, 3, 24, 24) -> two convolutions -> `map` (1, 8, 24, 24)."""
    random = np.random.default_rng(4)
    tensors = {
        "first": random.normal(size=(16, 3, 3, 3)).astype(np.float32) / 5,
        "second": random.normal(size=(8, 16, 3, 3)).astype(np.float32) / 12,
    }
    nodes = [
        helper.make_node("Conv", ["image", "first"], ["c0"], name="conv_0", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c0"], ["r0"], name="relu_0"),
        helper.make_node("Conv", ["r0", "second"], ["map"], name="conv_1", pads=[1, 1, 1, 1]),
    ]
    model = tiny_graphs.model(
        nodes, [("image", "float32", [1, 3, 24, 24])], [("map", "float32", [1, 8, 24, 24])], tensors
    )
    file = folder / "convolutions.onnx"
    onnx.save(model, file)
    return file


def rows_file(folder: Path, *shape: int, count: int = 60) -> Path:
    """`.npy` with this many rows of normal numbers."""
    file = folder / "rows.npy"
    np.save(file, np.random.default_rng(5).normal(size=(count, *shape)).astype(np.float32))
    return file
