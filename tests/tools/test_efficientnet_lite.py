"""EfficientNet-Lite0's graph against the same network in PyTorch, with random weights of few channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.engine.onnx import open_onnx
from edge_runtime.errors import UnsupportedModel
from edgert_tools.pictures.efficientnet_lite import SIDE, to_onnx

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'edgert[convert]'")

# Output channels, blocks, side of the kernel, stride: table 1 of the paper, with a tenth of the channels.
STAGES = ((2, 1, 3, 1), (3, 2, 3, 2), (4, 2, 5, 2), (8, 3, 3, 2), (11, 3, 5, 1), (19, 4, 5, 2), (32, 1, 3, 1))
STEM, HEAD, WIDER = 4, 12, 6


def random_state() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    state: dict[str, Any] = {}

    def conv(name: str, norm: str, out: int, before: int, side: int) -> None:
        state[f"{name}.weight"] = torch.randn(out, before, side, side, generator=generator) / (before * side) ** 0.5
        for part, low, high in (
            ("weight", 0.5, 1.5),
            ("bias", -1, 1),
            ("running_mean", -1, 1),
            ("running_var", 0.5, 2),
        ):
            state[f"{norm}.{part}"] = torch.rand(out, generator=generator) * (high - low) + low

    conv("_conv_stem", "_bn0", STEM, 3, 3)
    before, number = STEM, 0
    for out, blocks, side, _ in STAGES:
        for _ in range(blocks):
            name, wide = f"_blocks.{number}", before * (WIDER if number else 1)
            if number:
                conv(f"{name}._expand_conv", f"{name}._bn0", wide, before, 1)
            conv(f"{name}._depthwise_conv", f"{name}._bn1", wide, 1, side)
            conv(f"{name}._project_conv", f"{name}._bn2", out, wide, 1)
            before, number = out, number + 1
    conv("_conv_head", "_bn1", HEAD, before, 1)
    state["_fc.weight"] = torch.randn(1000, HEAD, generator=generator)
    state["_fc.bias"] = torch.randn(1000, generator=generator)
    return state


def plain_twin(state: dict[str, Any], picture: Any) -> Any:
    """The network as PyTorch has it, layer by layer, with TensorFlow's padding."""
    functional = torch.nn.functional

    def conv(x: Any, name: str, norm: str, stride: int = 1, groups: int = 1) -> Any:
        weights = state[f"{name}.weight"]
        missing = max(0, (-(-x.shape[-1] // stride) - 1) * stride + weights.shape[-1] - x.shape[-1])
        x = functional.pad(x, [missing // 2, missing - missing // 2] * 2)
        x = functional.conv2d(x, weights, stride=stride, groups=groups)
        parts = [state[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(x, *parts, eps=1e-3)

    x = functional.relu6(conv(picture, "_conv_stem", "_bn0", 2))
    number = 0
    for _, blocks, _, stride in STAGES:
        for repeat in range(blocks):
            name, before = f"_blocks.{number}", x
            if number:
                x = functional.relu6(conv(x, f"{name}._expand_conv", f"{name}._bn0"))
            step = 1 if repeat else stride
            x = functional.relu6(conv(x, f"{name}._depthwise_conv", f"{name}._bn1", step, x.shape[1]))
            x = conv(x, f"{name}._project_conv", f"{name}._bn2")
            x = x + before if repeat else x
            number += 1
    x = functional.relu6(conv(x, "_conv_head", "_bn1")).mean((2, 3))
    return x @ state["_fc.weight"].T + state["_fc.bias"]


def test_the_graph_gives_what_the_network_gives(tmp_path: Path) -> None:
    state = random_state()
    torch.save(state, tmp_path / "weights.pth")
    session = open_onnx(to_onnx(tmp_path / "weights.pth", tmp_path / "graph.onnx"), 1)
    picture = np.random.default_rng(2).normal(size=(1, 3, SIDE, SIDE)).astype(np.float32)
    (found,) = session.run({"picture": picture})
    expected = plain_twin(state, torch.from_numpy(picture)).numpy()
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()  # float32 sums in another order


def test_other_weights_are_refused_and_nothing_is_unpickled(tmp_path: Path) -> None:
    state = random_state()
    del state["_blocks.3._project_conv.weight"]
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(UnsupportedModel, match=r"_blocks.3._project_conv.weight.*no EfficientNet-Lite0"):
        to_onnx(tmp_path / "weights.pth", tmp_path / "graph.onnx")
