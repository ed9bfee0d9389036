"""What `edgert broker init` writes, and that a real Mosquitto does with it what it promises."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import os
import shutil
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_runtime.commands.broker import broker as broker_command
from edge_runtime.config import load_config
from edge_runtime.errors import OpensslFailed, UsageError
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import mosquitto
from edge_runtime.mqtt.broker.probe import accepts
from edge_runtime.mqtt.broker_setup import BrokerPlan, User, write_setup
from edge_runtime.mqtt.broker_setup.certificates import Authority
from edge_runtime.mqtt.broker_setup.files import address_for, folder_of
from edge_runtime.mqtt.broker_setup.passwords import password_line
from edge_runtime.mqtt.broker_setup.texts import acl_text, config_text
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from tests.brokers import NEED_MOSQUITTO, Inbox, free_port, wait_until
from tests.edge_runtime.mqtt.conftest import QUICK, Connect

Join = Callable[..., tuple[Connection, Inbox]]
KITCHEN, HALL = Topics("kitchen"), Topics("hall")


def plan_in(folder: Path, *, by_certificate: bool = False) -> BrokerPlan:
    users = (User("panel", ("intents",)), User("guest"), User("ops", role="admin"), User("ha", role="home-assistant"))
    hosts, devices = ("127.0.0.1", "hub.local"), ("kitchen", "hall")
    return BrokerPlan(folder, devices, users, hosts, free_port(), free_port(), client_certificates=by_certificate)


def written(plan: BrokerPlan, *, force: bool = False) -> BrokerPlan:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    write_setup(plan, force=force)
    return plan


@contextlib.contextmanager
def running(plan: BrokerPlan) -> Iterator[BrokerPlan]:
    """A real Mosquitto with the configuration as it was written."""
    program = mosquitto.find()
    if program is None:
        pytest.skip(NEED_MOSQUITTO)
    file = plan.folder / "mosquitto.conf"
    if os.geteuid() == 0:  # it would become a user who may not enter pytest's folder
        file.write_text("user root\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    process = subprocess.Popen([program, "-c", str(file)], stderr=subprocess.DEVNULL)
    try:
        own = BrokerAddress("mqtt", "127.0.0.1", plan.plain_port, username="ops", password=password_of(plan, "ops"))
        wait_until("mosquitto accepts", lambda: accepts(own))
        yield plan
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def by_password(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerPlan]:
    with running(written(plan_in(tmp_path_factory.mktemp("broker") / "b"))) as plan:
        yield plan


@pytest.fixture(scope="module")
def by_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerPlan]:
    with running(written(plan_in(tmp_path_factory.mktemp("broker") / "b", by_certificate=True))) as plan:
        yield plan


def password_of(plan: BrokerPlan, name: str) -> str:
    return (plan.folder / folder_of(name) / "password").read_text(encoding="ascii").strip()


def address_of(plan: BrokerPlan, name: str) -> BrokerAddress:
    """As this user would log in over TLS."""
    password = "" if plan.client_certificates else password_of(plan, name)
    return address_for(plan, name, password, files=str(plan.folder / folder_of(name)))


def said(connection: Connection, address: BrokerAddress) -> str:
    """Why there is no connection, without the address, whose files have telling names here."""
    return str(connection.last_error).removeprefix(address.display())


@pytest.fixture
def join(connect: Connect) -> Join:
    def start(plan: BrokerPlan, name: str, *topics: str) -> tuple[Connection, Inbox]:
        inbox = Inbox()
        subscriptions = [(topic, 1) for topic in topics]
        return connect(address_of(plan, name), name, subscriptions=subscriptions, on_message=inbox), inbox

    return start


# --- what is written ---------------------------------------------------------------------------------------------


def test_what_is_secret_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    plan = written(plan_in(tmp_path / "b", by_certificate=True))
    public = {"mosquitto.conf", "ca.crt", "server.crt", "client.crt", "edgert.toml"}
    for path in [plan.folder, *plan.folder.rglob("*")]:
        mode = path.stat().st_mode & 0o777
        assert mode == (0o700 if path.is_dir() else 0o644 if path.name in public else 0o600), path
    assert not [path for path in plan.folder.rglob("*") if path.name.endswith(".new") or path.name.startswith(".")]


def test_the_password_file_holds_no_password(tmp_path: Path) -> None:
    plan = written(plan_in(tmp_path / "b"))
    text = (plan.folder / "passwords").read_text(encoding="ascii")
    assert len(text.splitlines()) == len(plan.names)
    assert not any(password_of(plan, name) in text for name in plan.names)


def test_a_hash_is_the_one_that_mosquitto_s_own_program_makes(tmp_path: Path) -> None:
    program = shutil.which("mosquitto_passwd")
    if program is None:
        pytest.skip(NEED_MOSQUITTO)
    file = tmp_path / "passwords"
    subprocess.run([program, "-c", "-b", str(file), "ann", "päss word"], check=True, capture_output=True)
    line = file.read_text(encoding="ascii")
    kind, iterations, salt, _ = line.strip().removeprefix("ann:$").split("$")
    assert (kind, iterations) == ("7", "101")
    assert password_line("ann", "päss word", base64.b64decode(salt)) == line


def test_nothing_is_written_over_and_force_keeps_authority_and_passwords(tmp_path: Path) -> None:
    plan = written(plan_in(tmp_path / "b"))
    before = {path: path.read_bytes() for path in plan.folder.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=r"mosquitto\.conf.*--force"):
        write_setup(plan)
    assert {path: path.read_bytes() for path in plan.folder.rglob("*") if path.is_file()} == before
    written(dataclasses.replace(plan, devices=(*plan.devices, "attic")), force=True)
    kept = [path for path in before if path.name in ("ca.crt", "ca.key", "password")]
    assert len(kept) == 2 + 2 * len(plan.names)
    assert all(path.read_bytes() == before[path] for path in kept)
    assert "user attic" in (plan.folder / "acl").read_text(encoding="utf-8")


def test_a_folder_that_only_has_a_login_is_not_written_over_either(tmp_path: Path) -> None:
    (tmp_path / "b" / "for-hall").mkdir(parents=True)
    with pytest.raises(UsageError, match="for-hall"):
        write_setup(plan_in(tmp_path / "b"))


def test_there_is_never_a_listener_for_websockets_or_for_others_without_tls(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    text = config_text(plan)
    assert "protocol websockets" not in text
    assert f"listener {plan.plain_port} 127.0.0.1\n" in text
    without = config_text(dataclasses.replace(plan, port=0, hosts=()))
    assert [line for line in without.splitlines() if line.startswith("listener")] == [
        f"listener {plan.plain_port} 127.0.0.1"
    ]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"devices": ("living room",)}, "1 to 64"),
        ({"devices": ("a/b",)}, "1 to 64"),
        ({"devices": ("#",)}, "1 to 64"),
        ({"devices": ("panel",)}, "twice"),
        ({"devices": (), "users": ()}, "nobody"),
        ({"hosts": ()}, "host"),
        ({"hosts": ("hub local",)}, "neither"),
        ({"hosts": ("hub\nDNS:evil",)}, "neither"),
        ({"hosts": ("hub, DNS:evil",)}, "neither"),
        ({"root": "a/#"}, "root"),
        ({"root": "a\nb"}, "root"),
        ({"port": 1883, "plain_port": 1883}, "ports"),
        ({"port": 0, "client_certificates": True}, "TLS"),
        ({"folder": Path("/tmp/a\nlistener 1")}, "line break"),
    ],
)
def test_what_cannot_be_a_name_is_refused(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        dataclasses.replace(plan_in(tmp_path), **change)  # type: ignore[arg-type]


def test_a_board_s_discovery_topic_has_no_dot_as_home_assistant_wants_it(tmp_path: Path) -> None:
    plan = dataclasses.replace(plan_in(tmp_path), devices=("a.b",))
    assert "topic readwrite homeassistant/device/edgert_a_b/config\n" in acl_text(plan)


def test_a_user_may_be_given_models() -> None:
    assert User.parse("panel=a,b") == User("panel", ("a", "b"))
    for text in ("panel=a,", "panel=+", "=a", "panel= a"):
        with pytest.raises(UsageError):
            User.parse(text)


@pytest.mark.parametrize("by_certificate", [False, True])
def test_a_board_s_lines_are_a_config_that_serve_reads(tmp_path: Path, by_certificate: bool) -> None:
    plan = written(plan_in(tmp_path / "b", by_certificate=by_certificate))
    file = plan.folder / "for-kitchen" / "edgert.toml"
    config = load_config(file, {})
    assert (config.device, config.broker.username) == ("kitchen", "kitchen")
    assert BrokerAddress.parse(config.broker.url).host == plan.hosts[0]
    named = {Path(value).name for value in tomllib.loads(file.read_text())["broker"].values() if "/etc/" in str(value)}
    assert all((file.parent / name).exists() for name in named)
    assert named == ({"ca.crt", "client.crt", "client.key"} if by_certificate else {"ca.crt", "password"})


def test_without_openssl_both_remedies_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.mqtt.broker_setup.certificates.shutil.which", lambda _: None)
    with pytest.raises(OpensslFailed, match=r"apt install openssl.*--no-tls"):
        write_setup(plan_in(tmp_path / "b"))
    write_setup(dataclasses.replace(plan_in(tmp_path / "c"), port=0))
    assert (tmp_path / "c" / "mosquitto.conf").exists()


def test_the_command_says_what_to_do_next(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    arguments = ["init", str(folder), "--device", "kitchen", "--user", "panel=intents", "--no-tls"]
    done = CliRunner().invoke(broker_command, arguments)
    assert done.exit_code == 0, done.output
    for expected in (f"mosquitto -c {folder}/mosquitto.conf", 'device = "kitchen"', "mqtt://panel@127.0.0.1"):
        assert expected in done.output
    assert password_of(BrokerPlan(folder, ("kitchen",), hosts=("x",)), "kitchen") not in done.output


# --- what Mosquitto does with it ---------------------------------------------------------------------------------


@pytest.mark.broker
def test_everybody_can_log_in_over_tls_and_nobody_without_a_name_or_with_a_wrong_password(
    by_password: BrokerPlan, connect: Connect
) -> None:
    for name in by_password.names:
        connect(address_of(by_password, name), name)
    right = address_of(by_password, "panel")
    plain = BrokerAddress("mqtt", "127.0.0.1", by_password.plain_port)
    wrong = dataclasses.replace(right, password="wrong")
    for number, address in enumerate((wrong, dataclasses.replace(right, username="", password=""), plain)):
        connection = connect(address, f"nobody-{number}", wait=False)
        wait_until("a reason is given", partial(getattr, connection, "last_error"))
        assert "wrong user" in str(connection.last_error)


@pytest.mark.broker
@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("panel", "edgert/v1/r/guest/c1"),  # a reply
        ("panel", HALL.status),
        ("panel", HALL.infer("other")),  # a model that it may not ask for
        ("panel", HALL.control("load")),
        ("guest", HALL.control("unload")),
        ("guest", "homeassistant/device/edgert_hall/config"),
        ("ha", HALL.control("load")),
        ("kitchen", HALL.status),  # another device's
        ("kitchen", HALL.infer("intents")),
        ("kitchen", "homeassistant/device/edgert_hall/config"),
        ("ops", "zigbee2mqtt/bridge/request/permit_join"),
    ],
)
def test_what_is_not_allowed_is_refused(by_password: BrokerPlan, connect: Connect, name: str, topic: str) -> None:
    connection = connect(address_of(by_password, name), f"{name}-forger")
    connection.publish(Message(topic, b"forged", qos=1))
    assert connection.flush(5)
    assert connection.counters.refused == 1


@pytest.mark.broker
@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("panel", HALL.infer("intents")),
        ("panel", HALL.group_infer("all", "intents")),
        ("panel", HALL.control("cancel")),
        ("guest", HALL.infer("other")),
        ("ops", HALL.control("load")),
        ("ha", "homeassistant/status"),
        ("kitchen", KITCHEN.load),
        ("kitchen", "edgert/v1/r/guest/c1"),
        ("kitchen", "homeassistant/device/edgert_kitchen/config"),
    ],
)
def test_what_is_needed_is_allowed(by_password: BrokerPlan, connect: Connect, name: str, topic: str) -> None:
    connection = connect(address_of(by_password, name), f"{name}-user")
    connection.publish(Message(topic, b"{}", qos=1))
    assert connection.flush(5)
    assert connection.counters.refused == 0


@pytest.mark.broker
def test_a_panel_sees_its_own_replies_and_nobody_else_s(by_password: BrokerPlan, join: Join, connect: Connect) -> None:
    _, panel = join(by_password, "panel", "#", "edgert/v1/r/guest/#")
    board = connect(address_of(by_password, "kitchen"), "board")
    for topic in ("edgert/v1/r/guest/c1", KITCHEN.event("camera"), KITCHEN.shared_reply("intents")):
        board.publish(Message(topic, b"not for the panel", qos=1))
    board.publish(Message("edgert/v1/r/panel/c1", b"for the panel", qos=1))
    assert panel.get().payload == b"for the panel"
    assert panel.is_empty()


@pytest.mark.broker
def test_a_board_hears_what_is_asked_of_it_and_of_its_group(by_password: BrokerPlan, join: Join) -> None:
    topics = Topics("kitchen", group="all")
    _, heard = join(by_password, "kitchen", topics.requests, topics.group_requests)
    asking, _ = join(by_password, "guest")
    for topic in (HALL.infer("m"), KITCHEN.infer("m"), KITCHEN.group_infer("all", "m")):
        asking.publish(Message(topic, b"{}", qos=1))
    assert [heard.get().topic, heard.get().topic] == [KITCHEN.infer("m"), KITCHEN.group_infer("all", "m")]


@pytest.mark.broker
def test_a_certificate_is_a_login_and_its_name_is_the_user(by_certificate: BrokerPlan, connect: Connect) -> None:
    liar = dataclasses.replace(address_of(by_certificate, "panel"), username="ops")
    connection = connect(liar, "liar")
    connection.publish(Message(HALL.control("load"), b"{}", qos=1))
    connection.publish(Message(HALL.infer("intents"), b"{}", qos=1))
    assert connection.flush(5)
    assert connection.counters.refused == 1


@pytest.mark.broker
def test_without_a_certificate_nobody_is_let_in_and_is_told_what_is_missing(
    by_certificate: BrokerPlan, connect: Connect
) -> None:
    address = dataclasses.replace(
        address_of(by_certificate, "panel"), cert_file="", key_file="", password=password_of(by_certificate, "panel")
    )
    connection = connect(address, wait=False)
    wait_until("a reason is given", lambda: connection.last_error)
    assert "certificate" in said(connection, address)


@pytest.mark.broker
@pytest.mark.parametrize("case", ["expired", "stranger"])
def test_a_certificate_that_is_not_good_is_named_and_not_tried_in_a_loop(
    by_certificate: BrokerPlan, connect: Connect, tmp_path: Path, case: str
) -> None:
    ours = by_certificate.folder
    folder = ours if case == "expired" else tmp_path
    (folder / "authority").mkdir(exist_ok=True)
    authority = Authority.open(folder / "ca.crt", folder / "authority" / "ca.key", 1 if case == "stranger" else -1)
    authority.client(tmp_path / "c.crt", tmp_path / "c.key", "panel")
    address = dataclasses.replace(
        address_of(by_certificate, "panel"), cert_file=str(tmp_path / "c.crt"), key_file=str(tmp_path / "c.key")
    )
    connection = connect(address, wait=False, backoff_s=(0.3, 30.0))
    wait_until("a reason is given", lambda: connection.last_error)
    assert "certificate" in said(connection, address)
    used, until = time.process_time(), time.monotonic() + 1.0
    assert not connection.wait_ready(until - time.monotonic())
    assert time.process_time() - used < 0.4  # 2 handshakes, no loop


@pytest.mark.broker
def test_a_certificate_that_is_exchanged_while_the_daemon_runs_is_used_at_the_next_try(
    by_certificate: BrokerPlan, connect: Connect, tmp_path: Path
) -> None:
    connection = connect(
        dataclasses.replace(
            address_of(by_certificate, "panel"), cert_file=str(tmp_path / "c.crt"), key_file=str(tmp_path / "c.key")
        ),
        wait=False,
        backoff_s=QUICK,
    )
    wait_until("a reason is given", lambda: connection.last_error)
    assert str(tmp_path / "c.crt") in str(connection.last_error)
    for suffix in ("key", "crt"):
        shutil.copy(by_certificate.folder / "for-panel" / f"client.{suffix}", tmp_path / f"c.{suffix}")
    assert connection.wait_ready(5), connection.last_error
