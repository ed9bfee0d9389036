"""Does a board have what an exported graph asks for? Asked before anything is quantized or searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from edge_runtime.errors import UnsupportedModel
from edgert_tools.existing.checks import NEWEST_OPSETS, STANDARD, nodes_of
from edgert_tools.graph import MS_DOMAIN, opset_of
from edgert_tools.planning.onnx_model import operator_blockers


def check_operators(model: Any, what: str) -> Mapping[str, int]:
    """How often each operator is in a graph that any board of ours can run.

    Args:
        model: its weights are not looked at.
        what: the graph in words, for the message.

    Raises:
        UnsupportedModel: a node's operator, or the operator set, is not in the oldest or the present ONNX Runtime; says
            which node, why, and what to try.
    """
    own = {function.domain for function in model.functions}
    for node in nodes_of(model.graph):
        if node.domain not in {*STANDARD, MS_DOMAIN, *own}:
            raise UnsupportedModel(
                f"{what}: node {node.name or node.op_type!r} is {node.domain[:60]}.{node.op_type[:60]}, which no ONNX "
                "Runtime has without an add-on: take a model without it, or export it with standard operators"
            )
    for entry in model.opset_import:
        newest = NEWEST_OPSETS.get(entry.domain or "ai.onnx")
        if newest is not None and entry.version > newest:
            raise UnsupportedModel(
                f"{what} has operator set {entry.version} of {entry.domain or 'ai.onnx'}, boards run up to {newest}: "
                f"export it with opset {newest} or lower, or try `onnx.version_converter`"
            )
    blockers = operator_blockers(model, opset_of(model))
    if blockers:
        raise UnsupportedModel(f"{what}: {blockers[0]}, or take another model")
    counted = Counter(node.op_type for node in nodes_of(model.graph))
    return dict(sorted(counted.items()))
