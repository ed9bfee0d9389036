"""A bundle to a board that knows only SMP's own groups: our server does, when nobody says hello."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.errors import EdgertError
from firmware_bridge.errors import LinkLost, RolledBack
from firmware_bridge.flash.cargo import Cargo, open_cargo
from firmware_bridge.flash.engine import Report, Told, exit_code, flash
from firmware_bridge.flash.image import ImageTarget
from firmware_bridge.loopback import NO_FAULTS, Faults, loopback
from firmware_bridge.smp.client import Channel, Client
from tests.firmware_bridge.flash.boards import Board, make_bundle, noise

QUIET = Told()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "one.edgert", {"model.onnx": noise(120_000, 1)})


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path / "store")


def put_over(
    cargo: Cargo, board: Board, faults: Faults = NO_FAULTS, cut: int | None = None, told: Told = QUIET
) -> Report:
    here, there = loopback(faults, cut_after_bytes=cut)
    with board.serve(there):
        try:
            confirm = "auto" if told is not QUIET else "manual"
            return flash(cargo, ImageTarget(here, Client(Channel(here))), confirm=confirm, limit_s=20, told=told)  # type: ignore[arg-type]
        finally:
            here.close()


def test_the_whole_file_arrives_and_is_tried_after_a_reset(bundle: Path, board: Board) -> None:
    with open_cargo(bundle) as cargo:
        report = put_over(cargo, board)
        trial = board.store.slots("tiny").trial
        assert trial is not None
        assert trial.image == cargo.image
        assert report.estimate.send_bytes == cargo.size_bytes
        assert report.sent.again_bytes == 0
    board.close()


@pytest.mark.parametrize("faults", [Faults(flip=3e-5, seed=1), Faults(drop=3e-5, seed=2), Faults(lose=0.01, seed=3)])
def test_a_bad_cable_is_got_over(bundle: Path, board: Board, faults: Faults) -> None:
    with open_cargo(bundle) as cargo:
        put_over(cargo, board, faults)
        assert board.store.slots("tiny").trial is not None
    board.close()


def test_after_a_cut_the_upload_goes_on_where_it_was(bundle: Path, board: Board) -> None:
    with open_cargo(bundle) as cargo:
        with pytest.raises(LinkLost):
            put_over(cargo, board, cut=120_000)
        report = put_over(cargo, board)
        assert report.sent.details["resumed_at"] > 0  # type: ignore[operator]
        assert report.sent.wire_bytes < 1.5 * cargo.size_bytes - 60_000
    board.close()


def test_a_bundle_that_does_not_stay_is_told(bundle: Path, board: Board) -> None:
    states: list[str] = []

    def refuse(line: str) -> None:
        states.append(line)
        if line == "trial":
            board.store.fail("tiny", "wrong answers")
        else:
            board.store.begin_trial("tiny")

    with open_cargo(bundle) as cargo, pytest.raises(RolledBack) as told:
        put_over(cargo, board, told=Told(line=refuse))
    assert exit_code(told.value) == 4
    assert "trial" in states
    board.close()


def test_a_bundle_that_is_kept_ends_confirmed(bundle: Path, board: Board) -> None:
    def keep(line: str) -> None:
        if line == "trial":
            board.store.confirm("tiny")
        else:
            board.store.begin_trial("tiny")

    with open_cargo(bundle) as cargo:
        assert put_over(cargo, board, told=Told(line=keep)).end == "confirmed"
        assert put_over(cargo, board).estimate.state == "active"
    board.close()


def test_a_stranger_s_file_is_refused(tmp_path: Path, board: Board) -> None:
    from edge_runtime.bundle.container.keys import SigningKey

    path = make_bundle(tmp_path / "two.edgert", {"model.onnx": b"x"}, key=SigningKey.new("release"))
    with open_cargo(path) as cargo, pytest.raises(EdgertError) as told:
        put_over(cargo, board)
    assert exit_code(told.value) == 2
    assert not board.store.state().models
    board.close()
