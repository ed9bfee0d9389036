"""The table of model types against the exporter itself."""

from __future__ import annotations

import pytest

from edgert_tools.planning.exporters import decoder_types, export_blocker, export_note, gguf_types, model_types
from edgert_tools.text_tasks import FACTS


def test_the_table_is_what_the_exporter_names() -> None:
    pytest.importorskip("optimum.exporters.onnx.model_configs", reason="edgert[convert] is not installed")
    from optimum.exporters.tasks import TasksManager

    assert set(model_types()) == {facts.export for facts in FACTS.values()}
    for task, types in model_types().items():
        assert types == set(TasksManager.get_supported_model_type_for_task(task, "onnx"))


def test_a_model_type_is_judged_for_its_task() -> None:
    assert export_blocker("bert", "embed") == ""
    assert "perceiver" in export_blocker("perceiver", "embed")
    assert export_blocker("perceiver", "classify") == ""
    assert "embed, classify" in export_blocker("bert", "object detection")
    assert export_blocker("llama", "generate") == ""
    assert "llama, mistral" in export_blocker("bert", "generate")


def test_gguf_files_are_taken_of_architectures_that_become_decoders() -> None:
    assert gguf_types() <= set(decoder_types().values())


def test_a_type_whose_graph_is_not_fused_is_noted() -> None:
    assert export_note("bert") == ""
    assert "not fused" in export_note("modernbert")
