"""Whether the tensors of a request fit the inputs of a graph; nothing is allocated before that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge_runtime.bundle.manifest import Limits, TensorSpec
from edge_runtime.errors import BadTensor, UnsupportedModel
from edge_runtime.model import NumberTensor
from edge_runtime.tasks import DATATYPES

_EXACT = 2.0**53  # whole numbers up to here are themselves as FP64, which plain numbers come as
NAMELESS = ""  # what the short form `{"values": [...]}` calls its one tensor

Arrays = dict[str, np.ndarray[Any, Any]]


def check_types(specs: Sequence[TensorSpec], what: str) -> None:
    """Refuse a graph with tensors that are no numbers. UnsupportedModel: which one, and of what it is."""
    for spec in specs:
        if spec.dtype not in DATATYPES:
            kind = "strings" if spec.dtype in ("object", "str", "string") else spec.dtype[:40]
            raise UnsupportedModel(
                f"{what} {spec.name[:64]!r} of the graph is of {kind}, this task takes numbers "
                f"({', '.join(DATATYPES)}): cut that part off the graph and do it before or after"
            )


def fit(tensors: Sequence[NumberTensor], specs: Sequence[TensorSpec], limits: Limits) -> list[NumberTensor]:
    """The tensors in the order of the graph's inputs.

    Args:
        tensors: what was sent; one without a name is for the only input.
        specs: the graph's inputs.
        limits: `max_texts` is the most rows of a free first dimension, `max_tokens` the most of any other free one.

    Raises:
        BadTensor: one is missing, too many, of another datatype or shape; says what was found and expected.
    """
    if len(tensors) == 1 and tensors[0].name == NAMELESS and len(specs) == 1:
        tensors = [_ShortForm(tensors[0], specs[0])]
    by_name = {tensor.name: tensor for tensor in tensors}
    expected = [spec.name for spec in specs]
    if len(tensors) != len(expected) or set(by_name) != set(expected):
        raise BadTensor(
            f"inputs are {', '.join(repr(tensor.name[:40]) for tensor in tensors) or 'none'}, "
            f"expected {', '.join(map(repr, expected))}"
        )
    sizes: dict[str, int] = {}
    for spec in specs:
        _check(by_name[spec.name], spec, limits, sizes)
    return [by_name[name] for name in expected]


def shown(spec: TensorSpec) -> str:
    """An input as people read it: `FP32 [batch, 3, 224, 224]`."""
    return f"{DATATYPES.get(spec.dtype, spec.dtype)} [{', '.join(map(str, spec.shape))}]"


def _check(tensor: NumberTensor, spec: TensorSpec, limits: Limits, sizes: dict[str, int]) -> None:
    found = f"input {spec.name[:64]!r} is {tensor.datatype} {list(tensor.shape)}, expected {shown(spec)}"
    if tensor.datatype != DATATYPES.get(spec.dtype) or len(tensor.shape) != len(spec.shape):
        raise BadTensor(found)
    for axis, (size, wanted) in enumerate(zip(tensor.shape, spec.shape, strict=True)):
        if isinstance(wanted, int):
            if size != wanted:
                raise BadTensor(found)
            continue
        most = limits.max_texts if axis == 0 else limits.max_tokens
        if not 0 < size <= most:
            raise BadTensor(f"{found} with {wanted} from 1 to {most}")
        if sizes.setdefault(wanted, size) != size:
            raise BadTensor(f"{found} with {wanted} = {sizes[wanted]}, as in another input")


class _ShortForm:
    """A nameless tensor of plain numbers, as the one input of a graph: in its type, and with a dimension of rows."""

    def __init__(self, given: NumberTensor, spec: TensorSpec) -> None:
        self.name, self.datatype = spec.name, DATATYPES.get(spec.dtype, spec.dtype)
        self._given, self._dtype = given, spec.dtype
        one_row = len(given.shape) == len(spec.shape) - 1 and (spec.shape[0] == 1 or isinstance(spec.shape[0], str))
        self.shape = (1, *given.shape) if one_row else given.shape

    def array(self) -> np.ndarray[Any, Any]:
        """The numbers in the input's type. BadTensor: it cannot hold one of them as it is."""
        values = self._given.array()
        with np.errstate(all="ignore"):
            made = values.astype(self._dtype)
        exact = np.array_equal(made.astype(values.dtype), values) and (np.abs(values) <= _EXACT).all()
        if np.dtype(self._dtype).kind != "f" and not exact:
            raise BadTensor(f"values has a number that {self.datatype} cannot hold")
        return made.reshape(self.shape)


def arrays_of(tensors: Sequence[NumberTensor]) -> Arrays:
    """Fitting tensors as what the engine takes."""
    return {tensor.name: tensor.array() for tensor in tensors}


def shares_rows(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> bool:
    """Whether every input and output begins with one free dimension, that of the rows."""
    firsts = [spec.shape[0] if spec.shape else 1 for spec in (*inputs, *outputs)]
    return len({*firsts[: len(inputs)]}) == 1 and all(isinstance(first, str) for first in firsts)


def joined(parts: Sequence[Mapping[str, np.ndarray[Any, Any]]]) -> Arrays:
    """The rows of several requests, one below the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
