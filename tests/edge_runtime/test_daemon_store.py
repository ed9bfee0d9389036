"""A daemon with a store, on a real broker: bundles come and go while it answers, and no cut takes its model away."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime.bundle.container import bundle_file
from edge_runtime.bundle.container.keys import SigningKey, write_key_pair
from edge_runtime.bundle.store.state import STATE, Slots, state_from_bytes
from edge_runtime.bundle.target import Target
from edge_runtime.bundle.trust import add_key
from edge_runtime.client import Client
from edge_runtime.config import UpdatesConfig
from edge_runtime.errors import EdgertError
from edge_runtime.mqtt.broker import RunningBroker
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.homeassistant import HomeAssistant
from edge_runtime.mqtt.message import Message
from edge_runtime.pipeline import open_pipeline
from edge_runtime.updates.board_store import open_store
from tests import served, tiny
from tests.edge_runtime.test_daemon_control import TOPICS, Operator
from tests.edge_runtime.test_keeper import broken

pytestmark = pytest.mark.broker

WAIT_S = 60.0
KILLS = int(os.environ.get("KILLS", "12"))


class Files:
    """Signed bundle files of one model, and the key that is trusted."""

    def __init__(self, folder: Path) -> None:
        self.folder, key = folder, SigningKey.new("release")
        write_key_pair(folder, "key", key)
        add_key(folder / "trust", "key", key.public)
        for version in ("1.0.0", "2.0.0", "3.0.0"):
            tiny.write_bundle(folder / version, version=version)
        broken(folder / "3.0.0", folder / "wrong")
        for name in ("1.0.0", "2.0.0", "wrong"):
            bundle_file.build(folder / name, self.file(name), key, Target(("cpu",)))

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.edgert"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def broker() -> Iterator[RunningBroker]:
    with served.broker("mosquitto") as running:
        yield running


class Board:
    """A store, and the command line that changes it."""

    def __init__(self, files: Files, root: Path) -> None:
        self.files, self.root = files, root
        self.settings = {
            "EDGERT_STORE": str(root),
            "EDGERT_UPDATES_TRUST": str(files.folder / "trust"),
            "EDGERT_UPDATES_SETTLE_S": "0",
            "EDGERT_CONTROL_LOAD": "true",
        }

    def edgert(self, *words: object) -> subprocess.CompletedProcess[str]:
        command = [*served.EDGERT, *map(str, words), "--store", str(self.root)]
        environment = {**os.environ, **self.settings}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def install(self, name: str, *options: str) -> None:
        done = self.edgert("install", self.files.file(name), *options)
        assert done.returncode == 0, done.stderr

    @property
    def slots(self) -> Slots:
        return state_from_bytes((self.root / STATE).read_bytes()).models["tiny"]

    def wait_for(self, version: str) -> Slots:
        """Until the version is active and nothing is on trial."""
        end_s = time.monotonic() + WAIT_S
        while (slots := self.slots).trial is not None or slots.active is None or slots.active.version != version:
            assert time.monotonic() < end_s, slots
            time.sleep(0.05)  # another process writes the file
        return slots


@pytest.fixture
def board(files: Files, tmp_path: Path) -> Board:
    return Board(files, tmp_path / "store")


@pytest.fixture
def operator(broker: RunningBroker) -> Iterator[Operator]:
    made = Operator(broker)
    yield made
    made.close()


class Asker:
    """Asks without a pause, and keeps the versions that answered and what went wrong."""

    def __init__(self, broker: RunningBroker) -> None:
        self.versions: list[str] = []
        self.problems: list[EdgertError] = []
        self._broker, self._stopped = broker, threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        with Client(self._broker.client_address) as client:
            while not self._stopped.is_set():
                try:
                    self.versions.append(client.infer("tiny", "turn on the light", tries=1).body["version"])
                except EdgertError as error:
                    self.problems.append(error)
                    return

    def __enter__(self) -> Asker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(WAIT_S)


def test_bundles_are_exchanged_kept_and_taken_back_without_a_lost_request(
    broker: RunningBroker, operator: Operator, board: Board
) -> None:
    board.install("1.0.0")
    with served.daemon(broker.address, [], **board.settings):
        served.wait_online(broker.client_address)
        board.wait_for("1.0.0")
        operator.wait_for_version("tiny", "1.0.0")
        with Asker(broker) as asker:
            board.install("2.0.0")
            board.wait_for("2.0.0")
            operator.wait_for_version("tiny", "2.0.0")
            board.install("wrong")
            end_s = time.monotonic() + WAIT_S
            while board.slots.refused is None:
                assert time.monotonic() < end_s
                time.sleep(0.05)
            slots = board.wait_for("2.0.0")
            assert slots.refused is not None
            assert "golden_mismatch" in slots.refused.reason
            assert board.edgert("rollback", "tiny").stdout == "tiny: 1.0.0 is active\n"
            operator.wait_for_version("tiny", "1.0.0")
        assert asker.problems == []
        changes = [one for one, before in zip(asker.versions, ["", *asker.versions], strict=False) if one != before]
        assert [one for one in changes if one] == ["1.0.0", "2.0.0", "1.0.0"]
    status = json.loads(board.edgert("status", "--json").stdout)["models"]["tiny"]
    assert (status["active"]["version"], status["previous"]["version"]) == ("1.0.0", "2.0.0")


def test_home_assistant_sees_a_bundle_that_waits_and_installs_it(
    broker: RunningBroker, operator: Operator, board: Board
) -> None:
    board.install("1.0.0")
    discovery = HomeAssistant(TOPICS, "").topic
    with served.daemon(broker.address, [], **board.settings), Listening(broker, discovery) as home:
        board.wait_for("1.0.0")
        home.wait_until(lambda parts: '"1.0.0"' in parts["tiny_update"]["value_template"])
        board.install("2.0.0", "--wait")
        update = home.wait_until(lambda parts: '"2.0.0"' in parts["tiny_update"]["value_template"])["tiny_update"]
        assert board.slots.active.version == "1.0.0"  # type: ignore[union-attr]
        status, reply = operator.ask(update["command_topic"], **json.loads(update["payload_install"]))
        assert (status, reply) == (200, {"model": "tiny", "version": "2.0.0", "replaced": "1.0.0"})
        board.wait_for("2.0.0")
        status, reply = operator.ask(update["command_topic"], **json.loads(update["payload_install"]))
        assert (status, reply["error"]["reason"]) == (500, "nothing_there")


class Listening:
    """Hears the description of the device as Home Assistant does."""

    def __init__(self, broker: RunningBroker, topic: str) -> None:
        self._heard = threading.Condition()
        self._parts: dict[str, dict[str, str]] = {}
        self._connection = Connection(broker.address, "home", subscriptions=[(topic, 1)], on_message=self._receive)

    def _receive(self, message: Message) -> None:
        with self._heard:
            self._parts = json.loads(message.payload)["components"] if message.payload else {}
            self._heard.notify_all()

    def wait_until(self, holds: Callable[[dict[str, dict[str, str]]], bool]) -> dict[str, dict[str, str]]:
        with self._heard:
            found = self._heard.wait_for(lambda: "tiny_update" in self._parts and holds(self._parts), WAIT_S)
            assert found, self._parts
            return self._parts

    def __enter__(self) -> Listening:
        self._connection.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.stop()


def test_a_daemon_with_an_empty_store_waits_for_its_first_bundle(
    broker: RunningBroker, operator: Operator, board: Board, capfd: pytest.CaptureFixture[str]
) -> None:
    with served.daemon(broker.address, [], **board.settings):
        served.wait_online(broker.client_address)
        assert operator.tell("list")[1] == {"models": []}
        board.install("1.0.0")
        operator.wait_for_version("tiny", "1.0.0")
    assert "answers for nothing yet" in capfd.readouterr().err


def test_a_reload_leaves_the_models_of_the_store(broker: RunningBroker, operator: Operator, board: Board) -> None:
    board.install("1.0.0")
    with served.daemon(broker.address, [], **board.settings) as process:
        board.wait_for("1.0.0")
        operator.wait_for_version("tiny", "1.0.0")
        process.send_signal(signal.SIGHUP)
        board.install("2.0.0")  # comes after the reload on the keeper's thread
        operator.wait_for_version("tiny", "2.0.0")


def test_installing_and_trying_may_be_killed_at_any_moment(broker: RunningBroker, board: Board) -> None:
    """`kill -9` of whoever installs and of the daemon; then a daemon serves one of the two whole, every time."""
    rng = random.Random(11)
    board.install("1.0.0")
    with served.daemon(broker.address, [], **board.settings):
        board.wait_for("1.0.0")
    for _ in range(KILLS):
        working = board.root.with_name("cut")
        shutil.rmtree(working, ignore_errors=True)
        shutil.copytree(board.root, working)
        cut = Board(board.files, working)
        _killed(cut, [*served.EDGERT, "install", cut.files.file("2.0.0")], rng.uniform(0.2, 1.2))
        _killed(
            cut, [*served.EDGERT, "serve", "--broker", broker.address.url(), "--device", "other"], rng.uniform(0.5, 4)
        )
        assert serves(working, board.files.folder / "trust") in ("1.0.0", "2.0.0")


def _killed(board: Board, command: list[object], after_s: float) -> None:
    """Let a command run so long; that it ended before by itself is no mistake, but that it refused is."""
    process = subprocess.Popen(
        list(map(str, command)),
        env={**os.environ, **board.settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.returncode in (0, -signal.SIGKILL)


def serves(root: Path, trust: Path) -> str:
    """The version of what a daemon would serve first; checked whole."""
    store, views = open_store(root, UpdatesConfig(trust=str(trust)))
    active = store.slots("tiny").active
    assert active is not None
    return open_pipeline(views.folder(store.check(active.digest))).manifest.version
