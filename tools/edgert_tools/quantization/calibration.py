"""What flows through a float graph on rows of text: ranges and samples of the tensors that are to become int8."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.errors import UsageError
from edge_runtime.tokenizer import open_tokenizer

FloatArray = npt.NDArray[np.float32]
Feeds = Mapping[str, npt.NDArray[np.int64]]

SAMPLED_ROWS = 16  # rows whose tokens are kept; of the others only the ranges are
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


@dataclass(frozen=True)
class Seen:
    """One tensor over all rows: `lowest` and `highest` (width), `samples` (tokens, width) of some rows each."""

    lowest: FloatArray
    highest: FloatArray
    samples: tuple[FloatArray, ...]


def encode_rows(tokenizer: Path, texts: Sequence[str], max_tokens: int) -> tuple[Feeds, ...]:
    """Model inputs of each text alone, (1, tokens) int64, cut by the board's tokenizer; no padding."""
    reader = open_tokenizer(tokenizer)
    encoded = [reader.encode_batch([text], max_tokens, True) for text in texts]
    return tuple({name: getattr(item, name) for name in _INPUTS} for item in encoded)


def observe(model: Any, names: Sequence[str], rows: Sequence[Feeds]) -> dict[str, Seen]:
    """Run the rows and keep what is needed of the named tensors, whose last axis is the width.

    Raises:
        UsageError: there are no rows.
    """
    if not names:
        return {}
    if not rows:
        raise UsageError("this scheme is calibrated on texts, and there are none: give some with --data")
    sampled = {row * len(rows) // SAMPLED_ROWS for row in range(SAMPLED_ROWS)}
    ranges: dict[str, tuple[FloatArray, FloatArray]] = {}
    samples: dict[str, list[FloatArray]] = {name: [] for name in names}
    for number, tensors in enumerate(_tensors(model, names, rows)):
        for name, values in tensors.items():
            low, high = values.min(axis=0), values.max(axis=0)
            if name in ranges:
                low, high = np.minimum(low, ranges[name][0]), np.maximum(high, ranges[name][1])
            ranges[name] = (low, high)
            if number in sampled:
                samples[name].append(values)
    return {name: Seen(*ranges[name], tuple(samples[name])) for name in names}


def open_graph(model: Any) -> Any:
    """A session of the model in memory, on this machine's cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def feeds_for(session: Any, row: Feeds) -> dict[str, npt.NDArray[np.int64]]:
    """Those of the row's inputs that the model has."""
    named = {node.name for node in session.get_inputs()}
    return {name: values for name, values in row.items() if name in named}


def with_outputs(model: Any, names: Sequence[str]) -> Any:
    """A copy of the model that gives the named tensors too."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    present = {output.name for output in copy.graph.output}
    fresh = [name for name in dict.fromkeys(names) if name not in present]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in fresh)  # onnxruntime finds their types
    return copy


def _tensors(model: Any, names: Sequence[str], rows: Sequence[Feeds]) -> Iterator[dict[str, FloatArray]]:
    """Each row's tensors as (tokens, width)."""
    session = open_graph(with_outputs(model, names))
    for row in rows:
        values = session.run(list(names), feeds_for(session, row))
        yield {name: array.reshape(-1, array.shape[-1]) for name, array in zip(names, values, strict=True)}
