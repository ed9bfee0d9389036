"""Models of numbers and of sound over a real broker, from Python and from the shell; the replies of docs/tasks.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.bundle.manifest import Limits
from edge_runtime.client import Client
from edge_runtime.errors import RemoteError
from edge_runtime.mqtt.broker import RunningBroker
from tests import served, tiny_graphs
from tests.command import run
from tests.edge_runtime.models.sounds_asked import LOUD, QUIET, sound
from tests.edge_runtime.models.test_voice_activity import HOW

PAGE = (Path(__file__).parents[3] / "docs" / "tasks.md").read_text(encoding="utf-8")
TENSORS, VOICE = "my-sums", "my-ears"


def examples_of(task: str) -> list[Any]:
    """The JSON blocks of a task's section."""
    section = re.split(r"^## ", PAGE.split(f"\n## {task}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    folder = tmp_path_factory.mktemp("served")
    bundles = [
        tiny_graphs.sums_bundle(folder / "sums", name=TENSORS),
        tiny_graphs.voice_bundle(folder / "ears", name=VOICE, limits=Limits(1000, 1)),
    ]
    with served.broker("mosquitto") as running, served.daemon(running.address, bundles):
        served.wait_online(running.address)
        yield running


@pytest.mark.broker
def test_the_examples_of_the_page_get_the_replies_of_the_page(running: RunningBroker) -> None:
    request, reply, short, short_reply = examples_of("tensors")
    with Client(running.address) as client:
        answer = client.request(TENSORS, request).body
        assert {name: answer[name] for name in reply} == reply
        assert client.request(TENSORS, short).body == short_reply


@pytest.mark.broker
def test_a_stream_keeps_its_state_between_requests_of_a_client(running: RunningBroker) -> None:
    how = {**HOW, "session": "mic"}
    with Client(running.address) as client, Client(running.address) as other:
        pieces = [QUIET, LOUD, QUIET]
        found = [client.request(VOICE, sound(piece), media_type="audio/wav", parameters=how).body for piece in pieces]
        stranger = other.request(VOICE, sound(QUIET), media_type="audio/wav", parameters=how).body
    assert [one["speaking"] for one in found] == [False, True, False]
    assert [len(one["speech"]) for one in found] == [0, 0, 1]
    assert stranger["at_s"] == 0.0


@pytest.mark.broker
def test_tensors_that_do_not_fit_are_refused_over_the_wire(running: RunningBroker) -> None:
    with Client(running.address) as client, pytest.raises(RemoteError, match=r"expected FP32 \[rows, 3\]") as refused:
        client.request(TENSORS, {"values": [[1, 2]]})
    assert (refused.value.status, refused.value.code) == (422, "bad_tensor")


@pytest.mark.broker
def test_files_are_asked_about_from_the_shell(
    running: RunningBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "rows.npz", x=np.array([[1, 5, 2]], np.float32))
    np.save(tmp_path / "row.npy", np.array([1, 5, 2]))
    (tmp_path / "speech.wav").write_bytes(sound([*QUIET, *LOUD, *QUIET]))
    where = ("--broker", running.address.url())
    status, out, _ = run(capsys, "ask", TENSORS, "--tensors", tmp_path / "rows.npz", *where)
    assert status == 0
    assert "double FP32 [1, 3]: 2, 10, 4" in out
    assert "most INT64 [1]: 1" in out
    out = run(capsys, "ask", TENSORS, "--tensors", tmp_path / "row.npy", "--json", *where)[1]
    assert json.loads(out)["values"] == {"double": [2.0, 10.0, 4.0], "most": 1}
    how = [part for name, value in HOW.items() for part in ("--parameter", f"{name}={value}")]
    out = run(capsys, "ask", VOICE, "--wav", tmp_path / "speech.wav", *how, *where)[1]
    assert "0.00-0.01 s  (" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give TEXT"),
        (("text", "--wav", "a.wav"), "Give TEXT"),
        (("--tensors", "junk.npz"), "cannot be read"),
        (("--tensors", "words.npz"), "expected numbers"),
        (("--wav", "a.wav", "--parameter", "threshold"), "must be NAME=VALUE"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anybody_is_asked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.wav").write_bytes(sound(QUIET))
    Path("junk.npz").write_bytes(b"PK\x03\x04junk")
    np.savez("words.npz", x=np.array(["a"]))
    status, _, error = run(capsys, "ask", TENSORS, *arguments, "--broker", "mqtt://127.0.0.1:9")
    assert (status, said in error) == (2, True), error
