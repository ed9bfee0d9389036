"""Real picture bundles of a few kilobytes, and pictures to ask them with."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.bundle.golden import GoldenQuestion, GoldenTensor, write_questions
from edge_runtime.bundle.manifest import Limits, Manifest, ModelSpec, Role, Source, TaskSpec, TensorSpec, seal_bundle
from edge_runtime.bundle.picture_specs import ImageSpec
from edge_runtime.model import Model, PlainAsked, open_model

pytest.importorskip("PIL", reason="Pillow is not installed: pip install 'edgert[images]'")
from PIL import Image, ImageDraw

COLOURS = ("red", "green", "blue")
SIDE = 8


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """The picture as a file's bytes."""
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def scene(width: int = 120, height: int = 80) -> Image.Image:
    """A picture whose four corners differ: red, green, blue, yellow on gray."""
    image = Image.new("RGB", (width, height), (90, 90, 90))
    draw, across, down = ImageDraw.Draw(image), width // 4, height // 4
    draw.rectangle((0, 0, across, down), (250, 10, 10))
    draw.rectangle((width - across, 0, width, down), (10, 250, 10))
    draw.rectangle((0, height - down, across, height), (10, 10, 250))
    draw.rectangle((width - across, height - down, width, height), (250, 250, 10))
    return image


def plain(colour: str, size: tuple[int, int] = (40, 30), format: str = "JPEG") -> bytes:
    """A picture of one colour."""
    return encoded(Image.new("RGB", size, colour), format)


def asked(
    raw: bytes | None, media_type: str | None = "image/png", **parameters: str | int | float | bool
) -> PlainAsked:
    """A request with a picture."""
    return PlainAsked(raw=raw, media_type=media_type, parameters=parameters)


def manifest(
    task: TaskSpec, graph: onnx.ModelProto, name: str = "tiny-pictures", more: dict[str, ModelSpec] | None = None
) -> Manifest:
    """A manifest for a graph in `model.onnx`."""
    return Manifest(
        name=name,
        version="1.2.3",
        counter=1,
        task=task,
        model=model_spec(graph, "model.onnx"),
        tokenizer=None,
        limits=Limits(1, 1),
        source=Source("tiny", "made in tests/tiny_pictures.py", "none", "0" * 64, "Apache-2.0"),
        targets=("cpu",),
        lock={"onnx": onnx.__version__},
        measured={},
        more=more or {},
    )


def model_spec(graph: onnx.ModelProto, file: str) -> ModelSpec:
    """What a manifest says of a graph."""

    def specs(values: Any) -> tuple[TensorSpec, ...]:
        return tuple(
            TensorSpec(v.name, "float32", tuple(d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim))
            for v in values
        )

    return ModelSpec(file, "onnx", "float32", True, specs(graph.graph.input), specs(graph.graph.output))


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, Sequence[int | str]],
    outputs: dict[str, Sequence[int | str]],
    weights: dict[str, np.ndarray[Any, Any]],
) -> onnx.ModelProto:
    """A graph of these nodes."""
    ins, outs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in values.items()]
        for values in (inputs, outputs)
    )
    initializers = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(list(nodes), "tiny", ins, outs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def colour_graph() -> onnx.ModelProto:
    """(1, 3, 8, 8) -> logits (1, 3): ten times how red, green and blue it is."""
    return model(
        [
            helper.make_node("ReduceMean", ["x"], ["mean"], axes=[2, 3], keepdims=0),
            helper.make_node("Mul", ["mean", "ten"], ["logits"]),
        ],
        {"x": [1, 3, SIDE, SIDE]},
        {"logits": [1, 3]},
        {"ten": np.array(10, np.float32)},
    )


def write_classifier(folder: Path, image: ImageSpec | None = None, **task: Any) -> Path:
    """A classifier of colours with golden questions; returns its folder."""
    spec = TaskSpec("image-classify", COLOURS, image=image or ImageSpec(SIDE, SIDE), **task)
    return seal(folder, manifest(spec, colour_graph()), {"model.onnx": colour_graph()}, [scene()])


def seal(
    folder: Path,
    draft: Manifest,
    graphs: dict[str, onnx.ModelProto],
    golden: Sequence[Image.Image],
    roles: dict[str, Role] | None = None,
) -> Path:
    """Write the graphs and the bundle around them; golden questions are what it answers itself."""
    folder.mkdir(parents=True, exist_ok=True)
    listed: dict[str, Role] = {**(roles or {})}
    for file, graph in graphs.items():
        onnx.save(graph, folder / file)
        listed[file] = "model"
    seal_bundle(folder, draft, listed)
    opened = open_model(folder)
    write_questions(folder / "golden.json", [question(opened, encoded(image)) for image in golden])
    seal_bundle(folder, dataclasses.replace(draft), {**listed, "golden.json": "golden"})
    return folder


def question(opened: Model, raw: bytes, media_type: str = "image/png") -> GoldenQuestion:
    """A golden question with the answer that the model gives."""
    outputs = opened.answer([asked(raw, media_type)]).answers[0].tensors()
    tensors = tuple(GoldenTensor(one.name, one.datatype, one.shape, tuple(one.data)) for one in outputs)  # type: ignore[arg-type]
    return GoldenQuestion(tensors, raw64=base64.b64encode(raw).decode(), media_type=media_type)
