"""`edgert service` with a systemctl that only writes down what it is told."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest

from edge_runtime.systemd.service_unit import parse_status, service_unit
from edge_runtime.systemd.unit_settings import closed_to_others, program_of
from tests.command import run

FAKE = """#!/bin/sh
echo "$*" >> "{calls}"
case "$*" in *"{fails}"*) echo "Failed to do so: Access denied" >&2; exit 1;; esac
case "$*" in *show*) cat <<'END'
{shown}
END
esac
"""
SHOWN = """LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
StatusText=2 models, a=b
MainPID=42
NRestarts=1
MemoryCurrent=104857600"""


# A temporary folder is closed to the account that systemd makes up.
ACCOUNT = ("--account", "edgert")


class Systemctl:
    """A program `systemctl` on PATH; `calls` are its argument lines."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._calls = folder, folder / "calls"
        self.answers()

    def answers(self, *, fails: str = "nothing at all", shown: str = SHOWN) -> None:
        file = self._folder / "systemctl"
        file.write_text(FAKE.format(calls=self._calls, fails=fails, shown=shown))
        file.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemctl:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return Systemctl(folder)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    return tmp_path / "units"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "edgert.toml"
    file.write_text('bundles = ["/var/lib/edgert/intents"]\n')
    return file


def test_install_writes_the_unit_enables_and_starts_it(
    systemctl: Systemctl, units: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "service", "install", *ACCOUNT, "--config", config, "--unit-folder", units)
    assert status == 0, out
    assert systemctl.calls == ["daemon-reload", "enable --now edgert.service"]
    (file,) = units.iterdir()
    assert file.name == "edgert.service"
    assert file.stat().st_mode & 0o777 == 0o644
    assert f"serve --config {config}" in file.read_text()


def test_installing_anew_restarts_only_what_has_changed(
    systemctl: Systemctl, units: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ("install", "--config", config, "--unit-folder", units, "--user")
    run(capsys, "service", *again)
    run(capsys, "service", *again)
    assert not any("restart" in call for call in systemctl.calls)
    run(capsys, "service", *again, "--memory-max", 500)
    assert systemctl.calls[-1] == "--user restart edgert.service"


@pytest.mark.parametrize("before", [None, "old text"])
def test_when_systemd_refuses_the_file_is_as_before_and_its_reason_is_told(
    systemctl: Systemctl, units: Path, config: Path, before: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    systemctl.answers(fails="enable")
    if before is not None:
        units.mkdir()
        (units / "edgert.service").write_text(before)
    status, _, err = run(capsys, "service", "install", *ACCOUNT, "--config", config, "--unit-folder", units)
    assert status == 1
    assert "Access denied" in err
    assert "sudo" in err
    assert [file.read_text() for file in units.iterdir()] == ([] if before is None else [before])


def test_a_dry_run_prints_the_unit_and_changes_nothing(
    systemctl: Systemctl, units: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(
        capsys, "service", "install", *ACCOUNT, "--config", config, "--unit-folder", units, "--dry-run"
    )
    assert status == 0
    assert "[Service]\nType=notify\n" in out
    assert f"not written: {units}" in err
    assert systemctl.calls == []
    assert not units.exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no bundle to serve"),
        ('bundles = ["intents"]', "bundles intents is relative"),
        ('bundles = ["/b"]\naudit.file = "audit.jsonl"', "audit.file audit.jsonl is relative"),
        ('store = "bundles"', "store bundles is relative"),
        ('store = "/s"\nupdates.trust = "trust"', "updates.trust trust is relative"),
        ('bundles = ["/b"]\nbroker.password_file = "pw"', "broker.password_file pw is relative"),
        ("bundels = []", "bundels"),
    ],
)
def test_a_config_that_a_service_could_not_run_with_is_refused_first(
    systemctl: Systemctl, units: Path, config: Path, text: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(text)
    status, _, err = run(capsys, "service", "install", *ACCOUNT, "--config", config, "--unit-folder", units)
    assert status == 2
    assert complaint in err
    assert systemctl.calls == []


def test_the_folder_of_the_audit_file_can_be_written(
    units: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text('bundles = ["/home/me/b"]\naudit.file = "/srv/edgert/audit.jsonl"\n')
    _, out, _ = run(capsys, "service", "install", *ACCOUNT, "--config", config, "--dry-run")
    assert "ReadWritePaths=/srv/edgert\n" in out
    assert "ProtectHome=read-only\n" in out


def test_a_store_is_enough_and_can_be_written(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text('store = "/srv/bundles"\n')
    _, out, _ = run(capsys, "service", "install", *ACCOUNT, "--config", config, "--dry-run")
    assert "ReadWritePaths=/srv/bundles\n" in out


def test_remove_stops_disables_and_deletes(
    systemctl: Systemctl, units: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "service", "install", *ACCOUNT, "--config", config, "--unit-folder", units)
    status, out, _ = run(capsys, "service", "remove", "--unit-folder", units)
    assert (status, list(units.iterdir())) == (0, [])
    assert systemctl.calls[-2:] == ["disable --now edgert.service", "daemon-reload"]
    status, out, _ = run(capsys, "service", "remove", "--unit-folder", units)
    assert (status, "was not there" in out) == (0, True)


def test_status_says_how_the_service_is(systemctl: Systemctl, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "service", "status", "--json")
    assert status == 0
    assert json.loads(out) == {
        "installed": True, "enabled": True, "active": True, "state": "active (running)",
        "status": "2 models, a=b", "pid": 42, "restarts": 1, "memory_mb": 100.0,
    }  # fmt: skip


def test_status_of_a_service_that_does_not_run_is_one(systemctl: Systemctl, capsys: pytest.CaptureFixture[str]) -> None:
    systemctl.answers(shown="LoadState=not-found\nActiveState=inactive\nSubState=dead\nMemoryCurrent=[not set]")
    status, out, _ = run(capsys, "service", "status")
    assert status == 1
    assert "inactive (dead)" in out


def test_numbers_that_systemd_has_not_set_are_unknown() -> None:
    found = parse_status("MainPID=0\nMemoryCurrent=18446744073709551615\nnonsense\n")
    assert (found.pid, found.memory_mb, found.restarts, found.installed) == (None, None, None, False)


def test_without_systemd_it_says_so(
    units: Path, config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(units))
    status, _, err = run(capsys, "service", "install", *ACCOUNT, "--config", config, "--unit-folder", units)
    assert (status, "no systemctl" in err) == (1, True)
    assert not units.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_without_the_right_to_write_it_names_sudo(
    systemctl: Systemctl, units: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    units.mkdir(mode=0o500)
    status, _, err = run(capsys, "service", "install", *ACCOUNT, "--config", config, "--unit-folder", units)
    assert (status, "Permission denied" in err, "sudo" in err) == (1, True, True)


def test_a_folder_that_cannot_be_made_is_told(
    systemctl: Systemctl, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = run(capsys, "service", "install", *ACCOUNT, "--config", config, "--unit-folder", config / "units")
    assert (status, "Not a directory" in err) == (1, True)


def test_units_lie_where_systemd_looks(tmp_path: Path) -> None:
    assert service_unit(per_user=False).file == Path("/etc/systemd/system/edgert.service")
    own = service_unit(per_user=True, environment={"XDG_CONFIG_HOME": str(tmp_path)})
    assert own.file == tmp_path / "systemd/user/edgert.service"


def test_the_program_is_the_one_of_this_installation(tmp_path: Path) -> None:
    python = tmp_path / "python"
    assert program_of(python) == [str(python), "-m", "edge_runtime"]
    (tmp_path / "edgert").touch(mode=0o755)
    assert program_of(python) == [str(tmp_path / "edgert")]


def test_what_the_made_up_account_could_not_read_is_refused_first(
    systemctl: Systemctl, units: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.chmod(0o600)
    status, _, err = run(capsys, "service", "install", "--config", config, "--unit-folder", units)
    assert (status, "cannot be read by the account that systemd makes up" in err) == (2, True)
    assert "--account" in err
    assert systemctl.calls == []


@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "closed"),
    [(0o700, 0o644, "folder"), (0o711, 0o640, "folder/file"), (0o711, 0o644, None)],
)
def test_a_path_is_open_if_all_may_pass_its_folders_and_read_its_end(
    tmp_path: Path, folder_mode: int, file_mode: int, closed: str | None
) -> None:
    with tempfile.TemporaryDirectory() as name:
        top, file = Path(name), Path(name) / "folder" / "file"
        top.chmod(0o711)
        file.parent.mkdir()
        file.touch()
        file.chmod(file_mode)
        file.parent.chmod(folder_mode)
        (tmp_path / "link").symlink_to(file)
        assert closed_to_others(file) == closed_to_others(tmp_path / "link") == (closed and top / closed)
        assert closed_to_others(file.parent) == file.parent  # whose files cannot be listed, as a bundle's must be


def test_a_path_that_is_not_there_closes_nothing(tmp_path: Path) -> None:
    assert closed_to_others(Path("/no such folder/file")) is None


def test_the_made_up_account_can_write_the_audit_file_only_where_systemd_lets_it(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edge_runtime.systemd.unit_settings.closed_to_others", lambda path: None)
    config.write_text('bundles = ["/srv/b"]\naudit.file = "/srv/audit.jsonl"\n')
    status, _, err = run(capsys, "service", "install", "--config", config, "--dry-run")
    assert (status, "let it lie in /var/log/edgert" in err) == (2, True)
    config.write_text('bundles = ["/srv/b"]\naudit.file = "/var/log/edgert/audit.jsonl"\n')
    status, out, _ = run(capsys, "service", "install", "--config", config, "--dry-run")
    assert (status, "LogsDirectory=edgert\n" in out, "DynamicUser=yes\n" in out) == (0, True, True)


@pytest.mark.parametrize("store", ["/var/lib/edgert", "/var/lib/edgert/store"])
def test_the_made_up_account_has_its_store_where_systemd_lets_it(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], store: str
) -> None:
    monkeypatch.setattr("edge_runtime.systemd.unit_settings.closed_to_others", lambda path: None)
    config.write_text('store = "/srv/store"\n')
    status, _, err = run(capsys, "service", "install", "--config", config, "--dry-run")
    assert (status, "store /srv/store cannot be written" in err) == (2, True)
    config.write_text(f'store = "{store}"\n')
    status, out, _ = run(capsys, "service", "install", "--config", config, "--dry-run")
    assert (status, "StateDirectory=edgert\n" in out) == (0, True)


def test_an_account_is_for_the_systems_unit_only(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "service", "install", *ACCOUNT, "--user", "--config", config, "--dry-run")[0] == 2
