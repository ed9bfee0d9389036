"""The client with several devices: whom it asks, when it asks another one, streams, and calling off."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from edge_runtime.client import Chunk, Client
from edge_runtime.client.answer import StreamOrder
from edge_runtime.client.boards import LOAD_VALID_S, Boards, Load, choose, expected_ms
from edge_runtime.errors import Busy, Cancelled, Draining, RemoteError, RequestTimeout, StreamGap, UsageError
from edge_runtime.mqtt.broker import RunningBroker
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.contract import Address, encode_answer, encode_chunk, encode_error, parse_request
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import ROOT, Topics
from tests.brokers import wait_until

Action = Callable[[Address], list[Message]]


class Board:
    """A device that offers model `m`; `script` holds one action a request, the last one stays."""

    def __init__(
        self, broker: RunningBroker, name: str, *script: Action, load: dict[str, object] | None = None
    ) -> None:
        self.topics = Topics(name, group="all")
        self.ids: list[str | None] = []
        self.cancelled: list[str] = []
        self.asked = threading.Event()
        self._script = list(script or [answer])
        self.connection = Connection(
            broker.address,
            f"board-{name}",
            subscriptions=[(self.topics.requests, 1), (self.topics.group_requests, 1)],
            on_message=self._answer,
        )
        self.connection.start()
        assert self.connection.wait_ready(10)
        self.say(self.topics.model("m"), b"{}")
        if load is not None:
            self.say(self.topics.load, json.dumps(load).encode())
        self.say(self.topics.status, b"online")

    def say(self, topic: str, payload: bytes) -> None:
        assert self.connection.publish(Message(topic, payload, qos=1, retain=True))
        assert self.connection.flush(5)

    def _answer(self, message: Message) -> None:
        if self.topics.verb_of(message.topic) == "cancel":
            self.cancelled.append(json.loads(message.payload)["id"])
            body = b'{"cancelled":true}'
            reply = Message(message.response_topic or "", body, 1, correlation=message.correlation)
            self.connection.publish(reply)
            return
        request = parse_request(message, self.topics, 1 << 20)
        self.ids.append(request.id)
        action = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        for reply in action(request.address):
            self.connection.publish(reply)
        self.asked.set()


def answer(address: Address) -> list[Message]:
    return [encode_answer(address, b'{"label":"on"}', {"queue-us": 1, "infer-us": 2})]


def silence(address: Address) -> list[Message]:
    return []


def busy(address: Address) -> list[Message]:
    return [encode_error(address, Busy(3, retry_after_ms=60_000))]


def draining(address: Address) -> list[Message]:
    return [encode_error(address, Draining("shutting down"))]


def pieces(*numbers: int, last: int | None = None) -> Action:
    return lambda address: [
        encode_chunk(address, b'{"n":%d}' % number, number, last=number == last) for number in numbers
    ]


MakeBoard = Callable[..., Board]


@pytest.fixture
def board(private_mosquitto: RunningBroker) -> Iterator[MakeBoard]:
    made: list[Board] = []

    def make(name: str, *script: Action, load: dict[str, object] | None = None) -> Board:
        made.append(Board(private_mosquitto, name, *script, load=load))
        return made[-1]

    yield make
    for each in made:
        each.connection.stop(timeout_s=0.5)


@pytest.fixture
def client(private_mosquitto: RunningBroker) -> Iterator[Client]:
    with Client(private_mosquitto.client_address) as made:
        yield made


def seen(client: Client, count: int) -> None:
    """Until the client knows so many devices."""
    wait_until("the client knows the devices", lambda: sum(found.online for found in client.models()) >= count)


# --- whom to ask -------------------------------------------------------------------------------------------------


def test_the_expected_time_is_that_of_the_requests_before_and_of_ones_own() -> None:
    loads = {"idle": Load(0, 1, 10.0), "busy": Load(9, 1, 10.0), "wide": Load(9, 2, 10.0)}
    assert expected_ms(loads, {}) == {"idle": 10.0, "busy": 100.0, "wide": 50.0}
    assert expected_ms(loads, {"idle": 4})["idle"] == 50.0


def test_what_is_not_known_counts_as_the_middle() -> None:
    loads = {"quick": Load(0, 1, 1.0), "middle": Load(0, 1, 10.0), "slow": Load(0, 1, 100.0), "new": None}
    assert expected_ms(loads, {})["new"] == 10.0
    assert expected_ms({"new": None, "other": None}, {}) == {"new": 1.0, "other": 1.0}
    assert expected_ms({**loads, "fresh": Load(0, 1, None)}, {})["fresh"] == 10.0


def test_of_two_devices_the_better_one_is_taken_and_of_many_the_worst_one_never() -> None:
    chance = random.Random(1)
    assert {choose({"a": 2.0, "b": 1.0}, chance) for _ in range(50)} == {"b"}
    taken = Counter(choose({name: float(number) for number, name in enumerate("abcdef")}, chance) for _ in range(600))
    assert "f" not in taken
    assert len(taken) == 5  # spread, so that many clients do not all rush to one


@pytest.mark.parametrize(
    "document",
    [{}, {"queued": -1, "running": 0, "workers": 1}, {"queued": "x", "running": 0, "workers": 1}, {"queued": 1e99}],
)
def test_a_load_that_cannot_be_read_is_not_known(document: dict[str, object]) -> None:
    assert Load.of(document) is None


def test_an_old_load_is_not_believed() -> None:
    now = [0.0]
    boards = Boards(ROOT, clock=lambda: now[0])
    for name, queued in (("idle", 0), ("busy", 50)):
        topics = Topics(name)
        boards.take(topics.model("m"), b"{}")
        boards.take(topics.status, b"online")
        document = {"queued": queued, "running": 0, "workers": 1, "p50_ms": 5}
        boards.take(topics.load, json.dumps(document).encode())
    assert {boards.pick("m", (), 0) for _ in range(40)} == {"idle"}
    now[0] = LOAD_VALID_S
    assert {boards.pick("m", (), 0) for _ in range(40)} == {"idle", "busy"}


@pytest.mark.broker
def test_the_board_with_less_to_do_is_asked(board: MakeBoard, client: Client) -> None:
    board("idle", load={"queued": 0, "running": 0, "workers": 1, "p50_ms": 3.0})
    full = board("full", load={"queued": 20, "running": 1, "workers": 1, "p50_ms": 3.0})
    seen(client, 2)
    assert {client.infer("m", "x").device for _ in range(10)} == {"idle"}
    assert not full.ids


# --- another one -------------------------------------------------------------------------------------------------


@pytest.mark.broker
@pytest.mark.parametrize("refusal", [busy, draining])
def test_a_refusal_sends_the_request_to_another_board_at_once_with_the_same_id(
    board: MakeBoard, client: Client, refusal: Action
) -> None:
    first = board("first", refusal, load={"queued": 0, "running": 0, "workers": 1, "p50_ms": 1.0})
    second = board("second", load={"queued": 9, "running": 0, "workers": 1, "p50_ms": 1.0})
    seen(client, 2)
    begun = time.monotonic()
    assert client.infer("m", "x", timeout_s=10).device == "second"
    assert time.monotonic() - begun < 2  # not the 60 s that the first one named
    assert first.ids == second.ids


@pytest.mark.broker
def test_a_board_that_is_silent_costs_its_share_of_the_time_and_no_more(board: MakeBoard, client: Client) -> None:
    first = board("first", silence, load={"queued": 0, "running": 0, "workers": 1, "p50_ms": 1.0})
    second = board("second", load={"queued": 9, "running": 0, "workers": 1, "p50_ms": 1.0})
    seen(client, 2)
    assert client.infer("m", "x", timeout_s=1.5, tries=3).device == "second"
    assert first.ids == second.ids


@pytest.mark.broker
def test_a_board_that_goes_offline_is_not_waited_for(board: MakeBoard, client: Client) -> None:
    first = board("first", silence, load={"queued": 0, "running": 0, "workers": 1, "p50_ms": 1.0})
    board("second", load={"queued": 9, "running": 0, "workers": 1, "p50_ms": 1.0})
    seen(client, 2)

    def die() -> None:
        first.asked.wait(5)
        first.say(first.topics.status, b"offline")

    thread = threading.Thread(target=die)
    thread.start()
    begun = time.monotonic()
    assert client.infer("m", "x", timeout_s=30).device == "second"
    assert time.monotonic() - begun < 5  # its share were 10 s
    thread.join()


@pytest.mark.broker
def test_a_late_answer_of_the_first_board_counts_too(board: MakeBoard, client: Client) -> None:
    late: list[Address] = []

    def later(address: Address) -> list[Message]:
        late.append(address)
        return []

    first = board("first", later, load={"queued": 0, "running": 0, "workers": 1})

    def then(address: Address) -> list[Message]:
        for message in answer(late[0]):
            first.connection.publish(message)
        return []

    board("second", then, load={"queued": 9, "running": 0, "workers": 1})
    seen(client, 2)
    assert client.infer("m", "x", timeout_s=3, tries=3).body == {"label": "on"}


@pytest.mark.broker
def test_all_boards_busy_is_reported_as_busy(board: MakeBoard, client: Client) -> None:
    short = lambda address: [encode_error(address, Busy(3, retry_after_ms=5))]  # noqa: E731
    boards = [board("first", short), board("second", short)]
    seen(client, 2)
    with pytest.raises(RemoteError) as caught:
        client.infer("m", "x", timeout_s=5, tries=4)
    assert caught.value.status == 429
    assert sorted(len(each.ids) for each in boards) in ([1, 3], [2, 2])


@pytest.mark.broker
def test_a_group_is_asked_through_the_broker_and_the_answer_says_who_it_was(board: MakeBoard, client: Client) -> None:
    boards = [board("first"), board("second")]
    devices = {client.infer("m", "x", group="all").device for _ in range(6)}
    assert devices == {"first", "second"}
    assert sum(len(each.ids) for each in boards) == 6
    with pytest.raises(UsageError, match="group"):
        client.infer("m", "x", group="a/b")


@pytest.mark.broker
def test_a_board_that_connects_anew_is_asked_again_without_waiting(board: MakeBoard, client: Client) -> None:
    first = board("first", silence, answer)
    seen(client, 1)

    def come_back() -> None:
        first.asked.wait(5)
        first.say(first.topics.status, b"online")

    thread = threading.Thread(target=come_back)
    thread.start()
    begun = time.monotonic()
    client.infer("m", "x", timeout_s=30)
    assert time.monotonic() - begun < 5
    assert len(set(first.ids)) == 1
    thread.join()


@pytest.mark.broker
def test_a_message_that_cannot_be_sent_is_sent_as_soon_as_it_can(
    board: MakeBoard, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    board("first")
    seen(client, 1)
    publish, results = client._connection.publish, [False, False]
    monkeypatch.setattr(client._connection, "publish", lambda message: results.pop() if results else publish(message))
    begun = time.monotonic()
    client.infer("m", "x", timeout_s=30)
    assert time.monotonic() - begun < 5


# --- streams -----------------------------------------------------------------------------------------------------


@pytest.mark.broker
def test_a_stream_gives_its_pieces_in_order(board: MakeBoard, client: Client) -> None:
    board("first", pieces(0, 1, 2, last=2))
    chunks = list(client.stream("m", {"text": "x"}))
    assert [(chunk.seq, chunk.body["n"], chunk.last, chunk.device) for chunk in chunks] == [
        (0, 0, False, "first"),
        (1, 1, False, "first"),
        (2, 2, True, "first"),
    ]


@pytest.mark.broker
@pytest.mark.parametrize("script", [pieces(0, 2, last=2), pieces(0)])
def test_a_missing_piece_is_a_gap_and_the_rest_is_called_off(board: MakeBoard, client: Client, script: Action) -> None:
    first = board("first", script)
    heard: list[Chunk] = []
    with pytest.raises(StreamGap) as caught:
        heard.extend(client.stream("m", {"text": "x"}, timeout_s=0.5, request_id="s1"))
    assert caught.value.received == 1
    wait_until("it is called off", lambda: first.cancelled)
    assert first.cancelled == ["s1"]


@pytest.mark.broker
def test_leaving_a_stream_early_calls_it_off(board: MakeBoard, client: Client) -> None:
    first = board("first", pieces(0, 1))
    stream = client.stream("m", {"text": "x"}, request_id="s2")
    next(stream)
    with contextlib.closing(stream):  # type: ignore[type-var]
        pass
    wait_until("it is called off", lambda: first.cancelled == ["s2"])


@pytest.mark.broker
def test_a_stream_ends_with_the_device_s_error(board: MakeBoard, client: Client) -> None:
    board("first", lambda address: [*pieces(0)(address), encode_error(address, Cancelled("called off"))])
    stream = client.stream("m", {"text": "x"})
    next(stream)
    with pytest.raises(RemoteError) as caught:
        next(stream)
    assert caught.value.status == 409


def piece(seq: str) -> Message:
    return Message("r", b'{"n":1}', user=(("status", "200"), ("seq", seq)))


def test_a_piece_that_comes_twice_is_taken_once() -> None:
    order = StreamOrder()
    taken = [order.take(piece(seq), "hub") for seq in ("0", "1", "1", "0", "2")]
    assert [chunk.seq for chunk in taken if chunk] == [0, 1, 2]


def test_a_number_that_is_none_is_an_error_of_the_device() -> None:
    with pytest.raises(RemoteError, match="numbers a piece"):
        StreamOrder().take(piece("-1"), "hub")


@pytest.mark.broker
def test_a_request_is_called_off_where_it_is(board: MakeBoard, client: Client) -> None:
    first, second = board("first", silence), board("second", silence)
    seen(client, 2)
    ended: list[Exception] = []

    def ask() -> None:
        try:
            client.infer("m", "x", timeout_s=1, tries=1, request_id="7")
        except RequestTimeout as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until("a board is asked", lambda: first.ids or second.ids)
    assert client.cancel("7")
    asked, other = (first, second) if first.ids else (second, first)
    assert (asked.cancelled, other.cancelled) == (["7"], [])
    thread.join()
    assert ended  # these boards never answer; edgert's own say 409
