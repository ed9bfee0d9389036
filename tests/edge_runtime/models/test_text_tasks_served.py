"""The text tasks over the real service and over a real broker; requests and replies are those of docs/tasks.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.manifest import Limits
from edge_runtime.client import Client
from edge_runtime.documents import model_document
from edge_runtime.model import open_model
from edge_runtime.mqtt.broker import RunningBroker
from edge_runtime.mqtt.message import Message
from tests import served
from tests.command import run
from tests.edge_runtime.models.tiny_readers import write_reader
from tests.service_bench import TOPICS, Bench

PAGE = (Path(__file__).parents[3] / "docs" / "tasks.md").read_text(encoding="utf-8")
NAMES = {
    "token-classify": "my-entities", "question-answer": "my-answers", "rerank": "my-ranking", "zero-shot": "my-chooser",
}  # fmt: skip
CLOSE = 2e-6


def example_of(task: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Request and reply of a task's section."""
    section = re.split(r"^## ", PAGE.split(f"\n## {task}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    request, reply = re.findall(r"^```json\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[:2]
    return json.loads(request), json.loads(reply)


def close(found: Any, expected: Any) -> bool:
    """Equal, but for the last digit of a number."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and found.keys() == expected.keys() and all(
            close(found[key], value) for key, value in expected.items()
        )  # fmt: skip
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(close, found, expected))
    return bool(abs(found - expected) < CLOSE) if isinstance(expected, float) else bool(found == expected)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("served")
    return {task: write_reader(folder / task, task, name=name) for task, name in NAMES.items()}


@pytest.fixture(scope="module")
def bench(bundles: dict[str, Path]) -> Iterator[Bench]:
    models: dict[str, Any] = {NAMES[task]: open_model(folder) for task, folder in bundles.items()}
    bench = Bench(models)
    yield bench
    bench.service.drain(10)


def ask(bench: Bench, task: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    topic, reply = TOPICS.infer(NAMES[task]), "edgert/v1/r/ann/phone"
    bench.send(Message(topic, json.dumps(body).encode(), response_topic=reply, correlation=b"c"))
    return bench.next()


@pytest.mark.parametrize("task", NAMES)
def test_the_example_of_the_page_gets_the_reply_of_the_page(bench: Bench, task: str) -> None:
    request, expected = example_of(task)
    status, reply = ask(bench, task, request)
    assert status == 200
    assert close(reply, expected), reply


@pytest.mark.parametrize("task", NAMES)
def test_a_model_warms_up_whatever_its_limit_is(tmp_path: Path, task: str) -> None:
    open_model(write_reader(tmp_path / "small", task, limits=Limits(max_tokens=6, max_texts=1), golden=False)).warm_up()


@pytest.mark.parametrize("task", NAMES)
def test_the_same_can_be_asked_in_tensors(bundles: dict[str, Path], bench: Bench, task: str) -> None:
    request, _ = example_of(task)
    document = model_document(open_model(bundles[task]).manifest)
    inputs: Any = document["inputs"]
    tensors = []
    for one in inputs:
        values = request[one["name"]]
        data = [values] if isinstance(values, str) else values
        tensors.append({"name": one["name"], "datatype": "BYTES", "shape": [len(data)], "data": data})
    asked = {"inputs": tensors, "parameters": request.get("parameters", {})}
    status, reply = ask(bench, task, asked)
    assert status == 200
    outputs: Any = document["outputs"]
    assert [(one["name"], one["datatype"]) for one in reply["outputs"]] == [
        (one["name"], one["datatype"]) for one in outputs
    ]
    assert all(len(one["data"]) == one["shape"][0] for one in reply["outputs"])


@pytest.mark.parametrize(
    ("task", "body", "status"),
    [
        ("token-classify", {"text": ["on", "the kitchen"]}, 200),
        ("token-classify", {"text": "on", "parameters": {"aggregation": "none"}}, 400),
        ("token-classify", {"question": "on"}, 400),
        ("token-classify", {"text": "on " * 500}, 413),
        ("question-answer", {"question": "on?", "context": " "}, 400),
        ("question-answer", {"question": "on?"}, 400),
        ("question-answer", {"question": "on?", "context": "on " * 500, "truncate": True}, 200),
        ("rerank", {"query": "on?", "documents": []}, 400),
        ("rerank", {"query": "on?", "documents": ["on"] * 99}, 400),
        ("zero-shot", {"text": "on", "labels": ["a", "a"]}, 400),
        ("zero-shot", {"text": ["on"], "labels": ["a"]}, 400),
    ],
)
def test_odd_requests_get_a_reply_that_fits(bench: Bench, task: str, body: dict[str, Any], status: int) -> None:
    found, reply = ask(bench, task, body)
    assert found == status, reply
    if status == 200:
        assert ("results" in reply) == isinstance(body.get("text"), list)
        assert reply.get("truncated", False) == body.get("truncate", False)


@pytest.fixture(scope="module")
def running(bundles: dict[str, Path]) -> Iterator[RunningBroker]:
    with served.broker("mosquitto") as running, served.daemon(running.address, list(bundles.values())):
        served.wait_online(running.address)
        yield running


@pytest.mark.broker
@pytest.mark.parametrize("task", NAMES)
def test_each_task_is_answered_over_mqtt(running: RunningBroker, task: str) -> None:
    request, expected = example_of(task)
    with Client(running.address) as client:
        answer = client.request(NAMES[task], request)
    assert close(answer.body, expected)


@pytest.mark.broker
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["my-entities", "the kitchen light"], "the kitchen light  ROOM 'kitchen' 0.99, THING 'light' 0.99"),
        (["my-answers", "--question", "where?", "--context", "warm up"], "where?  warm up  1.00"),
        (["my-ranking", "--query", "on?", "off", "the kitchen"], "0.88  the kitchen\n0.12  off"),
        (["my-chooser", "on", "--labels", "light, kitchen", "--parameter", "template={}"], "on  kitchen  0.73"),
    ],
)
def test_each_task_is_asked_from_the_shell(
    running: RunningBroker, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    status, out, _ = run(capsys, "ask", *arguments, "--broker", running.address.url())
    assert status == 0
    assert out.rsplit("\n", 2)[0] == told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--question", "on?"], "--context together"),
        (["--question", "on?", "--context", "on", "more"], "no TEXT"),
        (["--query", "on?"], "Give TEXT"),
        (["--labels", "a,b", "one", "two"], "one TEXT"),
        (["--labels", "a,b", "--query", "q", "one"], "one of --question"),
    ],
)
def test_options_that_do_not_go_together_are_said_before_anything_is_sent(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    status, _, err = run(capsys, "ask", "my-answers", *arguments, "--broker", "mqtt://127.0.0.1:9")
    assert status == 2
    assert says in err
