"""A small forecaster for a room's temperature, trained here: four hours of readings in, the next hour out.

No package carries weights of this kind that could be had whole, so the data is generated and the network is ours: it
shows the path of a sensor model from training to the board, and is no model of anybody's room.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgert_tools.existing.checks import GraphFacts
from edgert_tools.existing.examples import Examples, Feeds
from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.existing.rows import split
from edgert_tools.graph import save_graph
from edgert_tools.progress import Say
from edgert_tools.quiet import quiet

FloatArray = npt.NDArray[np.float32]

MINUTES = 5  # between readings
PAST, AHEAD = 48, 12  # readings
_HIDDEN = (64, 64)
_DAY = 24 * 60 // MINUTES
_TRAIN_SEED, _JUDGE_SEED = 7, 8  # rooms of the one are not rooms of the other
_TRAIN_ROOMS, _JUDGE_ROOMS, _DAYS = 12, 8, 7
_STEP = 7  # readings between two rows of a room: no common divisor with a day
_OPSET, _IR = 17, 9


def room(random: np.random.Generator) -> FloatArray:
    """One room's week in degrees Celsius, (readings): the outside, a heater with a thermostat, people, a window."""
    count = _DAYS * _DAY
    clock = np.arange(count) * 2 * np.pi / _DAY
    outside = random.uniform(0, 12) + random.uniform(2, 6) * np.sin(clock - random.uniform(1.5, 2.5))
    loss, power = random.uniform(0.004, 0.012), random.uniform(0.1, 0.25)
    target = np.where((np.arange(count) % _DAY) < _DAY // 4, 17.0, random.uniform(20, 22))
    people = (random.random(count) < 0.5) * random.uniform(0.0, 0.03)
    window = np.convolve(random.random(count) < 0.004, np.ones(4), mode="same") > 0
    inside, heating = np.empty(count), False
    now = 20.0
    for reading in range(count):
        heating = now < target[reading] + (0.3 if heating else -0.3)
        now += loss * (8 if window[reading] else 1) * (outside[reading] - now) + power * heating + people[reading]
        inside[reading] = now
    return (inside + random.normal(0, 0.05, count)).astype(np.float32)


def pairs(seed: int, rooms: int) -> tuple[FloatArray, FloatArray]:
    """Readings (rows, 48) and what followed them (rows, 12)."""
    random = np.random.default_rng(seed)
    series = [room(random) for _ in range(rooms)]
    starts = range(0, _DAYS * _DAY - PAST - AHEAD, _STEP)
    whole = np.stack([one[start : start + PAST + AHEAD] for one in series for start in starts])
    return whole[:, :PAST], whole[:, PAST:]


def train(file: Path, note: Say) -> Path:
    """Train the network and write it as ONNX: `readings` (rows, 48) -> `forecast` (rows, 12), both degrees Celsius."""
    from sklearn.neural_network import MLPRegressor

    past, ahead = pairs(_TRAIN_SEED, _TRAIN_ROOMS)
    last = past[:, -1:]
    network = MLPRegressor(hidden_layer_sizes=_HIDDEN, random_state=0, max_iter=20, batch_size=64, tol=0)
    with quiet():
        network.fit(past - last, ahead - last)
    note(f"trained on {len(past)} rows of {_TRAIN_ROOMS} generated rooms, {_DAYS} days each")
    return save_graph(_graph(network.coefs_, network.intercepts_), file)


def examples(recipe: GraphRecipe, facts: GraphFacts, say: Say) -> Examples:
    """Rows of rooms that training never saw, in a mixed order."""
    past, _ = pairs(_JUDGE_SEED, _JUDGE_ROOMS)
    order = np.random.default_rng(0).permutation(len(past))[: recipe.evaluate.count or None]
    rows: list[Feeds] = [{facts.inputs[0].name: past[number : number + 1]} for number in order]
    return split(rows, f"{_JUDGE_ROOMS} generated rooms that training did not see")


def error_of(forecast: FloatArray, ahead: FloatArray) -> float:
    """Mean absolute error in degrees."""
    return float(np.abs(forecast - ahead).mean())


def _graph(weights: Sequence[Any], offsets: Sequence[Any]) -> Any:
    """The network on changes from the last reading, which is added again at the end."""
    from onnx import TensorProto, helper, numpy_helper

    tensors = {"last_at": np.array([PAST - 1], np.int64)}
    nodes = [
        helper.make_node("Gather", ["readings", "last_at"], ["last"], name="last", axis=1),
        helper.make_node("Sub", ["readings", "last"], ["hidden_0"], name="change"),
    ]
    for layer, (matrix, offset) in enumerate(zip(weights, offsets, strict=True)):
        tensors |= {f"weights_{layer}": matrix.astype(np.float32), f"offset_{layer}": offset.astype(np.float32)}
        names = [f"hidden_{layer}", f"product_{layer}", f"sum_{layer}", f"hidden_{layer + 1}"]
        nodes.append(helper.make_node("MatMul", [names[0], f"weights_{layer}"], [names[1]], name=names[1]))
        nodes.append(helper.make_node("Add", [names[1], f"offset_{layer}"], [names[2]], name=names[2]))
        if layer + 1 < len(weights):
            nodes.append(helper.make_node("Relu", [names[2]], [names[3]], name=names[3]))
    nodes.append(helper.make_node("Add", [f"sum_{len(weights) - 1}", "last"], ["forecast"], name="forecast"))
    sides = (("readings", PAST), ("forecast", AHEAD))
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size]) for name, size in sides]
    initializers = [numpy_helper.from_array(array, name) for name, array in tensors.items()]
    graph = helper.make_graph(nodes, "room_sensor", values[:1], values[1:], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
