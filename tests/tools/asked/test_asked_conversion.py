"""`edgert convert` of tiny checkpoints that are asked questions: what the bundle answers, holds and says of itself."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.golden import read_golden
from edge_runtime.errors import UnsupportedModel, UsageError
from edge_runtime.model import PlainAsked, open_model
from edge_runtime.selftest import run_golden
from edgert_tools.recipe import Budget, Recipe
from edgert_tools.text_tasks import ASKED, TextTaskName
from tests.tools import checkpoints
from tests.tools.asked_models import write_asked_checkpoint
from tests.tools.checkpoints import converted

pytestmark = pytest.mark.usefixtures("own_cache")
ASK: dict[str, PlainAsked] = {
    "token-classify": PlainAsked(texts=["turn on the kitchen light"]),
    "question-answer": PlainAsked(texts=["open it?"], pairs=["turn on the kitchen light " * 20]),
    "rerank": PlainAsked(texts=["open it?"], pairs=["turn on the light", "close the blind"]),
    "zero-shot": PlainAsked(texts=["turn on the light"], labels=["open", "close"], parameters={"template": "{}"}),
}


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights decide nothing clearly: the default of 99 % is for models that were trained."""
    monkeypatch.setattr("edgert_tools.settings.Recipe", functools.partial(Recipe, budget=Budget(agreement_min=0.6)))


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("task", ASKED)
def test_a_checkpoint_becomes_a_bundle_that_answers_its_task(tmp_path: Path, task: TextTaskName) -> None:
    source = write_asked_checkpoint(tmp_path / "source", task)
    out, texts = tmp_path / "bundle", checkpoints.write_texts(tmp_path / "texts.txt")
    manifest = converted(source, out, texts).manifest
    assert manifest.task.name == task  # told from its head
    model = open_model(out)
    assert model.answer([ASK[task]]).answers[0].rows()[0]
    golden = read_golden(out / "golden.json")
    assert len(golden.questions) == run_golden(model, out).rows == 16
    quality: Any = manifest.measured["quality"]
    assert quality["texts"] == len(checkpoints.TEXTS)
    assert 0.6 <= quality["agreement"]["value"] <= 1.0
    assert quality["agreement"]["low"] < quality["agreement"]["value"]
    page = (out / "report.html").read_text()
    assert f"same {quality['same']}" in page
    assert json.loads((out / "report.json").read_text())["candidates"][-1]["quality"]["same"] == quality["same"]


@pytest.mark.usefixtures("lenient")
def test_what_is_right_is_counted_where_the_data_says_it(tmp_path: Path) -> None:
    source = write_asked_checkpoint(tmp_path / "source", "zero-shot")
    rows = [{"text": text, "labels": ["open", "light"], "label": "light"} for text in checkpoints.TEXTS]
    data = tmp_path / "own.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    with_truth = functools.partial(Recipe, budget=Budget(accuracy_drop_points=100.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgert_tools.settings.Recipe", with_truth)
        quality: Any = converted(source, tmp_path / "bundle", data).manifest.measured["quality"]
    assert quality["measure"] == "accuracy"
    assert quality["accuracy_drop_points"] == pytest.approx(
        100 * (quality["float_accuracy"]["value"] - quality["int8_accuracy"]["value"])
    )


def test_entities_that_the_model_does_not_have_are_refused_before_the_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgert_tools.conversion.export_encoder", None)  # calling it would be a TypeError
    source = write_asked_checkpoint(tmp_path / "source", "token-classify")
    row = {"text": "the kitchen", "entities": [{"start": 4, "end": 11, "label": "PLACE"}]}
    (tmp_path / "own.jsonl").write_text("\n".join([json.dumps(row)] * 20))
    with pytest.raises(UsageError, match="'PLACE' of the data is not one of the model's: O, ROOM, THING"):
        converted(source, tmp_path / "bundle", tmp_path / "own.jsonl")
    assert not (tmp_path / "bundle").exists()


def test_a_head_whose_weights_are_not_there_is_refused(tmp_path: Path) -> None:
    source = checkpoints.write_checkpoint(tmp_path / "source")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "architectures": ["BertForQuestionAnswering"]}))
    with pytest.raises(UnsupportedModel, match="the weights lack qa_outputs"):
        converted(source, tmp_path / "bundle", checkpoints.write_texts(tmp_path / "texts.txt"))
