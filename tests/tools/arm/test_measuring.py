"""Which texts are counted, and that nothing is counted twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgert_tools.arm import measuring
from edgert_tools.arm.instructions import Counted, Row, here
from edgert_tools.arm.measuring import Requests, on_boards, typical_requests
from edgert_tools.arm.programs import ArmUnavailable
from edgert_tools.arm.root import ArmRoot
from tests.tiny_graphs import sums
from tests.tools.checkpoints import unheard

ROWS: tuple[Row, ...] = ({"x": np.ones((2, 3), np.float32)},)


class FakeBoards:
    """Counts what the test says by the file's name, and answers as this machine; `counted` is what was asked."""

    def __init__(self, **instructions: int) -> None:
        self.instructions, self.counted = instructions, []  # type: ignore[var-annotated]

    def count(self, root: ArmRoot, graph: Path, rows: tuple[Row, ...], board: measuring.EmulatedBoard) -> Counted:
        self.counted.append((graph.stem, board.name))
        return Counted(self.instructions[graph.stem], here(graph, rows))


@pytest.fixture
def boards(own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBoards:
    made = FakeBoards(float=1000, small=420)
    root = ArmRoot(tmp_path / "debian", tmp_path / "wheels/site", tmp_path / "counter/counter.so", "3.11")
    monkeypatch.setattr(measuring, "arm_root", lambda note: root)
    monkeypatch.setattr(measuring, "qemu_version", lambda: (7, 2, 22))
    monkeypatch.setattr(measuring, "count", made.count)
    return made


@pytest.fixture
def graphs(tmp_path: Path) -> dict[str, Path]:
    for name in ("float", "small"):
        model = sums()
        model.producer_name = name
        onnx.save(model, tmp_path / f"{name}.onnx")
    return {name: tmp_path / f"{name}.onnx" for name in ("float", "small")}


def test_the_text_of_median_length_is_counted_and_a_short_and_a_long_one_compared() -> None:
    rows = [{"input_ids": np.zeros((1, length), np.int64)} for length in (30, 10, 20, 50, 40, 60, 70, 80, 90, 100)]
    found = typical_requests(rows)
    assert (found.tokens, [row["input_ids"].size for row in found.rows]) == (60, [60, 20, 80])
    assert typical_requests(rows[:1]).tokens == 30


def test_every_graph_is_counted_on_every_target_beside_float(boards: FakeBoards, graphs: dict[str, Path]) -> None:
    said: list[str] = []
    found = on_boards(graphs["float"], {"dynamic-s8": graphs["small"]}, Requests(ROWS, 16), ("pi5", "pi4"), said.append)
    assert [(one.board, one.instructions, one.float_instructions, one.exact) for one in found["dynamic-s8"]] == [
        ("pi5", 420, 1000, True),
        ("pi4", 420, 1000, True),
    ]
    assert found["dynamic-s8"][0].emulator == "QEMU 7.2.22, cortex-a76"
    assert sorted(boards.counted) == [("float", "pi4"), ("float", "pi5"), ("small", "pi4"), ("small", "pi5")]
    assert any("pi4: dynamic-s8" in line and "(0.42x)" in line for line in said)


def test_what_was_counted_is_not_counted_again_unless_something_changed(
    boards: FakeBoards, graphs: dict[str, Path], own_cache: Path
) -> None:
    def again(rows: tuple[Row, ...] = ROWS) -> None:
        boards.counted.clear()
        on_boards(graphs["float"], {"s": graphs["small"]}, Requests(rows, 16), ("pi4",), unheard)

    again()
    again()
    assert boards.counted == []
    again(({"x": np.zeros((2, 3), np.float32)},))
    assert len(boards.counted) == 2
    for kept in (own_cache / "arm/counts").iterdir():
        kept.write_text('{"instructions": 1')  # damaged
    again()
    assert len(boards.counted) == 2


def test_a_board_that_stops_ends_the_count_with_its_words(
    boards: FakeBoards, graphs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object) -> Counted:
        raise ArmUnavailable("the emulated pi4 stopped: illegal instruction")

    monkeypatch.setattr(measuring, "count", stop)
    with pytest.raises(ArmUnavailable, match="illegal instruction"):
        on_boards(graphs["float"], {"s": graphs["small"]}, Requests(ROWS, 16), ("pi4",), unheard)
