"""A broker whose administrator changes passwords and rights while we are connected."""

from __future__ import annotations

import logging
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker.probe import accepts
from edge_runtime.mqtt.message import Message
from tests.brokers import Inbox, PlainMosquitto, wait_until
from tests.edge_runtime.mqtt.conftest import QUICK, Connect

pytestmark = pytest.mark.broker

ALL, NOT_OURS = "topic readwrite #", "topic readwrite #\ntopic deny a/secret"


class Administered:
    """A Mosquitto with one user, `hub`, and rights that can be changed while it runs."""

    def __init__(self, server: PlainMosquitto, folder: Path) -> None:
        self._server, self._passwords, self._rights = server, folder / "passwords", folder / "acl"
        self.set_rights(ALL)
        self.set_password("first")
        server.start()  # which waits until it lets everybody in
        server.set("allow_anonymous false", f"password_file {self._passwords}", f"acl_file {self._rights}")
        self.reread()
        wait_until("it lets nobody in without a login", lambda: not accepts(server.address))
        self.address = self.address_with("first")

    def address_with(self, password: str) -> BrokerAddress:
        address = self._server.address
        return BrokerAddress("mqtt", address.host, address.port, username="hub", password=password)

    def set_password(self, password: str) -> None:
        program = shutil.which("mosquitto_passwd")
        if program is None:
            pytest.skip("mosquitto_passwd is not installed: apt install mosquitto")
        self._passwords.write_text(f"hub:{password}\n", encoding="utf-8")
        self._passwords.chmod(0o600)
        subprocess.run([program, "-U", str(self._passwords)], check=True, capture_output=True)

    def set_rights(self, lines: str) -> None:
        self._rights.write_text(f"user hub\n{lines}\n", encoding="utf-8")
        self._rights.chmod(0o600)

    def reread(self) -> None:
        process = self._server._process
        assert process is not None
        process.send_signal(signal.SIGHUP)


@pytest.fixture
def administered(plain_mosquitto: PlainMosquitto, tmp_path: Path) -> Administered:
    return Administered(plain_mosquitto, tmp_path)


def test_a_password_that_is_changed_while_connected_is_named_and_when_it_is_right_again_all_is_well(
    administered: Administered, connect: Connect
) -> None:
    inbox = Inbox()
    connection = connect(administered.address, subscriptions=[("a/#", 1)], on_message=inbox, backoff_s=QUICK)
    administered.set_password("second")
    administered.reread()
    wait_until("the wrong password is named", lambda: "wrong user name or password" in str(connection.last_error))
    assert "first" not in str(connection.last_error)
    used_s, begun_s = time.process_time(), time.monotonic()
    assert not connection.wait_ready(0.5)
    assert time.process_time() - used_s < 0.5 * (time.monotonic() - begun_s)  # it is not tried in a loop
    administered.set_password("first")
    administered.reread()
    assert connection.wait_ready(5), connection.last_error
    connection.publish(Message("a/x", b"x", qos=1))
    assert inbox.get().payload == b"x"


def test_a_right_that_is_taken_away_is_counted_and_named_and_the_rest_goes_on(
    administered: Administered, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox()
    connection = connect(administered.address, subscriptions=[("a/#", 1)], on_message=inbox)
    administered.set_rights(NOT_OURS)
    administered.reread()

    def refused() -> int:
        connection.publish(Message("a/secret", b"x", qos=1))
        connection.flush(2)
        return connection.counters.refused

    with caplog.at_level(logging.WARNING, "edgert.mqtt"):
        wait_until("it is refused", refused)
        wait_until("it is named", lambda: "to a/secret: not authorized (0x87)" in caplog.text)
    assert connection.ready
    connection.publish(Message("a/open", b"y", qos=1))
    while (found := inbox.get()).topic != "a/open":
        pass
    assert found.payload == b"y"
