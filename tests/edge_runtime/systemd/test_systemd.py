"""Notifications to a socket as systemd's, and the unit's text as systemd reads it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from edge_runtime.errors import UsageError
from edge_runtime.systemd.notifier import Notifier
from edge_runtime.systemd.unit_text import UnitSettings, is_home, unit_text


class Listener:
    """A datagram socket, as systemd's."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(5)

    def lines(self) -> list[str]:
        return self._socket.recv(4096).decode().split("\n")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@edgert-test-{uuid.uuid4()}"


@pytest.fixture
def listener(address: str) -> Iterator[Listener]:
    made = Listener(address)
    yield made
    made.close()


def test_each_state_is_told_as_documented(address: str, listener: Listener) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})
    assert notifier.ready("2 models")
    assert listener.lines() == ["READY=1", "STATUS=2 models"]
    assert notifier.watchdog()
    assert listener.lines() == ["WATCHDOG=1"]
    assert notifier.status("a\nREADY=1  b")
    assert listener.lines() == ["STATUS=a READY=1 b"]
    assert notifier.reloading()
    first, second = listener.lines()
    assert first == "RELOADING=1"
    assert int(second.removeprefix("MONOTONIC_USEC=")) > 0
    assert notifier.stopping()
    assert listener.lines() == ["STOPPING=1"]


def test_without_systemd_nothing_is_said(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}):
        notifier = Notifier.from_environment(environment)
        assert not notifier.ready()
        assert notifier.watchdog_every_s == 0


def test_a_socket_that_is_gone_costs_nothing(tmp_path: Path) -> None:
    assert not Notifier(str(tmp_path / "gone")).ready()
    assert not Notifier("/" + "x" * 300).ready()
    assert not Notifier("/nul\0").ready()


@pytest.mark.parametrize(
    ("usec", "pid", "every_s"),
    [("30000000", "", 15.0), ("30000000", "42", 15.0), ("30000000", "43", 0.0), ("", "42", 0.0), ("x", "", 0.0)],
)
def test_signs_of_life_are_due_twice_as_often_as_asked_and_only_from_the_right_process(
    usec: str, pid: str, every_s: float
) -> None:
    environment = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}
    assert Notifier.from_environment(environment, process=42).watchdog_every_s == every_s


# --- the unit --------------------------------------------------------------------------------------------------------

COMMAND = ("/bin/true", "serve", "--config", "/etc/edgert/edgert.toml")
SETTINGS = [
    UnitSettings(COMMAND),
    UnitSettings(COMMAND, user="root", memory_max_mb=400, writable=["/var/log/edgert", "/var/tmp"], sees_home=True),
    UnitSettings(("/bin/true", "100%", "$HOME", 'a "b" c\\', "ä")),
    UnitSettings(COMMAND, per_user=True, memory_max_mb=100),
]


def options(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and line[0] not in "[#"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("settings", SETTINGS, ids=["plain", "account", "odd words", "per user"])
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, settings: UnitSettings) -> None:
    unit = tmp_path / "edgert.service"
    unit.write_text(unit_text(settings), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if "edgert.service" in line]
    assert (complaints, done.returncode) == ([], 0), done.stderr


def test_the_unit_is_restarted_watched_and_not_started_again_when_used_wrongly() -> None:
    found = options(unit_text(UnitSettings(COMMAND)))
    assert f"ExecStart={' '.join(COMMAND)}" in found
    assert {"Type=notify", "WatchdogSec=30", "Restart=on-failure", "RestartPreventExitStatus=2"} <= set(found)
    assert {"DynamicUser=yes", "ProtectSystem=strict", "ProtectHome=yes", "NoNewPrivileges=yes"} <= set(found)
    assert "WantedBy=multi-user.target" in found
    assert not any(line.startswith("MemoryMax") for line in found)


def test_settings_stand_in_the_unit() -> None:
    found = options(unit_text(SETTINGS[1]))
    assert {"User=root", "MemoryMax=400M", "LogsDirectory=edgert", "ReadWritePaths=/var/tmp"} <= set(found)
    assert "ProtectHome=read-only" in found
    assert "DynamicUser=yes" not in found


def test_a_users_unit_asks_for_nothing_that_a_user_may_not() -> None:
    found = options(unit_text(SETTINGS[3]))
    assert "WantedBy=default.target" in found
    assert not any(line.startswith(("User", "DynamicUser", "Protect", "Capability")) for line in found)


def test_the_kernels_files_that_the_daemon_reads_are_not_hidden() -> None:
    text = unit_text(UnitSettings(COMMAND))
    assert "ProcSubset" not in text  # hides /proc/meminfo, which the memory budget is made of
    assert "AF_NETLINK" in text  # the resolver


def test_what_systemd_would_expand_is_escaped() -> None:
    (line,) = (line for line in options(unit_text(SETTINGS[2])) if line.startswith("ExecStart"))
    assert line == 'ExecStart=/bin/true 100%% "$$HOME" "a \\"b\\" c\\\\" ä'


@pytest.mark.parametrize("word", ["", "a\nb", "a\x00", "\x1b[2J"])
def test_a_word_that_could_become_another_line_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="cannot stand in a unit"):
        unit_text(UnitSettings(("/bin/true", word)))


@pytest.mark.parametrize("user", ["a b", "Root", "0", "x\nUser=root", "a" * 40])
def test_a_name_that_is_no_account_is_refused(user: str) -> None:
    with pytest.raises(UsageError, match="is no name of an account"):
        unit_text(UnitSettings(COMMAND, user=user))


@pytest.mark.parametrize(
    ("path", "hidden"),
    [("/home/me/x", True), ("/root/x", True), ("/run/user/1/x", True), ("/opt/home/x", False), ("/", False)],
)
def test_what_lies_in_a_home_folder(path: str, hidden: bool) -> None:
    assert is_home(PurePosixPath(path)) is hidden
