"""Encoders of text that optimum does not know, by PyTorch's own exporter (`torch.onnx`), in this Python."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_runtime.errors import UnsupportedModel
from edgert_tools.export.child.optimum_side import missing_weights
from edgert_tools.quiet import quiet
from edgert_tools.text_tasks import TextTask

OPSET = 18
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")  # what the board gives
_NAMES = {"AutoModel": ("last_hidden_state",), "AutoModelForQuestionAnswering": ("start_logits", "end_logits")}
_LOGITS = ("logits",)


def export_by_torch(folder: Path, out: Path, facts: TextTask, *, what: str, unneeded: str = "") -> None:
    """Export a checkpoint in float32 on the CPU, running no code of it; batch and tokens are free.

    Args:
        folder: the checkpoint with nothing in it but JSON, text and safetensors files.
        out: folder to make, with `model.onnx`.
        facts: the task: transformers' class, and what it gives.
        what: the model in words, for the message.
        unneeded: weights with this in their name may be missing.

    Raises:
        UnsupportedModel: weights are missing, or the exporter cannot; with the reason.
    """
    import transformers

    try:
        with quiet(), _unwarned():
            missing = missing_weights(str(folder), facts.loader, unneeded)
            if missing:
                raise ValueError(missing)
            loader = getattr(transformers, facts.loader)
            model = loader.from_pretrained(folder, trust_remote_code=False, dtype="float32").eval()
            out.mkdir(parents=True)
            _write(model, _NAMES.get(facts.loader, _LOGITS), out / "model.onnx")
    except Exception as error:  # an exporter that traces any model raises anything; the cause is kept
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UnsupportedModel(f"cannot export {what}: {reason}") from error


def _write(model: Any, outputs: tuple[str, ...], file: Path) -> None:
    import torch

    names = [name for name in _INPUTS if name in inspect.signature(model.forward).parameters]

    class Outputs(torch.nn.Module):  # type: ignore[misc]  # the library is not typed for us
        """The model with its outputs as a plain tuple."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *arguments: Any) -> Any:
            return self.model(**dict(zip(names, arguments, strict=True)), return_dict=False)[: len(outputs)]

    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    torch.onnx.export(
        Outputs(),
        tuple(_example(name) for name in names),
        str(file),
        input_names=names,
        output_names=list(outputs),
        dynamic_shapes=(tuple(free for _ in names),),
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def _example(name: str) -> Any:
    """Two texts of five tokens, the second of them padded."""
    import torch

    rows = {
        "input_ids": [[5, 6, 7, 8, 9], [5, 6, 7, 1, 1]],
        "attention_mask": [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]],
        "token_type_ids": [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
    }
    return torch.tensor(rows[name], dtype=torch.int64)


@contextmanager
def _unwarned() -> Iterator[None]:
    """Without what the exporter says about packages that text models do not need."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
