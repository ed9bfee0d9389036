"""What the kernel's files say of memory and temperature."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime.observing.board_state import process_memory_mb, temperature_c
from tests.brokers import resident_kb


def zone(root: Path, number: int, kind: str | None, temp: str) -> None:
    folder = root / f"sys/class/thermal/thermal_zone{number}"
    folder.mkdir(parents=True)
    (folder / "temp").write_text(temp)
    if kind is not None:
        (folder / "type").write_text(f"{kind}\n")


def test_memory_of_this_process_is_what_the_kernel_says() -> None:
    found = process_memory_mb()
    assert found is not None
    assert found == pytest.approx(resident_kb() / 1024, rel=0.05)


def test_memory_is_the_second_number_in_pages(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/statm").write_text("9999 512 3 4 5 6 7\n")
    assert process_memory_mb(tmp_path) == 512 * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@pytest.mark.parametrize("statm", ["", "12", "a b c"])
def test_memory_is_unknown_when_the_file_is_not_as_documented(tmp_path: Path, statm: str) -> None:
    assert process_memory_mb(tmp_path) is None
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/statm").write_text(statm)
    assert process_memory_mb(tmp_path) is None


def test_the_processors_sensor_counts_even_if_another_is_hotter(tmp_path: Path) -> None:
    zone(tmp_path, 0, "gpu-thermal", "71000\n")
    zone(tmp_path, 1, "cpu-thermal", "48123\n")
    assert temperature_c(tmp_path) == 48.123


def test_of_unknown_sensors_the_hottest_plausible_counts(tmp_path: Path) -> None:
    zone(tmp_path, 0, "acpitz", "27800\n")
    zone(tmp_path, 1, None, "31000\n")
    zone(tmp_path, 2, "broken", "255000\n")
    zone(tmp_path, 3, "off", "")
    assert temperature_c(tmp_path) == 31.0


def test_a_board_without_sensors_has_no_temperature(tmp_path: Path) -> None:
    assert temperature_c(tmp_path) is None
