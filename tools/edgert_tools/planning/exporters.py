"""Which model types `edgert convert` knows, without importing the exporter (which takes seconds and PyTorch).

The lists are in `exporters.toml`. What is in them may still fail in the export: encoders of text are what is tested.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from edgert_tools.fuse import BERT_LIKE
from edgert_tools.text_tasks import FACTS


@cache
def model_types() -> dict[str, frozenset[str]]:
    """The exporter's word for a task -> model types, as config.json names them."""
    text = files("edgert_tools.planning").joinpath("exporters.toml").read_text(encoding="utf-8")
    return {task: frozenset(names) for task, names in tomllib.loads(text).items()}


def export_blocker(model_type: str, task: str) -> str:
    """Why there is no export for this type and task; "" if there is one."""
    known = next((facts for name, facts in FACTS.items() if name == task), None)
    if known is None:
        return f"task {task}: a conversion of a checkpoint is for {', '.join(FACTS)} today"
    if model_type in model_types()[known.export]:
        return ""
    return f"model type {model_type[:64]!r}: the exporter does not know it for {task}"


def export_note(model_type: str) -> str:
    """What to expect of an export that is possible."""
    if model_type in BERT_LIKE:
        return ""
    return f"model type {model_type!r} is not fused: the graph stays as exported, so int8 gains less"
