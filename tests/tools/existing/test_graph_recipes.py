"""The recipes of graphs, converted for real: what each bundle must hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.model import open_model
from edge_runtime.models.sound.sound import read_wav
from edge_runtime.models.sound.voice_activity import VoiceActivity
from edge_runtime.selftest import run_golden
from edgert_tools.existing.convert import list_graph_recipes
from edgert_tools.existing.examples import Row, row_of
from edgert_tools.existing.letter_rows import SENTENCES
from edgert_tools.existing.room_sensor import error_of, pairs
from edgert_tools.existing.spoken_sample import sample
from tests.conftest import converted, fetched

ORACLE = json.loads((Path(__file__).parents[2] / "vectors" / "silero_vad.json").read_text())


@pytest.fixture(scope="module")
def voice() -> Path:
    return converted("voice-activity-silero")


@pytest.fixture(scope="module")
def spoken() -> bytes:
    return fetched(lambda: sample(print))


def test_probabilities_are_those_of_silero_vad(voice: Path, spoken: bytes) -> None:
    model = open_model(voice)
    assert isinstance(model, VoiceActivity)
    found = model.probabilities(read_wav(spoken, 16000))
    # The same graph in another onnxruntime, rounded to six digits: 5e-7 here; other cores add up in another order.
    assert np.abs(np.array(found) - ORACLE["probabilities"]).max() < 1e-4


def test_stretches_of_speech_are_those_of_silero_vad(voice: Path, spoken: bytes) -> None:
    answer = open_model(voice).answer([Row(raw=spoken, media_type="audio/wav")]).answers[0]
    expected = [
        {"start_s": round(one["start"] / 16000, 3), "end_s": round(one["end"] / 16000, 3)}
        for one in ORACLE["stretches"]["defaults"]["samples"]
    ]
    assert answer.rows()[0]["speech"] == expected


def test_the_reply_that_the_page_shows_is_this_one(voice: Path, spoken: bytes) -> None:
    page = (Path(__file__).parents[3] / "docs" / "tasks.md").read_text(encoding="utf-8")
    shown = json.loads(page.split("\n## voice-activity\n", 1)[1].split("```json\n", 1)[1].split("```", 1)[0])
    answer = open_model(voice).answer([Row(raw=spoken, media_type="audio/wav")]).answers[0].rows()[0]
    assert shown == {"model": "voice-activity-silero", "version": "1.0.0", **answer}


def test_int8_that_hears_worse_is_not_shipped_and_the_report_says_so(voice: Path) -> None:
    manifest, report = read_bundle(voice), json.loads((voice / "report.json").read_text())
    assert manifest.model.scheme == "float32"
    assert {one["scheme"] for one in report["tried"]} >= {"qdq-s8s8-minmax-all", "qdq-u8s8-minmax-all"}
    assert all(one["misses"] or one["failed"] for one in report["tried"])
    assert "MIT License" in (voice / "LICENSE.txt").read_text()
    assert manifest.source.license == "MIT"


def test_the_forecast_is_nearer_than_the_last_reading_on_rooms_it_never_saw() -> None:
    folder = converted("room-temperature-forecast")
    past, ahead = pairs(seed=99, rooms=3)
    model = open_model(folder)
    rows = [past[start : start + 256] for start in range(0, len(past), 256)]
    answers = [model.answer([row_of({"readings": row})]).answers[0].tensors()[0] for row in rows]
    forecast = np.concatenate([np.reshape(np.asarray(one.data), one.shape) for one in answers])
    still = np.repeat(past[:, -1:], ahead.shape[1], axis=1)
    assert error_of(forecast, ahead) < 0.95 * error_of(still, ahead)
    assert read_bundle(folder).model.batch_invariant


def test_a_graph_that_its_author_made_int8_is_passed_through_and_tests_itself() -> None:
    folder = converted("arabic-diacritics-rawi")
    manifest = read_bundle(folder)
    assert manifest.model.scheme == "int8-as-given"
    recipe = next(one for one in list_graph_recipes() if one.name == manifest.name)
    assert recipe.source is not None
    assert manifest.file_of("model").sha256 == recipe.source.file_sha256  # type: ignore[union-attr]
    test: Any = run_golden(open_model(folder), folder)
    assert (test.rows, test.worst) == (len(SENTENCES), pytest.approx(1.0))


@pytest.mark.parametrize("folder", ["voice-activity-silero", "room-temperature-forecast", "arabic-diacritics-rawi"])
def test_every_bundle_verifies_here(folder: str) -> None:
    bundle = converted(folder)
    assert run_golden(open_model(bundle), bundle).rows >= 3
