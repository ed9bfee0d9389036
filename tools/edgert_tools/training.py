"""What all training here has in common: the same weights each time, and small networks as ONNX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgert_tools.graph import load_graph, save_graph
from edgert_tools.quiet import quiet

_OPSET = 17


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Within it PyTorch draws by the seed and adds up in one order: the same weights on every machine of a kind.

    On one thread, which is not much slower for what is small, and faster where others work, too: two threads that wait
    for each other stand still as soon as one of them does.
    """
    import torch

    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)


def export_network(network: Any, shape: Sequence[int], file: Path, outputs: Sequence[str]) -> Path:
    """Write a network of one picture: `picture` of this shape -> outputs of these names."""
    import torch

    network.eval()
    with quiet():
        torch.onnx.export(
            network,
            (torch.zeros(*shape),),
            str(file),
            input_names=["picture"],
            output_names=list(outputs),
            opset_version=_OPSET,
            dynamo=False,
        )
    return save_graph(load_graph(file), file)
