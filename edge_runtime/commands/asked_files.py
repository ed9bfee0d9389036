"""Files that `edgert ask` sends: arrays of numbers as tensors, and how their answers are shown."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_runtime.errors import UsageError

_SHOWN = 6  # values of an output


def tensors_body(file: Path) -> dict[str, Any]:
    """A request with a file's arrays: `.npz` by the inputs' names, `.npy` for a model with one input.

    Raises:
        UsageError: it cannot be read, or has arrays of anything but numbers.
    """
    import numpy as np

    from edge_runtime.tasks import DATATYPES

    try:
        found = np.load(file, allow_pickle=False)
        arrays = {name: found[name] for name in found.files} if isinstance(found, np.lib.npyio.NpzFile) else None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"{file.name} cannot be read ({str(error)[:120]}): give .npz or .npy") from error
    if arrays is None:
        return {"values": found.tolist()}
    for name, array in arrays.items():
        if array.dtype.name not in DATATYPES:
            raise UsageError(f"{file.name}: array {name!r} is of {array.dtype}, expected numbers")
    inputs = [
        {"name": name, "datatype": DATATYPES[array.dtype.name], "shape": list(array.shape), "data": _flat(array)}
        for name, array in arrays.items()
    ]
    return {"inputs": inputs}


def said_of_outputs(outputs: Sequence[Mapping[str, Any]]) -> str:
    """Outputs of the Open Inference Protocol, a line each."""
    lines = []
    for output in outputs:
        data = list(output.get("data", ()))
        more = ", ..." if len(data) > _SHOWN else ""
        values = ", ".join(f"{value:.5g}" if isinstance(value, float) else str(value) for value in data[:_SHOWN])
        lines.append(f"{output.get('name')} {output.get('datatype')} {output.get('shape')}: {values}{more}")
    return "\n".join(lines)


def said_of_speech(stretches: Sequence[Any], share: float) -> str:
    """Stretches of speech in seconds, and the share of the sound that they are."""
    said = ", ".join(f"{part['start_s']:.2f}-{part['end_s']:.2f} s" for part in stretches)
    return f"{said or 'no speech'}  ({share:.0%} of the sound)"


def said_of_events(events: Sequence[Any], highest: float) -> str:
    """When which words were said; the highest score if none were."""
    said = ", ".join(f"{one['label']} at {one['time_s']:.2f} s ({one['score']:.2f})" for one in events)
    return said or f"not heard  (highest score {highest:.2f})"


def parameters_of(given: Sequence[str]) -> dict[str, str | int | float | bool]:
    """`NAME=VALUE` as JSON has it, else as a text. UsageError: no `=`."""
    found: dict[str, str | int | float | bool] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise UsageError(f"--parameter {one[:80]!r} must be NAME=VALUE")
        try:
            read = json.loads(value)
        except ValueError:
            read = value
        found[name] = read if isinstance(read, str | int | float | bool) else value
    return found


def _flat(array: Any) -> list[Any]:
    """FP16 has no JSON form in the protocol."""
    if array.dtype.name == "float16":
        raise UsageError("FP16 arrays can only be sent as bytes, which this command does not do")
    flat: list[Any] = array.reshape(-1).tolist()
    return flat
