"""Wake words over the whole service: when they are heard, how often, in streams of pieces; frames have 4 samples."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.manifest import Limits, TaskSpec
from edge_runtime.documents import model_document
from edge_runtime.engine import open_session
from edge_runtime.errors import UnsupportedModel
from edge_runtime.model import PlainAsked, open_model
from edge_runtime.models.sound.frame_model import STALE_S
from edge_runtime.models.sound.wake_word import WakeWord
from tests import tiny_graphs
from tests.edge_runtime.models.sounds_asked import FRAME, LOUD, QUIET, SOUND, ask, hearing, in_pieces, sound
from tests.service_bench import Bench, Clock

# The graph also hears two samples of the frame before, and half of what it heard last.
FIRST_S, SECOND_S = (60 + FRAME) / 16000, (160 + FRAME) / 16000
SOON = 0.5  # milliseconds: 8 samples, two frames


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_graphs.wake_bundle(tmp_path_factory.mktemp("wake") / "bundle", limits=Limits(1000, 1))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bench(folder: Path, clock: Clock, make_bench: Callable[..., Bench]) -> Bench:
    return hearing(WakeWord, folder, clock, make_bench)


def times(body: Any) -> list[float]:
    return [one["time_s"] for one in body["events"]]


def test_the_words_are_heard_once_each_time_when_their_frame_has_ended(bench: Bench) -> None:
    status, body = ask(bench, SOUND, again_ms=5)
    assert status == 200
    assert times(body) == [round(FIRST_S, 3), round(SECOND_S, 3)]
    assert {one["label"] for one in body["events"]} == {"hey you"}
    assert body["events"][0]["score"] == pytest.approx(32000 / 32768, abs=1e-6)
    assert set(body) == {"model", "version", "events", "highest"}


def test_the_reply_that_the_page_shows_has_the_form_of_this_one(bench: Bench) -> None:
    page = (Path(__file__).parents[3] / "docs" / "tasks.md").read_text(encoding="utf-8")
    shown = json.loads(page.split("\n## wake-word\n", 1)[1].split("```json\n", 1)[1].split("```", 1)[0])
    _, body = ask(bench, SOUND)
    forms = [
        {name: type(value) for name, value in part.items()} for one in (shown, body) for part in (one, *one["events"])
    ]
    assert forms[:2] == forms[2:]


def test_for_a_while_after_an_event_nothing_is_heard(bench: Bench) -> None:
    assert times(ask(bench, SOUND)[1]) == [round(FIRST_S, 3)]
    assert len(times(ask(bench, LOUD, again_ms=0)[1])) == len(LOUD) // FRAME
    assert len(times(ask(bench, LOUD, again_ms=SOON)[1])) == -(-len(LOUD) // FRAME // 3)


def test_below_the_threshold_there_is_no_event_but_the_highest_score_is_told(bench: Bench) -> None:
    _, body = ask(bench, [16000] * 8, threshold=0.6)
    assert (body["events"], body["highest"]) == ([], pytest.approx(16000 / 32768, abs=1e-6))
    assert len(times(ask(bench, [16000] * 8, threshold=0.4)[1])) == 1


@pytest.mark.parametrize("size", [1, 3, 4, 7, 50, 199])
def test_a_stream_in_pieces_of_any_size_gets_what_the_whole_sound_gets(bench: Bench, size: int) -> None:
    whole = times(ask(bench, SOUND, again_ms=5)[1])
    assert len(whole) == 2
    assert in_pieces(bench, size, times, again_ms=5) == whole


def test_a_stream_that_was_silent_for_long_begins_anew(bench: Bench, clock: Clock) -> None:
    ask(bench, LOUD, session="mic")
    assert times(ask(bench, LOUD, session="mic")[1]) == []
    clock.now += STALE_S + 1
    _, body = ask(bench, LOUD, session="mic")
    assert (body["at_s"], len(times(body))) == (0.0, 1)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [({"threshold": 2}, "parameter threshold"), ({"again_ms": -1}, "parameter again_ms"), ({"session": 7}, "session")],
)
def test_wrong_parameters_are_refused_by_name(bench: Bench, parameters: dict[str, Any], said: str) -> None:
    status, body = ask(bench, QUIET, **parameters)
    assert (status, body["error"]["reason"]) == (400, "bad_request")
    assert said in body["error"]["message"]


def test_tensors_are_those_that_the_models_document_has(folder: Path) -> None:
    model = open_model(folder)
    asked = PlainAsked(raw=sound([*LOUD[:8], 0, 0]), media_type="audio/wav")
    tensors = {one.name: one for one in model.answer([asked]).answers[0].tensors()}
    assert {name: tuple(one.shape) for name, one in tensors.items()} == {
        "label": (1,), "score": (1,), "time_s": (1,), "probability": (3,),
    }  # fmt: skip
    assert {one["name"] for one in model_document(model.manifest)["outputs"]} == set(tensors)  # type: ignore[attr-defined]


def test_a_bundle_must_say_which_words(folder: Path) -> None:
    manifest = open_model(folder).manifest
    session = open_session(folder, manifest.model, 1)
    without = dataclasses.replace(manifest, task=TaskSpec("wake-word", voice=tiny_graphs.VOICE))
    with pytest.raises(UnsupportedModel, match="one label, the words"):
        WakeWord(without, session)
