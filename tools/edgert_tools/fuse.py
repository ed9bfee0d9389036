"""Fewer and larger operators: attention, layer norms and activations of BERT-like graphs as one node each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgert_tools.checkpoint import Checkpoint
from edgert_tools.graph import MS_DOMAIN, needs_opset, save_graph
from edgert_tools.quiet import quiet

FloatArray = npt.NDArray[np.float32]
IdArray = npt.NDArray[np.int64]

BERT_LIKE = ("bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert")
TOLERANCE = 1e-4  # float32 sums in another order; MiniLM differs by 2e-6
_PROBE = ((7, 7), (7, 3), (1, 1))  # (tokens with padding, tokens) of the texts that are compared


def fuse(file: Path, checkpoint: Checkpoint, fused: Path) -> tuple[Path, str]:
    """Fuse the graph, if ONNX Runtime's optimizer knows its kind and the outputs stay the same.

    Returns:
        The file to go on with (`fused`, or `file` unchanged), and a line that says what was done.
    """
    kind = str(checkpoint.config.get("model_type"))
    if kind not in BERT_LIKE:
        return file, f"not fused: model type {kind!r} is not BERT-like"
    try:
        count = _optimize(file, checkpoint, fused)
        difference = largest_difference(file, fused, int(checkpoint.config.get("vocab_size", 2)))
    except Exception as error:  # noqa: BLE001  # an optimizer of graph patterns fails in any way; float goes on unfused
        return file, f"not fused: {' '.join(str(error).split())[:120] or type(error).__name__}"
    if not difference <= TOLERANCE:
        return file, f"not fused: outputs would differ by {difference:.1e}"
    return fused, f"{count} attention blocks fused, outputs differ by {difference:.0e}"


def _optimize(file: Path, checkpoint: Checkpoint, fused: Path) -> int:
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False  # the embedding stays a Gather, which the quantizer knows
    options.use_multi_head_attention = True  # Q, K and V stay MatMul nodes, which the quantizer knows
    heads = checkpoint.config.get("num_attention_heads") or checkpoint.config.get("n_heads")
    width = checkpoint.config.get("hidden_size") or checkpoint.config.get("dim")
    with quiet():
        model = optimizer.optimize_model(
            str(file),
            model_type="bert",
            num_heads=int(heads or 0),
            hidden_size=int(width or 0),
            optimization_options=options,
            opt_level=0,  # by patterns alone: level 1 would bake in what suits this machine
        )
        model.topological_sort()
    needs_opset(model.model, MS_DOMAIN)
    save_graph(model.model, fused)
    return sum(node.op_type == "MultiHeadAttention" for node in model.model.graph.node)


def largest_difference(one: Path, other: Path, vocabulary: int) -> float:
    """The largest difference of the first outputs at real tokens, over a few padded random texts."""
    rng = np.random.default_rng(0)
    texts, longest = len(_PROBE), max(padded for padded, _ in _PROBE)
    ids = rng.integers(1, max(vocabulary, 2), size=(texts, longest), dtype=np.int64)
    mask = np.array([[int(i < tokens) for i in range(longest)] for _, tokens in _PROBE], dtype=np.int64)
    first, second = (_first_output(file, ids, mask) for file in (one, other))
    if first.ndim == 3:  # padding may differ, nobody reads it
        first, second = (values[mask.astype(bool)] for values in (first, second))
    return float(np.abs(first - second).max())


def _first_output(file: Path, ids: IdArray, mask: IdArray) -> FloatArray:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    names = [node.name for node in session.get_inputs()]
    output: FloatArray = session.run(None, {name: feeds[name] for name in names})[0]
    return output
