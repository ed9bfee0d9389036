"""What is missing here is said in one line with its remedy; the programs are scripts that a test writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgert_tools.arm import programs
from edgert_tools.arm.programs import ArmUnavailable, check_programs, last_words, missing_packages, qemu_version, run

Put = Callable[[str, str], None]
QEMU = 'case "$1" in --version) echo "qemu-aarch64 version 7.2.22 (Debian)";; -h) echo "{options}";; esac'


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Put]:
    """Writes a program into a folder that is the whole PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs.platform, "machine", lambda: "x86_64")
    qemu_version.cache_clear()

    def write(name: str, script: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    yield write
    qemu_version.cache_clear()


def test_missing_programs_are_named_by_their_packages_with_the_command_that_installs_them(put: Put) -> None:
    put("gcc", "true")
    assert {"mmdebstrap", "qemu-user"} <= set(missing_packages())
    with pytest.raises(ArmUnavailable, match=r"apt-get install --no-install-recommends .*mmdebstrap qemu-user"):
        check_programs()


def test_a_qemu_that_loads_no_plugins_cannot_count(put: Put) -> None:
    put("qemu-aarch64", QEMU.format(options="-cpu model"))
    with pytest.raises(ArmUnavailable, match="loads no plugins"):
        qemu_version()


def test_the_version_is_numbers(put: Put) -> None:
    put("qemu-aarch64", QEMU.format(options="-plugin file"))
    assert qemu_version() == (7, 2, 22)


def test_only_an_x86_linux_can(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.platform, "machine", lambda: "aarch64")
    with pytest.raises(ArmUnavailable, match="on x86-64 Linux only, this is linux aarch64"):
        check_programs()


def test_a_program_that_fails_is_told_with_its_last_words(put: Put) -> None:
    put("mmdebstrap", "echo I: working >&2; echo 'E: no such suite: woody' >&2; echo I: cleaning up >&2; exit 5")
    with pytest.raises(ArmUnavailable, match=r"^cannot get Debian: E: no such suite: woody$"):
        run(["mmdebstrap"], "get Debian")
    put("quiet", "exit 3")
    with pytest.raises(ArmUnavailable, match="exit status 3"):
        run(["quiet"], "try")
    with pytest.raises(ArmUnavailable, match="No such file"):
        run(["nowhere"], "try")


def test_the_last_words_are_the_last_error_else_the_last_line() -> None:
    assert last_words("ERROR: one\nERROR: two\n\nsome hint\n") == "ERROR: two"
    assert last_words("one\ntwo\n") == "two"
    assert last_words("") == ""
