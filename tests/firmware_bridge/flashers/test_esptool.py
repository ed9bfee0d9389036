"""The real `esptool` program, run by us, against a chip's loader of our own with faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.service_parts.peer_venv import NoPeer, peer_python
from edge_runtime.errors import MissingExtra
from firmware_bridge.errors import BadTarget, LinkLost, PortBusy
from firmware_bridge.flashers import esptool
from firmware_bridge.flashers.esptool import EspReport, flash_esp
from firmware_bridge.port_lock import PortLock
from tests.firmware_bridge.flash.boards import noise
from tests.firmware_bridge.flashers.fake_esp import EspFaults, FakeEsp

ESPTOOL = ["--no-binary=esptool", "esptool==5.6.0"]  # it has no wheel


@pytest.fixture(scope="module")
def program() -> list[str]:
    try:
        return [str(peer_python("esptool", ESPTOOL)), "-m", "esptool"]
    except NoPeer as error:
        pytest.skip(f"esptool cannot be had: {error}")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "app.bin"
    path.write_bytes(b"\x01" + noise(20_000, 4))  # no image header, so that esptool changes nothing in it
    return path


@pytest.fixture
def made() -> Iterator[list[FakeEsp]]:
    chips: list[FakeEsp] = []
    yield chips
    for chip in chips:
        chip.close()


def write(made: list[FakeEsp], program: list[str], image: Path, bauds: tuple[int, ...], **faults: int) -> EspReport:
    chip = FakeEsp(EspFaults(**faults))
    made.append(chip)
    # A PTY has no modem lines to reset a chip by, and the loader's stub cannot run on it.
    return flash_esp(chip.device, image, "0x10000", program=[*program, "--no-stub"], bauds=bauds, before="no-reset")


def test_an_image_is_written_and_verified(made: list[FakeEsp], program: list[str], image: Path) -> None:
    report = write(made, program, image, (460800, 115200))
    assert (report.baud, report.failed_bauds) == (460800, ())
    assert report.chip.startswith("ESP32-C3")
    content = image.read_bytes()
    assert made[0].flash[0x10000 : 0x10000 + len(content)] == content
    assert made[0].bauds == [460800]


def test_a_speed_that_does_not_hold_is_left_for_the_next_one(
    made: list[FakeEsp], program: list[str], image: Path
) -> None:
    report = write(made, program, image, (921600, 115200), deaf_above=460800)
    assert (report.baud, report.failed_bauds) == (115200, (921600,))


@pytest.mark.parametrize("fault", [{"refuse_block": 3}, {"wrong_md5": True}])
def test_what_is_not_written_or_not_verified_is_never_called_done(
    made: list[FakeEsp], program: list[str], image: Path, fault: dict[str, int]
) -> None:
    with pytest.raises(LinkLost, match="could not write and verify at 115200 baud"):
        write(made, program, image, (115200,), **fault)


def test_a_plug_that_is_pulled_is_a_lost_link(made: list[FakeEsp], program: list[str], image: Path) -> None:
    with pytest.raises(LinkLost):
        write(made, program, image, (115200,), silent_after=2)


def test_a_port_that_is_busy_or_not_there_is_not_tried_at_other_speeds(program: list[str], image: Path) -> None:
    with pytest.raises((BadTarget, PortBusy), match="ttyNOPE"):
        flash_esp("/dev/ttyNOPE", image, program=program)
    lock = PortLock("/dev/ttyNOPE")
    with pytest.raises(PortBusy, match="in use by process"):
        flash_esp("/dev/ttyNOPE", image, program=program)
    lock.release()


def test_without_the_program_it_is_said_what_to_install(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(esptool.shutil, "which", lambda name: None)  # type: ignore[attr-defined]
    with pytest.raises(MissingExtra, match=r"pip install 'edgert\[esp\]'"):
        flash_esp("/dev/ttyNOPE", image)
