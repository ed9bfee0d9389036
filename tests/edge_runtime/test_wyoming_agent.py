"""The conversation agent, asked by the protocol's own client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("wyoming", reason="the protocol's package is missing: pip install 'edgert[wyoming]'")

from wyoming.asr import Transcript
from wyoming.client import AsyncClient
from wyoming.event import Event
from wyoming.handle import NotHandled
from wyoming.info import Describe, Info
from wyoming.intent import Intent, NotRecognized, Recognize

from edge_runtime.errors import BrokerUnreachable, EdgertError, ModelNotFound, RemoteError, RequestTimeout, UsageError
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.wyoming_agent import MOST_BYTES, Connecting, serve
from tests import served, tiny
from tests.brokers import PlainMosquitto, free_port, wait_until

WAIT_S = 15.0


def answers(ask: Callable[[str], Mapping[str, Any]], *events: Event) -> list[Event | None]:
    """What a client gets for these events, on one connection."""

    async def talk() -> list[Event | None]:
        uri, ready = f"tcp://127.0.0.1:{free_port()}", asyncio.Event()
        agent = asyncio.create_task(serve(uri, ask, "m", threshold=0.5, languages=("en",), ready=ready.set))
        await asyncio.wait_for(ready.wait(), WAIT_S)
        async with AsyncClient.from_uri(uri) as client:
            got = []
            for event in events:
                await client.write_event(event)
                got.append(await asyncio.wait_for(client.read_event(), WAIT_S))
        agent.cancel()
        with pytest.raises(asyncio.CancelledError):
            await agent
        return got

    return asyncio.run(talk())


def said(label: object = "HassTurnOn", score: object = 0.9, **more: object) -> Callable[[str], Mapping[str, Any]]:
    return lambda text: {"label": label, "score": score, **more}


def test_it_says_what_it_is() -> None:
    (event,) = answers(said(), Describe().event())
    assert event is not None
    (program,) = Info.from_event(event).intent
    assert (program.name, program.installed, program.models[0].name) == ("edgert", True, "m")
    assert program.models[0].languages == ["en"]


@pytest.mark.parametrize("kind", [Transcript, Recognize])
def test_a_sentence_becomes_an_intent_and_its_context_comes_back(kind: type[Transcript] | type[Recognize]) -> None:
    (event,) = answers(said(slots={"area": "kitchen"}), kind("turn on the light", context={"id": "7"}).event())
    assert event is not None
    intent = Intent.from_event(event)
    assert (intent.name, intent.context) == ("HassTurnOn", {"id": "7"})
    assert [(entity.name, entity.value) for entity in intent.entities] == [("area", "kitchen")]


@pytest.mark.parametrize("answer", [said(score=0.4), said(label=None), said(score="much"), lambda text: {}])
def test_what_is_not_sure_or_no_label_is_not_recognized(answer: Callable[[str], Mapping[str, Any]]) -> None:
    (event,) = answers(answer, Transcript("mumble").event())
    assert event is not None
    assert NotRecognized.from_event(event).text


@pytest.mark.parametrize(
    ("error", "spoken"),
    [
        (BrokerUnreachable("no connection to mqtt://x in 3 s"), "I cannot reach the broker."),
        (RequestTimeout("no answer from device 'hub' (offline)"), "I get no answer from the device."),
        (ModelNotFound("m", []), "No device offers the model m."),
        (RemoteError(500, "internal", "broken"), "The device could not answer."),
    ],
)
def test_why_there_is_no_answer_is_spoken_and_the_next_sentence_is_heard(error: EdgertError, spoken: str) -> None:
    calls = iter([error, None])

    def ask(text: str) -> Mapping[str, Any]:
        if failure := next(calls):
            raise failure
        return {"label": "HassTurnOn", "score": 0.9}

    first, second = answers(ask, Transcript("one", context={"id": "7"}).event(), Transcript("two").event())
    assert first is not None
    assert second is not None
    assert NotHandled.from_event(first) == NotHandled(spoken, {"id": "7"})
    assert Intent.from_event(second).name == "HassTurnOn"


def test_a_connection_is_made_once_and_after_a_failure_again() -> None:
    made: list[str] = []

    def connect() -> Callable[[str], Mapping[str, Any]]:
        made.append("try")
        if len(made) == 1:
            raise BrokerUnreachable("not yet")
        return said()

    ask = Connecting(connect)
    ask.early()
    assert [ask("one"), ask("two")] == [said()(""), said()("")]
    assert len(made) == 2


@pytest.mark.parametrize(
    "sent",
    [
        b"no json\n",
        b"[]\n",
        b"{}\n",
        b'{"type": "transcript"}\n',
        b'{"type": "transcript", "data": {"text": 7}}\n',
        b'{"type": "transcript", "data": []}\n',
        b'{"type": "transcript", "data_length": "x"}\n',
        b'{"type": "transcript", "data_length": %d}\n' % (MOST_BYTES + 1),
        b"x" * (1 << 17),
    ],
    ids=range(9),
)
def test_a_client_that_keeps_to_no_protocol_is_let_go_and_others_are_answered(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk() -> tuple[bytes, Event | None]:
        port, ready = free_port(), asyncio.Event()
        uri = f"tcp://127.0.0.1:{port}"
        agent = asyncio.create_task(serve(uri, said(), "m", threshold=0.5, languages=("en",), ready=ready.set))
        await asyncio.wait_for(ready.wait(), WAIT_S)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        try:
            rest = await asyncio.wait_for(reader.read(), WAIT_S)
        except ConnectionResetError:  # let go with some of it unread
            rest = b""
        writer.close()
        async with AsyncClient.from_uri(uri) as client:
            await client.write_event(Transcript("turn on").event())
            event = await asyncio.wait_for(client.read_event(), WAIT_S)
        agent.cancel()
        return rest, event

    with caplog.at_level(logging.ERROR, "asyncio"):
        rest, event = asyncio.run(talk())
    assert rest == b""
    assert event is not None
    assert Intent.from_event(event).name == "HassTurnOn"
    assert not caplog.records


def test_a_client_that_leaves_before_its_answer_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    asked, gone = threading.Event(), threading.Event()

    def ask(text: str) -> Mapping[str, Any]:
        asked.set()
        assert text != "left" or gone.wait(WAIT_S)
        return {"label": text, "score": 1.0}

    async def talk() -> Event | None:
        uri, ready = f"tcp://127.0.0.1:{free_port()}", asyncio.Event()
        agent = asyncio.create_task(serve(uri, ask, "m", threshold=0.5, languages=("en",), ready=ready.set))
        await asyncio.wait_for(ready.wait(), WAIT_S)
        async with AsyncClient.from_uri(uri) as leaving:
            await leaving.write_event(Transcript("left").event())
            assert await asyncio.to_thread(asked.wait, WAIT_S)
        gone.set()
        async with AsyncClient.from_uri(uri) as staying:
            await staying.write_event(Transcript("stayed").event())
            event: Event | None = await asyncio.wait_for(staying.read_event(), WAIT_S)
        agent.cancel()
        return event

    with caplog.at_level(logging.ERROR, "asyncio"):
        event = asyncio.run(talk())
    assert event is not None
    assert Intent.from_event(event).name == "stayed"
    assert not caplog.records


def test_a_model_that_takes_long_holds_up_no_other_connection() -> None:
    held = threading.Event()

    def ask(text: str) -> Mapping[str, Any]:
        assert text != "slow" or held.wait(WAIT_S)
        return {"label": text, "score": 1.0}

    async def talk() -> str:
        uri, ready = f"tcp://127.0.0.1:{free_port()}", asyncio.Event()
        agent = asyncio.create_task(serve(uri, ask, "m", threshold=0.5, languages=("en",), ready=ready.set))
        await asyncio.wait_for(ready.wait(), WAIT_S)
        async with AsyncClient.from_uri(uri) as slow, AsyncClient.from_uri(uri) as quick:
            await slow.write_event(Transcript("slow").event())
            await quick.write_event(Transcript("quick").event())
            event = await asyncio.wait_for(quick.read_event(), WAIT_S)
            held.set()
            await asyncio.wait_for(slow.read_event(), WAIT_S)
        agent.cancel()
        assert event is not None
        return Intent.from_event(event).name

    assert asyncio.run(talk()) == "quick"


def test_a_place_where_nobody_can_listen_is_named() -> None:
    with pytest.raises(UsageError, match="cannot listen at nonsense"):
        asyncio.run(serve("nonsense://x", said(), "m", threshold=0.5, languages=("en",), ready=lambda: None))


def heard(uri: str, sentence: str) -> Event:
    """What the agent at `uri` answers, on a connection of its own, as Home Assistant has one for each sentence."""

    async def talk() -> Event | None:
        async with AsyncClient.from_uri(uri) as client:
            await client.write_event(Transcript(sentence).event())
            return await asyncio.wait_for(client.read_event(), WAIT_S)

    event = asyncio.run(talk())
    assert event is not None
    return event


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextlib.contextmanager
def agent_process(address: BrokerAddress) -> Iterator[str]:
    """`edgert wyoming tiny` as a process; its URI, when it takes connections. Ended by SIGINT, as by Ctrl-C."""
    port = free_port()
    uri = f"tcp://127.0.0.1:{port}"
    command = [*served.EDGERT, "wyoming", "tiny", "--broker", address.url(), "--uri", uri, "--threshold", "0"]
    process = subprocess.Popen(command)
    try:
        wait_until("the agent listens", lambda: listens(port), WAIT_S)
        yield uri
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.broker
def test_an_agent_that_starts_before_its_broker_says_so_and_asks_the_device_once_there_is_one(
    plain_mosquitto: PlainMosquitto, tmp_path: Path
) -> None:
    bundle = tiny.write_bundle(tmp_path / "bundle", name="tiny")
    with agent_process(plain_mosquitto.address) as uri:
        started_s = time.monotonic()
        assert NotHandled.from_event(heard(uri, "turn on the light")).text == "I cannot reach the broker."
        assert time.monotonic() - started_s < 5.0  # it waits for the try that is under way, and makes no second one
        plain_mosquitto.start()
        with served.daemon(plain_mosquitto.address, [bundle]):
            served.wait_online(plain_mosquitto.address)
            label = Intent.from_event(heard(uri, "turn on the light")).name
            assert label in tiny.manifest("classify", "tiny").task.labels
            plain_mosquitto.kill()
            assert NotHandled.is_type(heard(uri, "turn on the light").type)
            plain_mosquitto.start()
            served.wait_online(plain_mosquitto.address)
            wait_until("it is asked again", lambda: Intent.is_type(heard(uri, "turn on the light").type), WAIT_S)
