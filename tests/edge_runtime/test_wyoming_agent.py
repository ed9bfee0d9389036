"""The conversation agent, asked by the protocol's own client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("wyoming", reason="the protocol's package is missing: pip install 'edgert[wyoming]'")

from wyoming.asr import Transcript
from wyoming.client import AsyncClient
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.intent import Intent, NotRecognized, Recognize

from edge_runtime.client import Client
from edge_runtime.errors import RequestTimeout, UsageError
from edge_runtime.wyoming_agent import serve
from tests import served, tiny
from tests.brokers import free_port

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


def test_a_device_that_does_not_answer_is_told_and_the_next_sentence_is_heard() -> None:
    calls = iter([RequestTimeout("no answer from device 'hub' (offline)"), None])

    def ask(text: str) -> Mapping[str, Any]:
        error = next(calls)
        if error:
            raise error
        return {"label": "HassTurnOn", "score": 0.9}

    first, second = answers(ask, Transcript("one").event(), Transcript("two").event())
    assert first is not None
    assert second is not None
    assert "offline" in (NotRecognized.from_event(first).text or "")
    assert Intent.from_event(second).name == "HassTurnOn"


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


@pytest.mark.broker
def test_a_real_device_is_asked(tmp_path: Path) -> None:
    bundle = tiny.write_bundle(tmp_path / "bundle", name="tiny")
    with served.broker("mosquitto") as broker, served.daemon(broker.address, [bundle]):
        served.wait_online(broker.client_address)
        with Client(broker.client_address) as client:
            (event,) = answers(lambda text: client.infer("tiny", text).body, Transcript("turn on the light").event())
    assert event is not None
    assert event.type in ("intent", "not-recognized")
