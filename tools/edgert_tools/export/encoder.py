"""Encoders (BERT and its relatives) -> one float graph, by optimum's exporter or by PyTorch's own."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgert_tools.checkpoint import Checkpoint
from edgert_tools.export.optimum import export_by_optimum, stage
from edgert_tools.export.plain_torch import export_by_torch
from edgert_tools.export.registry import check_exporter
from edgert_tools.planning.exporters import torch_types
from edgert_tools.progress import Say, to_stderr
from edgert_tools.text_tasks import FACTS, TextTaskName


def export_encoder(checkpoint: Checkpoint, task: TextTaskName, work: Path, say: Say = to_stderr) -> Path:
    """Export as float32 ONNX with free batch and token dimensions, on the CPU, running no code of the checkpoint.

    Args:
        checkpoint: the folder; only its JSON, text and safetensors files are given to the exporter.
        task: `embed` exports the body (first output: last hidden state), every other the whole model (logits).
        work: an empty folder for the exporter's files.

    Raises:
        UnsupportedModel: no exporter for this model type, weights that are not there, or the export failed; with the
            reason.
    """
    facts, exported = FACTS[task], work / "exported"
    kind = str(checkpoint.config.get("model_type", "unknown"))
    check_exporter(kind, task)
    what = f"model type {kind[:64]!r} for {task}"
    # A pooler works on the hidden state, which is what `embed` exports; many checkpoints come without one.
    unneeded = "pooler." if task == "embed" else ""
    if kind in torch_types():
        staged = stage(checkpoint.folder, work / "exported-read")
        export_by_torch(staged, exported, facts, what=what, unneeded=unneeded)
        shutil.rmtree(staged)
    else:
        export_by_optimum(
            checkpoint.folder, exported, facts.export, what=what, loader=facts.loader, unneeded=unneeded, say=say
        )
    return exported / "model.onnx"
