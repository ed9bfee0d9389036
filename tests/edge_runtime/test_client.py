"""The Python client when things go wrong: lost replies, a busy device, a broker that dies under everybody."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime.cli import main
from edge_runtime.client import Client
from edge_runtime.errors import BrokerUnreachable, Busy, RemoteError, RequestTimeout, UsageError
from edge_runtime.mqtt.broker import RunningBroker
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.contract import Address, encode_answer, encode_error, parse_request
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from tests import served, tiny
from tests.brokers import PlainMosquitto

pytestmark = pytest.mark.broker

TOPICS = Topics("fake")


class FakeDevice:
    """A device whose answers a test decides: `script` holds one action a request, then it answers all."""

    def __init__(self, broker: RunningBroker, *script: Callable[[Address], Message | None]) -> None:
        self.ids: list[str | None] = []
        self._script = list(script)
        self._connection = Connection(
            broker.address, "fake-device", subscriptions=[(TOPICS.requests, 1)], on_message=self._answer
        )
        self._connection.start()
        assert self._connection.wait_ready(10)

    def _answer(self, message: Message) -> None:
        request = parse_request(message, TOPICS, 1 << 20)
        self.ids.append(request.id)
        action = self._script.pop(0) if self._script else answer
        reply = action(request.address)
        if reply is not None:
            self._connection.publish(reply)

    def publish(self, message: Message) -> bool:
        return self._connection.publish(message)

    def close(self) -> None:
        self._connection.stop()


def answer(address: Address) -> Message:
    return encode_answer(address, b'{"label":"on"}', {"queue-us": 1, "infer-us": 2})


def silence(address: Address) -> None:
    return None


def busy(address: Address) -> Message:
    return encode_error(address, Busy(3, retry_after_ms=10))


def garbage(address: Address) -> Message:
    return Message(address.topic, b"\xff not json", correlation=address.correlation)


def stranger(address: Address) -> Message:
    return Message(address.topic, b'{"label":"wrong"}', correlation=b"someone else's", user=(("status", "200"),))


@pytest.fixture
def make_device() -> Iterator[Callable[..., tuple[RunningBroker, FakeDevice]]]:
    made: list[tuple[RunningBroker, FakeDevice]] = []

    def make(*script: Callable[[Address], Message | None]) -> tuple[RunningBroker, FakeDevice]:
        broker = served.broker("mosquitto")
        made.append((broker, FakeDevice(broker, *script)))
        return made[-1]

    yield make
    for broker, device in made:
        device.close()
        broker.stop()


def test_a_lost_reply_is_asked_for_again_with_the_same_id(
    make_device: Callable[..., tuple[RunningBroker, FakeDevice]],
) -> None:
    broker, device = make_device(silence, stranger)
    with Client(broker.client_address, device="fake") as client:
        assert client.infer("m", "x", timeout_s=3, tries=3).body == {"label": "on"}
    assert len(device.ids) == 3
    assert len(set(device.ids)) == 1


def test_a_busy_device_is_asked_again_after_the_pause_it_names(
    make_device: Callable[..., tuple[RunningBroker, FakeDevice]],
) -> None:
    broker, device = make_device(busy, busy)
    with Client(broker.client_address, device="fake") as client:
        assert client.infer("m", "x", timeout_s=5).infer_us == 2
    assert len(device.ids) == 3


def test_a_device_that_stays_busy_is_reported_as_busy(
    make_device: Callable[..., tuple[RunningBroker, FakeDevice]],
) -> None:
    broker, _ = make_device(busy, busy, busy)
    with Client(broker.client_address, device="fake") as client, pytest.raises(RemoteError) as caught:
        client.infer("m", "x", timeout_s=5)
    assert (caught.value.status, caught.value.retry_after_ms) == (429, 10)


def test_a_device_that_never_answers_is_a_timeout(make_device: Callable[..., tuple[RunningBroker, FakeDevice]]) -> None:
    broker, device = make_device(silence, silence)
    with Client(broker.client_address, device="fake") as client, pytest.raises(RequestTimeout, match="asked 2 times"):
        client.infer("m", "x", timeout_s=0.6, tries=2)
    assert len(device.ids) == 2


def test_an_answer_that_is_not_the_contracts_is_an_error(
    make_device: Callable[..., tuple[RunningBroker, FakeDevice]],
) -> None:
    broker, _ = make_device(garbage)
    with Client(broker.client_address, device="fake") as client, pytest.raises(RemoteError, match="not as agreed"):
        client.infer("m", "x", timeout_s=5)


def test_answers_find_their_own_thread(make_device: Callable[..., tuple[RunningBroker, FakeDevice]]) -> None:
    def echo(address: Address) -> Message:
        return encode_answer(address, json.dumps({"for": (address.correlation or b"").hex()}).encode(), {})

    broker, _ = make_device(*[echo] * 40)
    seen: list[str] = []
    with Client(broker.client_address, device="fake") as client:

        def ask() -> None:
            seen.extend(client.infer("m", "x").body["for"] for _ in range(10))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert len(set(seen)) == 40


def test_no_broker_is_an_error_that_names_it() -> None:
    with pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:9.*refused"):
        Client("mqtt://127.0.0.1:9", timeout_s=0.5)


def test_a_killed_and_restarted_broker_costs_a_retry_not_the_answer(
    plain_mosquitto: PlainMosquitto, tmp_path: Path
) -> None:
    bundle = tiny.write_bundle(tmp_path / "bundle")
    plain_mosquitto.start()
    with (
        served.daemon(plain_mosquitto.address, [bundle]),
        Client(plain_mosquitto.address, device=served.DEVICE) as client,
    ):
        assert client.wait_online(served.DEVICE, served.START_S)
        assert client.infer("tiny", "turn on").body["label"] in tiny.LABELS
        plain_mosquitto.kill()
        plain_mosquitto.start()
        assert client.infer("tiny", "turn on", timeout_s=20, tries=20).body["label"] in tiny.LABELS


def test_a_daemon_that_starts_before_its_broker_waits_for_it(plain_mosquitto: PlainMosquitto, tmp_path: Path) -> None:
    bundle = tiny.write_bundle(tmp_path / "bundle")
    with served.daemon(plain_mosquitto.address, [bundle]):
        plain_mosquitto.start()
        with Client(plain_mosquitto.address) as client:
            assert client.wait_online(served.DEVICE, served.START_S)
            assert client.infer("tiny", "turn on").device == served.DEVICE


@pytest.mark.parametrize(
    ("body", "user"),
    [
        (b'{"label":"on"}', (("status", "200"), ("queue-us", "soon"), ("infer-us", "1"))),
        (b'{"error":{"code":429,"reason":"busy","message":"m","retry_after_ms":"x"}}', (("status", "429"),)),
        (b'{"error":{"code":429,"reason":"busy","message":"m","retry_after_ms":-1e999}}', (("status", "429"),)),
        (b'{"error":{"reason":"busy"}}', (("status", "9" * 5000),)),
        (b'{"a":' * 100_000, (("status", "200"),)),
    ],
)
def test_a_hostile_reply_is_an_error_of_edgert(
    make_device: Callable[..., tuple[RunningBroker, FakeDevice]], body: bytes, user: tuple[tuple[str, str], ...]
) -> None:
    def reply(address: Address) -> Message:
        return Message(address.topic, body, correlation=address.correlation, user=user)

    broker, _ = make_device(reply, reply, reply)
    with Client(broker.client_address, device="fake") as client, pytest.raises(RemoteError):
        client.infer("m", "x", timeout_s=5)


def test_hostile_announcements_are_listed_without_harm(
    make_device: Callable[..., tuple[RunningBroker, FakeDevice]], capsys: pytest.CaptureFixture[str]
) -> None:
    broker, device = make_device()
    documents = {
        "deep": b'{"task":' * 100_000,
        "list": b'{"task":["\\u001b[31m"]}',
        "living room": b"{}",
        "ok": b'{"task":"embed"}',
    }
    for name, payload in documents.items():
        assert device.publish(Message(TOPICS.model(name), payload, qos=1, retain=True))
    with Client(broker.client_address, device="fake") as client:
        assert {found.name for found in client.models()} == {"deep", "list", "ok"}
    main_ends_with_0("models", "--broker", broker.client_address.url())
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "embed" in out


def test_an_answer_of_another_shape_is_printed_as_it_is(
    make_device: Callable[..., tuple[RunningBroker, FakeDevice]], capsys: pytest.CaptureFixture[str]
) -> None:
    def odd(address: Address) -> Message:
        return encode_answer(address, b'{"label":["on"],"score":"high"}', {})

    broker, _ = make_device(odd)
    main_ends_with_0("ask", "m", "x", "--device", "fake", "--broker", broker.client_address.url())
    assert '"score"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "device"), [("a/b", "fake"), ("#", "fake"), ("m", "living room"), ("\udcff", "fake")]
)
def test_names_that_are_no_topic_words_are_refused_at_once(
    make_device: Callable[..., tuple[RunningBroker, FakeDevice]], model: str, device: str
) -> None:
    broker, _ = make_device()
    with Client(broker.client_address, device=device) as client, pytest.raises(UsageError, match="1 to 64"):
        client.infer(model, "x")


def main_ends_with_0(*arguments: str) -> None:
    with contextlib.suppress(SystemExit):
        main(arguments)
        return
    raise AssertionError("edgert refused")
