"""Voice activity on a graph that hears loudness: whole sounds, live streams in pieces, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.manifest import Limits, TaskSpec
from edge_runtime.documents import model_document
from edge_runtime.engine import open_session
from edge_runtime.errors import UnsupportedModel
from edge_runtime.model import open_model
from edge_runtime.models.sound.frame_model import MOST_SESSIONS, STALE_S
from edge_runtime.models.sound.voice_activity import VoiceActivity
from edge_runtime.mqtt.message import Message
from tests import tiny_graphs
from tests.edge_runtime.models import sounds_asked
from tests.edge_runtime.models.sounds_asked import FRAME, LOUD, QUIET, SOUND, hearing, in_pieces, sound
from tests.service_bench import TOPICS, Bench, Clock

HOW = {"min_speech_ms": 1, "min_silence_ms": 1, "pad_ms": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_graphs.voice_bundle(tmp_path_factory.mktemp("voice") / "bundle", limits=Limits(1000, 1))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bench(folder: Path, clock: Clock, make_bench: Callable[..., Bench]) -> Bench:
    return hearing(VoiceActivity, folder, clock, make_bench)


def ask(bench: Bench, samples: Sequence[int], client: str = "ann/phone", **parameters: Any) -> tuple[int, Any]:
    return sounds_asked.ask(bench, samples, client, **{**HOW, **parameters})


def seconds(body: Any) -> list[tuple[float, float]]:
    return [(one["start_s"], one["end_s"]) for one in body["speech"]]


def test_a_whole_sound_gets_its_stretches_and_share(bench: Bench) -> None:
    status, body = ask(bench, SOUND)
    assert status == 200
    # 50 frames: 20 loud ones, and one that has the end of a loud one in front.
    assert [begin for begin, _ in seconds(body)] == [round(60 / 16000, 3), round(160 / 16000, 3)]
    assert body["share"] == 21 / 50
    assert set(body) == {"model", "version", "speech", "share"}


@pytest.mark.parametrize("size", [1, 3, 4, 7, 50, 199])
def test_a_stream_in_pieces_of_any_size_gets_what_the_whole_sound_gets(bench: Bench, size: int) -> None:
    whole = seconds(ask(bench, SOUND)[1])
    assert in_pieces(bench, size, seconds, **HOW) == whole


def test_somebody_who_still_speaks_is_told_of_before_the_stretch_is(bench: Bench) -> None:
    _, body = ask(bench, [*QUIET, *LOUD], session="mic")
    assert (body["speech"], body["speaking"]) == ([], True)
    _, body = ask(bench, QUIET, session="mic")
    assert (len(body["speech"]), body["speaking"]) == (1, False)


def test_streams_of_two_clients_and_two_names_are_apart(bench: Bench) -> None:
    ask(bench, LOUD, session="mic")
    for client, name in (("bob/phone", "mic"), ("ann/phone", "other")):
        _, body = ask(bench, QUIET, client=client, session=name)
        assert (body["at_s"], body["speech"], body["speaking"]) == (0.0, [], False)


def test_a_stream_that_ended_or_was_silent_for_long_begins_anew(bench: Bench, clock: Clock) -> None:
    ask(bench, LOUD, session="mic")
    ask(bench, LOUD, session="mic", end=True)
    assert ask(bench, QUIET, session="mic")[1]["at_s"] == 0.0
    clock.now += STALE_S + 1
    assert ask(bench, QUIET, session="mic")[1]["at_s"] == 0.0
    assert ask(bench, QUIET, session="mic")[1]["at_s"] == pytest.approx(60 / 16000, abs=1e-3)


def test_the_memory_of_streams_is_bounded(folder: Path) -> None:
    model = open_model(folder)
    assert isinstance(model, VoiceActivity)
    for number in range(MOST_SESSIONS + 50):
        model.answer([Piece(sound([0]), {"session": str(number)})])
    assert len(model._streams) == MOST_SESSIONS


@dataclasses.dataclass
class Piece:
    """A request with a sound, of nobody."""

    raw: bytes | None
    parameters: dict[str, Any]
    media_type = "audio/wav"
    texts: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    tensors: tuple[Any, ...] = ()
    truncate = False


def test_tensors_hold_the_probability_of_each_frame(folder: Path) -> None:
    answer = open_model(folder).answer([Piece(sound([*LOUD[:8], 0, 0]), {**HOW, "min_speech_ms": 0})]).answers[0]
    tensors = {one.name: one for one in answer.tensors()}
    assert tensors["probability"].shape == (3,)  # the last frame is filled up with silence
    assert tensors["probability"].data[0] == pytest.approx(32000 / 32768)
    assert tensors["speech"].shape == (1, 2)
    assert {one["name"] for one in model_document(open_model(folder).manifest)["outputs"]} == set(tensors)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"session": 7}, "parameter session"),
        ({"session": ""}, "parameter session"),
        ({"session": "x" * 65}, "parameter session"),
        ({"end": "yes"}, "parameter end"),
        ({"threshold": 2}, "parameter threshold"),
    ],
)
def test_wrong_parameters_are_refused_by_name(bench: Bench, parameters: dict[str, Any], said: str) -> None:
    status, body = ask(bench, QUIET, **parameters)
    assert (status, body["error"]["reason"]) == (400, "bad_request")
    assert said in body["error"]["message"]


def test_a_sound_that_is_too_long_is_refused_before_it_is_heard(bench: Bench) -> None:
    status, body = ask(bench, [0] * (1000 * FRAME + 1))
    assert (status, body["error"]["reason"]) == (413, "input_too_long")


def test_json_without_a_sound_is_told_what_to_send(bench: Bench) -> None:
    bench.send(Message(TOPICS.infer("tiny"), b'{"text": "hello"}', response_topic="edgert/v1/r/a/b", correlation=b"c"))
    status, body = bench.next()
    assert status == 400
    assert "audio/wav as the payload" in body["error"]["message"]


def test_parameters_that_are_no_json_are_refused(bench: Bench) -> None:
    bench.send(
        Message(
            TOPICS.infer("tiny"),
            sound(QUIET),
            response_topic="edgert/v1/r/a/b",
            correlation=b"c",
            content_type="audio/wav",
            user=(("parameters", "threshold=2"),),
        )
    )
    assert bench.next()[0] == 400


def test_a_manifest_that_does_not_fit_its_graph_is_refused(folder: Path) -> None:
    manifest = open_model(folder).manifest
    session = open_session(folder, manifest.model, 1)
    voice = tiny_graphs.VOICE
    for wrong, said in (
        (None, "task.voice"),
        (dataclasses.replace(voice, constants={}), "'rate'"),
        (dataclasses.replace(voice, probability="louder"), "'louder'"),
    ):
        task = TaskSpec("voice-activity", voice=wrong)
        with pytest.raises(UnsupportedModel, match=said):
            VoiceActivity(dataclasses.replace(manifest, task=task), session)
