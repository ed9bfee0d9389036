"""Encoders (BERT and its relatives) by optimum's exporter."""

from __future__ import annotations

import shutil
from pathlib import Path

from edge_runtime.errors import UnsupportedModel
from edgert_tools.checkpoint import Checkpoint
from edgert_tools.quiet import quiet
from edgert_tools.text_tasks import FACTS, TextTaskName

_READ = (".json", ".txt", ".safetensors")  # a pickle beside them is not even seen


def export_encoder(checkpoint: Checkpoint, task: TextTaskName, work: Path) -> Path:
    """Export as float32 ONNX with free batch and token dimensions, on the CPU, running no code of the checkpoint.

    Args:
        checkpoint: the folder; only its JSON, text and safetensors files are given to the exporter.
        task: `embed` exports the body (first output: last hidden state), every other the whole model (logits).
        work: an empty folder for the exporter's files.

    Raises:
        UnsupportedModel: no exporter for this model type, weights that are not there, or the export failed; with the
            reason.
    """
    from optimum.exporters.onnx import main_export

    staged, exported = _stage(checkpoint.folder, work / "checkpoint"), work / "exported"
    try:
        with quiet():
            missing = _missing_weights(staged, task)
            if missing:
                more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
                raise ValueError(f"the weights lack {missing[0]}{more}, which config.json asks for")
            main_export(
                str(staged),
                output=exported,
                task=FACTS[task].export,
                library_name="transformers",
                device="cpu",
                trust_remote_code=False,
                do_validation=False,  # what is checked instead is the bundle's own answers
                no_post_process=False,
            )
    except Exception as error:  # a third-party exporter raises anything; the cause is kept
        kind = checkpoint.config.get("model_type", "unknown")
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UnsupportedModel(f"cannot export model type {kind!r} for {task}: {reason}") from error
    return exported / "model.onnx"


def _missing_weights(staged: Path, task: TextTaskName) -> list[str]:
    """Names of the tensors that transformers would fill at random with no more than a warning."""
    import transformers

    loader = getattr(transformers, FACTS[task].loader)
    _, loading = loader.from_pretrained(str(staged), output_loading_info=True, trust_remote_code=False)
    # A pooler works on the hidden state, which is what `embed` exports; many checkpoints come without one.
    return sorted(name for name in loading["missing_keys"] if task != "embed" or "pooler." not in name)


def _stage(folder: Path, staged: Path) -> Path:
    staged.mkdir(parents=True)
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.suffix in _READ:
            _link(file, staged / file.name)
    return staged


def _link(file: Path, target: Path) -> None:
    try:
        target.symlink_to(file.resolve())
    except OSError:  # a file system without links
        shutil.copyfile(file, target)
