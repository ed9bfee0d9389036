"""The root is made once, whole or not at all; Debian, pip and QEMU are scripts that write down how they were called."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgert_tools.arm import root as root_module
from edgert_tools.arm.programs import ArmUnavailable, qemu_version
from edgert_tools.arm.root import arm_root
from tests.tools.checkpoints import unheard

_LOG = 'echo "$(basename "$0") $*" >> "$CALLS"\n'
_LAST = "for last; do :; done\n"  # the last argument
SCRIPTS = {
    "mmdebstrap": _LOG + _LAST + 'd=$(mktemp -d); mkdir -p "$d/usr/bin" "$d/dev"; echo p > "$d/usr/bin/python3"\n'
    'tar -C "$d" -cf "$last" . ; rm -r "$d"; exit "${BROKEN:-0}"',
    "gcc": _LOG + 'while [ "$1" != -o ]; do shift; done; echo so > "$2"',
    "qemu-aarch64": 'case "$1" in --version) echo "version 7.2.22";; -h) echo "-plugin file";; '
    '*) echo "qemu-aarch64 $*" >> "$CALLS"; echo "$FOUND";; esac',
    "setarch": 'shift; exec "$@"',
    "python": _LOG + 'case "$*" in *" download "*) while [ "$1" != --dest ]; do shift; done; mkdir "$2"; '
    'echo w > "$2/onnxruntime.whl";; *) while [ "$1" != --target ]; do shift; done; mkdir "$2";; esac',
}  # fmt: skip


class Calls:
    """What the scripts were called with."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def take(self) -> list[str]:
        """Lines since the last time."""
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        self._file.unlink(missing_ok=True)
        return lines


@pytest.fixture
def calls(own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, script in SCRIPTS.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.setattr(root_module, "_ENVIRONMENT", {**os.environ, "FOUND": "1.32.0"})
    monkeypatch.setattr(root_module, "version", lambda name: "1.32.0")
    monkeypatch.setattr(root_module, "check_programs", lambda: None)
    qemu_version.cache_clear()
    yield Calls(tmp_path / "calls")
    qemu_version.cache_clear()


def test_a_root_is_made_of_debian_wheels_and_the_counter_and_then_kept(calls: Calls, own_cache: Path) -> None:
    said: list[str] = []
    made = arm_root(said.append)
    assert [line.split()[0] for line in calls.take()] == ["mmdebstrap", "python", "python", "gcc", "qemu-aarch64"]
    assert (made.base / "usr/bin/python3").is_file()
    assert (made.base / "lib").readlink() == Path("usr/lib")
    assert not (made.base / "dev").exists()
    assert made.plugin.read_text() == "so\n"
    assert made.site.is_dir()
    assert len(said) == 3
    assert arm_root(said.append) == made
    assert calls.take() == []
    assert len(said) == 3


def test_another_onnxruntime_takes_other_wheels_and_the_same_debian(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = arm_root(unheard)
    calls.take()
    monkeypatch.setattr(root_module, "version", lambda name: "1.33.0")
    monkeypatch.setitem(root_module._ENVIRONMENT, "FOUND", "1.33.0")  # type: ignore[attr-defined]
    second = arm_root(unheard)
    assert (second.base, second.plugin) == (first.base, first.plugin)
    assert second.site != first.site
    lines = calls.take()
    assert [line.split()[0] for line in lines] == ["python", "python", "qemu-aarch64"]
    assert "onnxruntime==1.33.0 numpy" in lines[0]
    assert "--platform=manylinux_2_36_aarch64" in lines[0] or "--platform=manylinux_2_41_aarch64" in lines[0]


def test_what_failed_half_way_leaves_nothing_and_is_made_the_next_time(
    calls: Calls, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKEN", "25")
    with pytest.raises(ArmUnavailable, match=r"cannot get Debian .* for arm64: exit status 25"):
        arm_root(unheard)
    assert [entry.name for entry in (own_cache / "arm").iterdir()] == ["lock"]
    assert not list(own_cache.glob("work-*"))
    monkeypatch.delenv("BROKEN")
    assert arm_root(unheard).base.is_dir()


def test_a_root_that_does_not_run_is_no_root(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(root_module._ENVIRONMENT, "FOUND", "Illegal instruction")  # type: ignore[attr-defined]
    for _ in range(2):
        with pytest.raises(ArmUnavailable, match=r"has onnxruntime 'Illegal instruction', this machine 1\.32\.0"):
            arm_root(unheard)
