"""Which exporter takes a model: by its task and type, as `planning/exporters.toml` has them."""

from __future__ import annotations

from edge_runtime.errors import UnsupportedModel
from edgert_tools.planning.exporters import export_blocker, model_types


def check_exporter(model_type: str, task: str) -> None:
    """Refuse, before anything takes long, a model that no exporter knows. UnsupportedModel: which and why."""
    blocker = export_blocker(model_type, task)
    if not blocker:
        return
    tasks = sorted(name for name, types in model_types().items() if model_type in types)
    hint = f"; it knows it for {', '.join(tasks)}" if tasks else ": take a model of a type that docs/export.md lists"
    raise UnsupportedModel(f"cannot export {blocker}{hint}")
