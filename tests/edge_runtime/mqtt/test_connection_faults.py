"""What goes wrong between a connection and a real broker: crashes, silence, wrong logins, thieves of the id."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from edge_runtime.mqtt import client
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import RunningBroker
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.message import Message
from tests.brokers import Inbox, PlainMosquitto, free_port, resident_kb, wait_until
from tests.edge_runtime.mqtt.conftest import QUICK, Connect

pytestmark = pytest.mark.broker


def test_a_killed_broker_is_back_within_five_seconds_with_every_subscription(
    plain_mosquitto: PlainMosquitto, connect: Connect
) -> None:
    plain_mosquitto.start()
    inbox, announced = Inbox(), []
    connection = connect(
        plain_mosquitto.address,
        subscriptions=[("a/#", 1), ("b/+", 0)],
        on_message=inbox,
        on_ready=lambda: announced.append(1),
    )
    plain_mosquitto.kill()
    wait_until("the loss is noticed", lambda: not connection.ready)
    assert not connection.publish(Message("a/x", b"lost"))
    plain_mosquitto.start()
    assert connection.wait_ready(5), connection.last_error
    for topic in ("a/x", "b/x"):
        assert connection.publish(Message(topic, b"found"))
        assert inbox.get() == Message(topic, b"found")
    assert (connection.counters.reconnects, len(announced), connection.counters.dropped) == (1, 2, 1)


def test_a_broker_that_comes_later_is_found(plain_mosquitto: PlainMosquitto, connect: Connect) -> None:
    connection = connect(plain_mosquitto.address, wait=False)
    wait_until("the first try fails", lambda: connection.last_error)
    assert "connection refused" in str(connection.last_error)
    assert not connection.publish(Message("x", b""))
    plain_mosquitto.start()
    assert connection.wait_ready(5)
    assert connection.counters.reconnects == 0


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mqtt://nobody.invalid", "cannot be resolved"),
        ("unix:///nowhere/mqtt.sock", "No such file"),
        ("mqtts://127.0.0.1:{port}?ca=/nowhere/ca.crt", "No such file"),
        ("mqtt://127.0.0.1:{port}", "connection refused"),
    ],
)
def test_a_broker_that_is_not_there_is_named_and_tried_again(connect: Connect, url: str, complaint: str) -> None:
    address = BrokerAddress.parse(url.format(port=free_port()))
    connection = connect(address, wait=False, backoff_s=QUICK)
    wait_until("a reason is given", lambda: connection.last_error)
    assert complaint in str(connection.last_error)
    assert address.display() in str(connection.last_error)
    assert connection.alive


def test_a_wrong_password_is_named_and_not_tried_in_a_loop(broker: RunningBroker, connect: Connect) -> None:
    address = dataclasses.replace(broker.address, password="hunter2")
    connection = connect(address, wait=False)
    wait_until("a reason is given", lambda: connection.last_error)
    assert "wrong user" in str(connection.last_error)
    assert "hunter2" not in str(connection.last_error)
    used = time.process_time()
    assert not connection.wait_ready(0.5)
    assert time.process_time() - used < 0.1  # a loop would take all of it


def test_mosquitto_s_refusal_of_a_login_waits_long(private_mosquitto: RunningBroker, connect: Connect) -> None:
    address = dataclasses.replace(private_mosquitto.address, password="wrong")
    connection = connect(address, wait=False, backoff_s=(0.2, 30.0))
    wait_until("a reason is given", lambda: connection.last_error)
    assert not connection.wait_ready(1.0)  # the first delay is 8 times the usual one
    assert "0x86" in str(connection.last_error) or "0x87" in str(connection.last_error)


def test_while_the_broker_is_away_everything_is_dropped_and_memory_stays(
    plain_mosquitto: PlainMosquitto, connect: Connect
) -> None:
    plain_mosquitto.start()
    inbox = Inbox()
    connection = connect(plain_mosquitto.address, subscriptions=[("#", 1)], on_message=inbox, backoff_s=QUICK)
    plain_mosquitto.kill()
    wait_until("the loss is noticed", lambda: not connection.ready)
    before_kb = resident_kb()
    for number in range(20_000):
        assert not connection.publish(Message("x", b"%d" % number + bytes(1000), qos=number % 2))
    assert resident_kb() - before_kb < 8_000
    plain_mosquitto.start()
    assert connection.wait_ready(5)
    connection.publish(Message("x", b"now", qos=1))
    assert inbox.get().payload == b"now"  # and nothing of what was published before
    assert connection.counters.dropped == 20_000


@pytest.mark.parametrize("qos", [0, 1])
def test_a_broker_that_stands_still_is_noticed_and_never_makes_memory_grow(
    plain_mosquitto: PlainMosquitto, connect: Connect, qos: int
) -> None:
    plain_mosquitto.start()
    connection = connect(plain_mosquitto.address, max_queued=50, backoff_s=QUICK)
    plain_mosquitto.pause()
    before_kb = resident_kb()
    deadline = time.monotonic() + 7.5
    while connection.ready and time.monotonic() < deadline:
        begun = time.monotonic()
        for _ in range(50):
            connection.publish(Message("x", bytes(100_000), qos=qos))
        assert time.monotonic() - begun < 1.0  # never blocks
        time.sleep(0.02)
    assert not connection.ready, "a dead connection must not look ready"
    assert resident_kb() - before_kb < 30_000  # 50 of 100 kB, some copies
    assert connection.counters.dropped > 500


def test_an_idle_connection_to_a_broker_that_stands_still_is_noticed_by_keep_alive(
    plain_mosquitto: PlainMosquitto, connect: Connect
) -> None:
    plain_mosquitto.start()
    connection = connect(plain_mosquitto.address, keepalive_s=2)
    plain_mosquitto.pause()
    wait_until("the silence is noticed", lambda: not connection.ready, 7)
    wait_until("a reason is given", lambda: connection.last_error)
    assert "keep-alive" in str(connection.last_error)


def test_two_clients_with_one_id_say_so_and_stop_fighting(broker: RunningBroker, connect: Connect) -> None:
    pair = [connect(broker.address, "same", wait=False, backoff_s=QUICK) for _ in range(2)]
    wait_until("a fight is seen", lambda: any(each.counters.takeovers for each in pair))
    seer = next(each for each in pair if each.counters.takeovers)
    assert "another client uses the id 'same'" in str(seer.last_error)


def test_a_restarting_broker_is_not_taken_for_a_fight(plain_mosquitto: PlainMosquitto, connect: Connect) -> None:
    plain_mosquitto.start()
    connection = connect(plain_mosquitto.address, backoff_s=(0.2, 0.2))
    for _ in range(4):
        plain_mosquitto.kill()
        wait_until("it is found missing", lambda: "refused" in str(connection.last_error))
        plain_mosquitto.start()
        assert connection.wait_ready(5)
        connection.last_error = None
    assert (connection.counters.takeovers, connection.counters.reconnects) == (0, 4)


def test_a_broker_that_crashes_again_and_again_is_served_at_once_each_time(
    plain_mosquitto: PlainMosquitto, connect: Connect
) -> None:
    """Restarted before the next try to connect, it is never found missing: so it must not look like a fight."""
    plain_mosquitto.start()
    connection = connect(plain_mosquitto.address)
    for crash in range(1, 5):
        plain_mosquitto.kill()
        wait_until("the loss is noticed", lambda: not connection.ready)
        wait_until("a reason is given", lambda: connection.last_error)
        plain_mosquitto.start()
        back_at = time.monotonic()
        assert connection.wait_ready(5), connection.last_error
        assert time.monotonic() - back_at < 2.0
        assert (connection.counters.takeovers, connection.counters.reconnects) == (0, crash)
        connection.last_error = None


@contextlib.contextmanager
def many_open_files(count: int) -> Iterator[None]:
    """So many descriptors that the next ones are above what select() can take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"needs {wanted} open files, the hard limit here is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    descriptors = []
    try:
        descriptors = [os.open(os.devnull, os.O_RDONLY) for _ in range(count)]
        yield
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_it_works_with_more_than_1024_open_files(broker: RunningBroker, connect: Connect) -> None:
    inbox = Inbox()
    with many_open_files(1100):
        connection = connect(broker.address, subscriptions=[("edgert/v1/#", 1)], on_message=inbox)
        connection.publish(Message("edgert/v1/x", b"x", qos=1))
        assert inbox.get().payload == b"x"
        connection.stop()


def test_a_message_over_the_limit_is_kept_out(broker: RunningBroker, connect: Connect) -> None:
    """Mosquitto drops it, as MQTT demands; the embedded broker sends it, so the connection is ended and made again."""
    inbox = Inbox()
    small = connect(
        broker.address,
        "small",
        subscriptions=[("edgert/v1/#", 1)],
        on_message=inbox,
        max_packet_bytes=10_000,
        backoff_s=QUICK,
    )
    large = connect(broker.address, "large")
    large.publish(Message("edgert/v1/x", bytes(50_000), qos=1))
    assert large.flush(2)
    if broker.kind == "embedded":
        wait_until("the reason is given", lambda: "at most 10000" in str(small.last_error))
        assert small.wait_ready(5)
    large.publish(Message("edgert/v1/x", b"fits", qos=1))
    assert inbox.get().payload == b"fits"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A throw-away authority, a certificate for 127.0.0.1 of it, and another authority."""
    folder = tmp_path_factory.mktemp("tls")
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    try:
        for name in ("server", "other"):
            files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")]
            subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
            subprocess.run([*make, *files, *subject], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return folder


@pytest.fixture
def tls_mosquitto(plain_mosquitto: PlainMosquitto, certificates: Path) -> BrokerAddress:
    """Mosquitto with TLS; its address without an authority."""
    port, files = free_port(), certificates / "server"
    plain_mosquitto.set(f"listener {port} 127.0.0.1", f"certfile {files}.crt", f"keyfile {files}.key")
    plain_mosquitto.start()
    return BrokerAddress("mqtts", "127.0.0.1", port)


def test_tls_works_with_the_right_authority(tls_mosquitto: BrokerAddress, certificates: Path, connect: Connect) -> None:
    inbox = Inbox()
    address = dataclasses.replace(tls_mosquitto, ca_file=str(certificates / "server.crt"))
    connection = connect(address, subscriptions=[("#", 1)], on_message=inbox)
    for size in (10, 20_000, 1_000_000):
        connection.publish(Message("x", bytes(size), qos=1))
        assert len(inbox.get().payload) == size
    begun = time.monotonic()
    connection.stop(farewell=[Message("x", b"bye", qos=1)])
    assert time.monotonic() - begun < 2


def test_tls_refuses_another_authority_and_says_what_to_do(
    tls_mosquitto: BrokerAddress, certificates: Path, connect: Connect
) -> None:
    address = dataclasses.replace(tls_mosquitto, ca_file=str(certificates / "other.crt"))
    connection = connect(address, wait=False)
    wait_until("a reason is given", lambda: connection.last_error)
    assert "not trusted" in str(connection.last_error)
    assert "?ca=" in str(connection.last_error)


@pytest.mark.parametrize("scheme", ["mqtts", "unix"])
@pytest.mark.parametrize("link_class", [client._FastLink, client._Link])
def test_a_broker_that_stands_still_is_not_dialled_for_ever(
    tmp_path: Path,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    scheme: Literal["mqtts", "unix"],
    link_class: type[client._Link],
) -> None:
    monkeypatch.setattr(client, "_link_class", lambda: link_class)
    monkeypatch.setattr(client, "CONNECT_WITHIN_S", 0.2)
    with contextlib.ExitStack() as open_sockets:
        if scheme == "mqtts":
            listener = open_sockets.enter_context(socket.create_server(("127.0.0.1", 0)))
            address = BrokerAddress(scheme, "127.0.0.1", listener.getsockname()[1])
        else:
            listener = open_sockets.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(tmp_path / "sock"))
            listener.listen(0)
            waiting = open_sockets.enter_context(socket.socket(socket.AF_UNIX))
            waiting.connect(str(tmp_path / "sock"))  # now its queue is full
            address = BrokerAddress(scheme, path=str(tmp_path / "sock"))
        connection = connect(address, wait=False)
        wait_until("a reason is given", lambda: connection.last_error)
    complaint = "no answer in 0.2 s" if scheme == "mqtts" else "takes no more connections"
    assert complaint in str(connection.last_error)


def test_a_stop_while_the_broker_is_away_takes_no_time(connect: Connect) -> None:
    connection = connect(BrokerAddress("mqtt", "127.0.0.1", free_port()), wait=False)
    wait_until("the first try fails", lambda: connection.last_error)
    begun = time.monotonic()
    connection.stop(farewell=[Message("x", b"")])
    assert time.monotonic() - begun < 1
    assert not connection.alive


def test_a_slow_callback_of_another_connection_holds_nobody_up(
    private_mosquitto: RunningBroker, connect: Connect
) -> None:
    inbox, release = Inbox(), threading.Event()
    connect(private_mosquitto.address, "slow", subscriptions=[("edgert/v1/#", 1)], on_message=lambda _: release.wait(5))
    quick: Connection = connect(
        private_mosquitto.address, "quick", subscriptions=[("edgert/v1/#", 1)], on_message=inbox
    )
    quick.publish(Message("edgert/v1/x", b"x", qos=1))
    assert inbox.get().payload == b"x"
    release.set()
