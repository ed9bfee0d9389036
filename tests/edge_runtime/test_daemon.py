"""The daemon as a process on real brokers, asked by clients that edgert did not write."""

from __future__ import annotations

import asyncio
import json
import queue
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import numpy as np
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_runtime.client import Client
from edge_runtime.errors import ModelNotFound, RemoteError, RequestTimeout
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import Kind, RunningBroker
from edge_runtime.mqtt.topics import Topics
from edge_runtime.pipeline import open_pipeline
from tests import served, tiny

pytestmark = pytest.mark.broker

TOPICS = Topics(served.DEVICE)
WAIT_S = 15.0


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bundles")
    return [tiny.write_bundle(folder / task, task, name=task) for task in ("classify", "embed")]


@pytest.fixture(scope="module", params=["mosquitto", "embedded"])
def broker(request: pytest.FixtureRequest) -> Iterator[RunningBroker]:
    with served.broker(request.param) as running:
        yield running


@pytest.fixture(scope="module")
def hub(broker: RunningBroker, bundles: list[Path]) -> Iterator[subprocess.Popen[bytes]]:
    with served.daemon(broker.address, bundles) as process:
        served.wait_online(broker.client_address)
        yield process


class Peer:
    """A third-party client: paho as in its own examples, speaking MQTT 5 or 3.1.1."""

    def __init__(
        self,
        broker: RunningBroker,
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
        login: BrokerAddress | None = None,
    ) -> None:
        address = login or broker.client_address
        self.messages: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self._subscribed: queue.Queue[object] = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=version)
        self._client.username_pw_set(address.username, address.password)
        self._client.on_message = lambda _c, _u, message: self.messages.put(message)
        self._client.on_subscribe = lambda *_: self._subscribed.put(None)
        self._client.connect(address.host, address.port)
        self._client.loop_start()
        self.reply_topic = TOPICS.reply(address.username, "peer")

    def subscribe(self, topic: str) -> None:
        self._client.subscribe(topic, 1)
        self._subscribed.get(timeout=WAIT_S)

    def ask(self, model: str, payload: bytes, *, response_topic: str | None = None, retain: bool = False) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic = self.reply_topic if response_topic is None else response_topic
        properties.CorrelationData = b"\x00\x01peer"
        properties.UserProperty = [("something", "else"), ("something", "again")]
        self._client.publish(TOPICS.infer(model), payload, 1, retain, properties)

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, 1)

    def next(self) -> tuple[dict[str, str], Any]:
        message = self.messages.get(timeout=WAIT_S)
        properties = getattr(message, "properties", None)
        return dict(getattr(properties, "UserProperty", [])), json.loads(message.payload)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def peer(broker: RunningBroker, hub: object) -> Iterator[Peer]:
    made = Peer(broker)
    made.subscribe(made.reply_topic)
    yield made
    made.close()


def test_paho_is_answered_with_its_correlation_data(peer: Peer) -> None:
    peer.ask("classify", b'{"text": "turn on the light"}')
    message = peer.messages.get(timeout=WAIT_S)
    properties = message.properties
    assert properties is not None
    assert properties.CorrelationData == b"\x00\x01peer"  # type: ignore[attr-defined]
    assert properties.ContentType == "application/json"  # type: ignore[attr-defined]
    assert dict(properties.UserProperty)["status"] == "200"  # type: ignore[attr-defined]
    assert not message.retain
    assert json.loads(message.payload)["label"] in tiny.LABELS


def test_aiomqtt_is_answered(broker: RunningBroker, hub: object) -> None:
    async def ask() -> Any:
        address = broker.client_address
        login = {"username": address.username, "password": address.password}
        async with aiomqtt.Client(address.host, address.port, protocol=aiomqtt.ProtocolVersion.V5, **login) as client:  # type: ignore[arg-type]
            topic = TOPICS.reply(address.username, "aio")
            await client.subscribe(topic, qos=1)
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ResponseTopic = topic
            await client.publish(TOPICS.infer("classify"), b'{"text": "close"}', qos=1, properties=properties)
            message = await anext(aiter(client.messages))
            return json.loads(bytes(message.payload))  # type: ignore[arg-type]

    assert asyncio.run(asyncio.wait_for(ask(), WAIT_S))["label"] in tiny.LABELS


def test_mosquitto_rr_is_answered(broker: RunningBroker, hub: object) -> None:
    address = broker.client_address
    command = [served.program("mosquitto_rr"), "-V", "5", "-h", address.host, "-p", str(address.port)]
    command += ["-u", address.username, "-P", address.password, "-W", "10", "-q", "1"]
    command += ["-t", TOPICS.infer("classify"), "-e", TOPICS.reply(address.username, "rr"), "-m", '{"text": "open"}']
    done = subprocess.run(command, capture_output=True, timeout=WAIT_S, check=True)
    assert json.loads(done.stdout)["label"] in tiny.LABELS


def test_vectors_over_mqtt_are_those_of_the_pipeline(broker: RunningBroker, hub: object, bundles: list[Path]) -> None:
    texts = ["turn on the light", "close the kitchen blind"]
    with Client(broker.client_address) as client:
        answer = client.infer("embed", texts)
    got = np.array([row["embedding"] for row in answer.body["results"]], dtype=np.float32)
    np.testing.assert_allclose(got, open_pipeline(bundles[1]).vectors(texts), atol=1e-6)
    assert answer.device == served.DEVICE
    assert answer.infer_us > 0


def test_what_is_retained_describes_the_device(broker: RunningBroker, hub: object, peer: Peer) -> None:
    peer.subscribe(TOPICS.status)
    assert peer.messages.get(timeout=WAIT_S).payload == b"online"
    peer.subscribe(TOPICS.info)
    info = json.loads(peer.messages.get(timeout=WAIT_S).payload)
    assert info["models"] == ["classify", "embed"]
    assert info["limits"]["queue_requests"] == 32
    peer.subscribe(TOPICS.model("classify"))
    model = json.loads(peer.messages.get(timeout=WAIT_S).payload)
    assert (model["name"], model["versions"], model["labels"]) == ("classify", ["1.2.3"], list(tiny.LABELS))
    with Client(broker.client_address) as client:
        assert [(found.device, found.name, found.online) for found in client.models()] == [
            (served.DEVICE, "classify", True),
            (served.DEVICE, "embed", True),
        ]


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        (b"not json", 400),
        (b"\xff\xfe{", 400),
        (b"\0\0\0", 400),
        (b'{"text": "a\\u0000b"}', 200),
        (b'{"text": ""}', 200),
        (b'{"text": "\\ud800"}', 400),
        (b'{"text": "' + b"x" * 1_000_000 + b'"}', 413),
        (b'{"text": ["' + b'","'.join([b"on"] * 9) + b'"]}', 400),
        (b"[" * 100_000, 400),
    ],
    ids=lambda value: str(value)[:20],
)
def test_odd_payloads_get_one_reply_and_the_next_request_works(peer: Peer, payload: bytes, status: int) -> None:
    peer.ask("classify", payload)
    assert peer.next()[0]["status"] == str(status)
    peer.ask("classify", b'{"text": "turn on"}')
    assert peer.next()[0]["status"] == "200"


@pytest.mark.parametrize("name", ["nothing", "..", "x" * 65, "a/b/c", "%2e%2e"])
def test_an_unknown_model_is_an_error_reply(peer: Peer, name: str) -> None:
    peer.ask(name, b'{"text": "turn on"}')
    properties, body = peer.next()
    assert properties["status"] in ("400", "404")
    assert body["error"]["message"]


@pytest.mark.parametrize(
    "topic", ["homeassistant/device/x/config", "edgert/v1/d/hub/status", "edgert/v1/r/", "x" * 9000]
)
def test_a_reply_topic_elsewhere_is_not_published_to(broker: RunningBroker, peer: Peer, topic: str) -> None:
    watcher = Peer(broker, login=broker.address)
    watcher.subscribe("#")
    peer.subscribe(TOPICS.shared_reply("classify"))
    peer.ask("classify", b'{"text": "turn on"}', response_topic=topic)
    assert peer.next()[1]["error"]["reason"] == "reply_topic_refused"
    peer.ask("classify", b'{"text": "turn on"}')
    assert peer.next()[1]["label"]
    seen = set()
    while peer.reply_topic not in seen:
        message = watcher.messages.get(timeout=WAIT_S)
        seen |= {message.topic} if not message.retain else set()
    unasked = {TOPICS.load, TOPICS.stats}
    assert seen - unasked == {TOPICS.infer("classify"), TOPICS.shared_reply("classify"), peer.reply_topic}
    watcher.close()


def test_wildcards_in_the_reply_topic_do_not_stop_the_daemon(hub: subprocess.Popen[bytes], peer: Peer) -> None:
    for topic in ("#", "edgert/v1/r/+/x", "$SYS/x"):
        peer.ask("classify", b'{"text": "turn on"}', response_topic=topic)
    peer.ask("classify", b'{"text": "turn on"}')
    assert peer.next()[0]["status"] == "200"
    assert hub.poll() is None


def test_a_message_over_the_announced_size_does_not_reach_or_stop_the_daemon(
    broker: RunningBroker, hub: subprocess.Popen[bytes], peer: Peer
) -> None:
    sender = Peer(broker)
    sender.ask("classify", b'{"text": "' + b"x" * (6 << 20) + b'"}')
    sender.close()
    peer.ask("classify", b'{"text": "turn on"}')
    assert peer.next()[0]["status"] == "200"
    assert hub.poll() is None


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
def test_a_retained_request_is_never_run(kind: Kind, bundles: list[Path]) -> None:
    with served.broker(kind) as broker:
        peer = Peer(broker)
        peer.subscribe(peer.reply_topic)
        peer.ask("classify", b'{"text": "turn on"}', retain=True)
        with served.daemon(broker.address, bundles):
            served.wait_online(broker.client_address)
            peer.ask("embed", b'{"text": "turn on"}')
            assert "embedding" in peer.next()[1]  # the retained one came first and would have been answered first
            assert peer.messages.empty()
        peer.close()


def test_mqtt_3_1_1_clients_are_answered(bundles: list[Path]) -> None:
    with served.broker("mosquitto") as broker, served.daemon(broker.address, bundles):
        served.wait_online(broker.client_address)
        peer = Peer(broker, MQTTProtocolVersion.MQTTv311)
        peer.subscribe(TOPICS.shared_reply("classify"))
        peer.publish(TOPICS.infer("classify"), b'{"text": "turn on", "id": 7, "transaction": "z"}')
        body = peer.next()[1]
        assert (body["id"], body["transaction"], body["status"], body["code"]) == ("7", "z", "ok", 200)
        assert body["data"]["label"] in tiny.LABELS
        peer.subscribe(peer.reply_topic)
        request = {"text": "turn on", "reply_to": peer.reply_topic}
        peer.publish(TOPICS.infer("classify"), json.dumps(request).encode())
        assert peer.next()[1]["status"] == "ok"
        peer.publish(TOPICS.infer("classify"), b"oops")
        assert peer.next()[1]["error"]["reason"] == "bad_request"
        peer.close()


def test_mosquitto_pub_and_sub_as_a_shell_user_types_them(bundles: list[Path]) -> None:
    with served.broker("mosquitto") as broker, served.daemon(broker.address, bundles):
        served.wait_online(broker.client_address)
        address = broker.client_address
        login = ["-h", address.host, "-p", str(address.port), "-u", address.username, "-P", address.password]
        # stdbuf: its words come at once, not at its end
        listen = [served.program("stdbuf"), "-oL", served.program("mosquitto_sub"), *login]
        listen += ["-d", "-C", "1", "-W", "10", "-t", TOPICS.shared_reply("+")]
        waiting = subprocess.Popen(listen, stdout=subprocess.PIPE)
        assert waiting.stdout is not None
        while b"SUBACK" not in waiting.stdout.readline():
            pass
        send = [served.program("mosquitto_pub"), *login, "-t", TOPICS.infer("classify"), "-m", '{"text": "turn on"}']
        subprocess.run(send, check=True, timeout=WAIT_S)
        output, _ = waiting.communicate(timeout=WAIT_S)
        reply = next(line for line in output.splitlines() if line.startswith(b"{"))
        assert json.loads(reply)["data"]["label"] in tiny.LABELS


def test_sigterm_says_offline_and_exits_with_0(broker: RunningBroker, bundles: list[Path]) -> None:
    peer = Peer(broker)
    with served.daemon(broker.address, bundles, EDGERT_DEVICE="other") as process:
        peer.subscribe(Topics("other").status)
        while peer.messages.get(timeout=WAIT_S).payload != b"online":
            pass
        process.send_signal(signal.SIGTERM)
        assert peer.messages.get(timeout=WAIT_S).payload == b"offline"
        assert process.wait(WAIT_S) == 0
    peer.close()


def test_a_killed_daemon_is_offline_and_a_new_one_answers(broker: RunningBroker, bundles: list[Path]) -> None:
    topics = Topics("crash")
    peer = Peer(broker)
    with served.daemon(broker.address, bundles, EDGERT_DEVICE="crash") as process:
        peer.subscribe(topics.status)
        while peer.messages.get(timeout=WAIT_S).payload != b"online":
            pass
        process.kill()
        process.wait(WAIT_S)
        while peer.messages.get(timeout=WAIT_S).payload != b"offline":
            pass
    with (
        served.daemon(broker.address, bundles, EDGERT_DEVICE="crash"),
        Client(broker.client_address, device="crash") as client,
    ):
        assert client.wait_online("crash", WAIT_S)
        assert client.infer("classify", "turn on").body["label"] in tiny.LABELS
    peer.close()


def test_refusals_reach_the_python_client_as_errors(broker: RunningBroker, hub: object) -> None:
    with Client(broker.client_address, device=served.DEVICE) as client:
        with pytest.raises(RemoteError, match="this model takes 64") as caught:
            client.infer("classify", "light " * 200)
        assert (caught.value.status, caught.value.code) == (413, "input_too_long")
        assert client.infer("classify", "light " * 200, truncate=True).body["truncated"]
        with pytest.raises(RemoteError, match="classify, embed"):
            client.infer("nothing", "x")
    with Client(broker.client_address) as client, pytest.raises(ModelNotFound):
        client.infer("nothing", "x", timeout_s=0.5)
    with Client(broker.client_address, device="nobody") as client, pytest.raises(RequestTimeout, match="offline"):
        client.infer("classify", "x", timeout_s=0.5)


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
def test_a_status_that_somebody_else_wrote_is_put_right(kind: Kind, bundles: list[Path]) -> None:
    with served.broker(kind) as broker, served.daemon(broker.address, bundles):
        served.wait_online(broker.client_address)
        vandal = Peer(broker, login=broker.address)
        vandal.subscribe(TOPICS.status)
        while vandal.messages.get(timeout=WAIT_S).payload != b"online":
            pass
        for payload in (b"", b"offline", b"broken"):
            vandal.publish(TOPICS.status, payload)
            while vandal.messages.get(timeout=WAIT_S).payload != b"online":
                pass
        vandal.close()
