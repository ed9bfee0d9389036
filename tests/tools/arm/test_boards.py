"""The boards' facts agree with what edgert plan and the daemon know, and their files are what Linux has."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.engine.processor import targets_of
from edge_runtime.errors import UsageError
from edgert_tools.arm.boards import EmulatedBoard, emulated_board, emulated_boards, parse_targets, write_board
from edgert_tools.quantization.targets import CLASSES

EVERY = pytest.mark.parametrize("board", emulated_boards(), ids=lambda board: board.name)


@EVERY
def test_the_daemon_on_a_board_finds_the_form_that_was_chosen_for_its_class(board: EmulatedBoard) -> None:
    ordered = list(CLASSES)
    able = ordered[: ordered.index(board.profile.core_class) + 1]
    assert targets_of("aarch64", board.cpu_info) == {CLASSES[cores] for cores in able}


@EVERY
def test_the_plan_and_the_emulation_of_a_board_speak_of_the_same_cores(board: EmulatedBoard) -> None:
    assert set(board.profile.features) <= set(board.features.split())
    assert sum(int(part.split(" x ")[0]) for part in board.profile.cores.split(", ")) == len(board.parts)
    assert board.cpu_info.count("CPU part") == len(board.parts)
    assert board.core in ("max", f"cortex-{board.profile.cores.rpartition('Cortex-')[2].lower()}") or "A76" in (
        board.profile.cores
    )


def test_targets_are_lists_of_names_each_once_in_order() -> None:
    assert parse_targets(["pi5, pi4", "pi5,zero2w,"]) == ("pi5", "pi4", "zero2w")
    assert parse_targets([]) == ()


@pytest.mark.parametrize(("name", "hint"), [("pi6", "did you mean pi"), ("x86-mini", "can be emulated are zero2w")])
def test_an_unknown_target_is_refused_with_those_there_are(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        parse_targets([f"pi4,{name}"])


def test_a_board_shows_its_own_files_and_those_of_the_root(tmp_path: Path) -> None:
    base, folder, graph = tmp_path / "base", tmp_path / "pi5", tmp_path / "some.onnx"
    for name in ("usr", "proc", "tmp"):
        (base / name).mkdir(parents=True)
    (base / "usr/python").write_text("of the root")
    (base / "proc/cpuinfo").write_text("of the root")
    graph.write_text("a graph")
    folder.mkdir()
    write_board(emulated_board("pi5"), base, folder, {"graph.onnx": graph})
    assert (folder / "usr/python").read_text() == "of the root"
    assert "asimddp" in (folder / "proc/cpuinfo").read_text()
    assert (folder / "proc/device-tree/model").read_bytes() == b"Raspberry Pi 5 Model B Rev 1.0\0"
    assert (folder / "proc/meminfo").read_text().splitlines()[0].split() == ["MemTotal:", "1992294", "kB"]
    assert (folder / "sys/devices/system/cpu/present").read_text() == "0-3\n"
    assert (folder / "edgert/graph.onnx").read_text() == "a graph"
    assert not (folder / "tmp").exists()  # the host's
