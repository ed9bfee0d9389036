"""A way to the broker that is cut: told apart from a broker that refuses, is busy, or gave our place to another."""

from __future__ import annotations

import errno
import logging
import socket
from typing import Any

import pytest
from paho.mqtt import client as paho

from edge_runtime.errors import BrokerUnreachable
from edge_runtime.mqtt import client
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.tcp import CUT_OFF, has_timed_out, says_nobody_listens
from tests.brokers import PlainMosquitto, wait_until
from tests.edge_runtime.mqtt.conftest import QUICK, Connect

HUB = BrokerAddress("mqtt", "127.0.0.1", 1)
CUT = [errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN]


class BrokenSocket:
    """A socket that the kernel has given up, with the number of its reason."""

    def __init__(self, number: int) -> None:
        self._number = number

    def getsockopt(self, level: int, option: int) -> int:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR)
        return self._number

    def send(self, data: bytes) -> int:
        raise OSError(self._number, "it failed")

    def recv(self, size: int) -> bytes:
        raise OSError(self._number, "it failed")


@pytest.mark.parametrize("number", CUT)
def test_whatever_the_kernel_calls_it_a_cut_connection_has_timed_out(number: int) -> None:
    broken: Any = BrokenSocket(number)
    assert has_timed_out(broken)


def test_a_connection_that_was_reset_has_not_timed_out() -> None:
    broken: Any = BrokenSocket(errno.ECONNRESET)
    assert not has_timed_out(broken)


@pytest.mark.parametrize("link_class", [client._FastLink, client._Link])
@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ECONNRESET])
@pytest.mark.parametrize("reads", [True, False])
def test_whoever_touches_a_cut_connection_first_is_told_why(
    link_class: type[client._Link], number: int, reads: bool
) -> None:
    link = link_class(HUB, "test")
    link._sock = BrokenSocket(number)  # type: ignore[assignment]
    with pytest.raises(OSError, match="it failed"):
        link._sock_recv(1) if reads else link._sock_send(b"x")
    assert link.broken == (CUT_OFF if number == errno.EHOSTUNREACH else "")
    link._sock = None


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, *CUT])
def test_a_broker_that_is_away_or_cannot_be_reached_is_asked_again_soon(number: int) -> None:
    assert says_nobody_listens(OSError(number, "it failed"))


@pytest.mark.parametrize(
    "error",
    [None, TimeoutError("the handshake timed out"), socket.gaierror(-2, "no such name"), PermissionError(13, "")],
)
def test_a_broker_that_has_too_much_to_do_or_a_wrong_name_is_not_asked_again_soon(error: Exception | None) -> None:
    assert not says_nobody_listens(error)


def test_a_connection_that_nobody_answers_counts_as_a_way_that_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: object) -> socket.socket:
        raise TimeoutError("timed out")

    monkeypatch.setattr(paho.Client, "_create_socket_connection", nobody)
    with pytest.raises(BrokerUnreachable, match="no answer in 5 s") as caught:
        client._Link(HUB, "test").dial()
    assert says_nobody_listens(caught.value.__cause__)


@pytest.mark.broker
def test_each_loss_has_its_line_in_the_log_even_if_the_reason_is_the_same(
    plain_mosquitto: PlainMosquitto, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    plain_mosquitto.start()
    connection = connect(plain_mosquitto.address, backoff_s=QUICK)
    for _ in range(2):
        plain_mosquitto.kill()
        wait_until("it is found missing", lambda: "refused" in str(connection.last_error))
        plain_mosquitto.start()
        assert connection.wait_ready(5)
        connection.last_error = None
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert sum("the broker closed the connection" in line for line in lines) == 2
    assert sum("connection refused" in line for line in lines) == 2  # and not once a try
