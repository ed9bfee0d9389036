"""Find a broker or start one: by URL, else a private Mosquitto, else the embedded one, else say what to install."""

from __future__ import annotations

import dataclasses
import logging
import secrets
import shutil
import socket
import tempfile
import weakref
from pathlib import Path
from types import TracebackType
from typing import Literal

from edge_runtime.errors import NoBroker
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import embedded, mosquitto
from edge_runtime.mqtt.broker.child import Child, ChildFailed
from edge_runtime.mqtt.broker.probe import accepts
from edge_runtime.mqtt.topics import ROOT

log = logging.getLogger("edgert.mqtt")

Kind = Literal["given", "mosquitto", "embedded"]

DAEMON_USER, CLIENT_USER = "edgertd", "home"
READY_WITHIN_S = 10.0  # a board under load; 0.05 s to 0.5 s on an idle one
_REMEDIES = "run `apt install mosquitto` or `pip install 'edgert[broker]'`, or give a broker's URL"


class RunningBroker:
    """A broker that can be used until `stop()`, which ends it if it was started here. A context manager.

    Attributes:
        kind: `given` by URL, or started here: `mosquitto` or `embedded`.
        address: with the daemon's login.
        client_address: with the login that clients should use: they may ask, and read what concerns them.
    """

    def __init__(
        self,
        kind: Kind,
        address: BrokerAddress,
        client_address: BrokerAddress,
        *,
        child: Child | None = None,
        directory: Path | None = None,
    ) -> None:
        self.kind, self.address, self.client_address = kind, address, client_address
        self._child = child
        self._end = weakref.finalize(self, _end, child, directory)  # also at interpreter exit

    @property
    def pid(self) -> int | None:
        """Of the process started here, another one after a restart; None if there is none."""
        return self._child.pid if self._child else None

    def describe(self) -> str:
        """What it is, where, and what it cannot do, on one line and without passwords."""
        where = f"{self.address.host}:{self.address.port}"
        if self.kind == "mosquitto":
            return f"a private Mosquitto on {where} (pid {self.pid})"
        if self.kind == "embedded":
            return (
                f"the embedded broker on {where} (pid {self.pid}): MQTT 5 clients on this machine only, "
                "every user sees every topic; install Mosquitto for more"
            )
        return f"{self.address.display()}, as given"

    def stop(self) -> None:
        """End what was started here and remove its files; does nothing the second time."""
        self._end()

    def __enter__(self) -> RunningBroker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def start_broker(
    url: str | None = None, *, directory: Path | None = None, kind: Kind | None = None, root: str = ROOT
) -> RunningBroker:
    """Use the broker at `url`, or start one on a free loopback port that dies with this process.

    Args:
        url: then nothing is started or checked.
        directory: where the private directory of a started broker is made; the system's place for such by default.
        kind: start this one or fail, instead of trying in order.
        root: first levels of all topics, for Mosquitto's access list.

    Raises:
        UsageError: the URL cannot be read.
        NoBroker: none can be started; says what to install, or the broker's own last words.
    """
    if url is not None:
        address = BrokerAddress.parse(url)
        return RunningBroker("given", address, address)
    program = mosquitto.find()
    failures = []
    if program is not None and kind in (None, "mosquitto"):
        try:
            return _started("mosquitto", directory, root, program)
        except ChildFailed as error:
            failures.append(str(error))
            log.warning("%s", error)
    if embedded.is_installed() and kind in (None, "embedded"):
        try:
            return _started("embedded", directory, root, "")
        except ChildFailed as error:
            failures.append(str(error))
    what = f"{kind} is not installed here" if kind else "no broker was given and none is installed here"
    raise NoBroker("; ".join(failures) or f"{what}: {_REMEDIES}")


def _started(kind: Kind, parent: Path | None, root: str, program: str) -> RunningBroker:
    try:
        return _started_once(kind, parent, root, program)
    except ChildFailed as error:
        log.debug("trying again on another port, somebody may have taken this one first: %s", error)
        return _started_once(kind, parent, root, program)


def _started_once(kind: Kind, parent: Path | None, root: str, program: str) -> RunningBroker:
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="edgert-broker-", dir=parent))  # mode 0700
    passwords = {user: secrets.token_urlsafe(24) for user in (DAEMON_USER, CLIENT_USER)}
    address = BrokerAddress("mqtt", "127.0.0.1", _free_port(), "", DAEMON_USER, passwords[DAEMON_USER])
    client = dataclasses.replace(address, username=CLIENT_USER, password=passwords[CLIENT_USER])
    environment = None
    try:
        if kind == "mosquitto":
            command = mosquitto.prepare(program, directory, address.port, passwords, root)
        else:
            command, environment = embedded.prepare(directory, address.port, passwords), embedded.environment()
        child = Child(kind, command, directory / "log", environment=environment)
        child.start(lambda: accepts(address), READY_WITHIN_S)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return RunningBroker(kind, address, client, child=child, directory=directory)


def _free_port() -> int:
    """A loopback TCP port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _end(child: Child | None, directory: Path | None) -> None:
    if child is not None:
        child.stop()
    if directory is not None:
        shutil.rmtree(directory, ignore_errors=True)
