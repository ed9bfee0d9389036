"""What a daemon does with its store: it follows whatever changes there, and nothing that fails takes a model away."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.errors import BadStore, NothingThere, TrialFailed, UpdateError
from edge_runtime.bundle.manifest import read_manifest
from edge_runtime.bundle.store.disk import RealDisk
from edge_runtime.bundle.store.store import Store
from edge_runtime.bundle.store.views import Views
from edge_runtime.config import UpdatesConfig
from edge_runtime.errors import EdgertError, GoldenMismatch, NoMemory
from edge_runtime.updates.following import Told, Updates
from edge_runtime.updates.trial import TrialLeft
from tests.edge_runtime.bundle.signed import TRUST, bundle_bytes, opened


class FakeKeeper:
    """Loads nothing, but says what it would serve; `refuses` what it is told to refuse."""

    def __init__(self) -> None:
        self.served: dict[str, str] = {}
        self.refuses: EdgertError | None = None
        self.asked = 0  # how often it refused

    def load(self, folder: Path, told: Told) -> None:
        manifest = read_manifest(folder)
        if self.refuses is not None:
            self.asked += 1
            told(self.refuses)
            return
        old = self.served.get(manifest.name)
        self.served[manifest.name] = manifest.version
        told({"model": manifest.name, "version": manifest.version, "replaced": old})

    def unload(self, name: str, told: Told) -> None:
        del self.served[name]
        told({"model": name, "unloaded": True})


class Board:
    """A store, and the part of a daemon that follows it."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.root, self.settings = root, UpdatesConfig(**{"settle_s": 30, **settings})
        self.store = Store(RealDisk(root), lambda: TRUST, tries=self.settings.tries)
        self.now_s = 0.0
        self.tried: list[str] = []
        self.outcome: Callable[[], str] = lambda: "3 golden rows agree"
        self.changed: list[str] = []
        self.start()

    def start(self) -> None:
        """A daemon starts, after whatever ended the one before."""
        self.keeper = FakeKeeper()
        self.updates = Updates(
            self.store,
            Views(self.root),
            self.keeper,
            self.settings,
            1,
            self.changed.append,
            self.try_out,
            lambda: self.now_s,
        )
        for folder in self.updates.first():
            self.keeper.load(Path(folder), lambda outcome: None)

    def try_out(self, folder: Path, threads: int, limit_s: float, stopped: Callable[[], bool]) -> str:
        self.tried.append(read_manifest(folder).version)
        return self.outcome()

    def install(self, version: str, counter: int = 1, *, test: bool = True) -> None:
        self.store.install(opened(bundle_bytes(version, counter)), test=test)

    @property
    def serves(self) -> str | None:
        return self.keeper.served.get("tiny")


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """It serves 1.0.0."""
    made = Board(tmp_path / "store")
    made.install("1.0.0")
    made.updates.look()
    made.now_s += 31
    made.updates.look()
    assert made.serves == "1.0.0"
    assert made.store.slots("tiny").active is not None
    made.changed.clear()
    made.tried.clear()
    return made


def failing(error: Exception) -> Callable[[], str]:
    def fail() -> str:
        raise error

    return fail


def test_a_new_bundle_is_tried_serves_and_is_kept_after_it_has_served_for_a_while(board: Board) -> None:
    board.install("2.0.0")
    board.updates.look()
    assert (board.serves, board.tried) == ("2.0.0", ["2.0.0"])
    assert board.store.slots("tiny").trial is not None
    board.now_s += 29
    board.updates.look()
    assert board.store.slots("tiny").trial is not None
    board.now_s += 1
    board.updates.look()
    slots = board.store.slots("tiny")
    assert slots.active is not None
    assert (slots.active.version, slots.trial) == ("2.0.0", None)
    assert board.tried == ["2.0.0"]


def test_a_bundle_whose_golden_rows_fail_never_serves(board: Board) -> None:
    board.outcome = failing(TrialFailed("golden_mismatch: something else"))
    board.install("2.0.0")
    board.updates.look()
    assert board.serves == "1.0.0"
    refused = board.store.slots("tiny").refused
    assert refused is not None
    assert refused.reason == "trial_failed: golden_mismatch: something else"
    board.updates.look()
    assert board.tried == ["2.0.0"]  # and is not tried again


def test_a_bundle_that_the_keeper_cannot_load_leaves_the_old_one(board: Board) -> None:
    board.keeper.refuses = GoldenMismatch("not here")
    board.install("2.0.0")
    board.updates.look()
    assert board.serves == "1.0.0"
    assert board.store.slots("tiny").trial is None


def test_a_bundle_that_ends_the_daemon_is_given_up_after_its_tries(board: Board) -> None:
    class Died(BaseException):
        """The process is gone."""

    def die() -> str:
        raise Died

    board.outcome = die
    board.install("2.0.0")
    for begun in itertools.count():
        try:
            board.updates.look()
        except Died:
            assert begun < 3
            board.start()
            assert board.serves == "1.0.0"
            continue
        break
    assert begun == 3
    refused = board.store.slots("tiny").refused
    assert refused is not None
    assert "begun 3 times" in refused.reason


def test_with_confirm_manual_somebody_must_say_so_or_it_goes(tmp_path: Path) -> None:
    board = Board(tmp_path / "store", confirm="manual", tries=1)
    for version in ("1.0.0", "2.0.0"):
        board.install(version)
        board.updates.look()
        board.now_s += 1e6
        board.updates.look()
        assert (board.serves, board.store.slots("tiny").trial is not None) == (version, True)
        if version == "1.0.0":
            board.store.confirm("tiny")
            board.updates.look()
    board.start()  # as MCUboot does: a reset without a confirmation is a way back
    board.updates.look()
    assert board.serves == "1.0.0"
    assert board.store.slots("tiny").trial is None


def test_a_rollback_by_another_process_is_followed(board: Board) -> None:
    board.install("2.0.0")
    board.updates.look()
    board.store.rollback("tiny")
    board.updates.look()
    assert board.serves == "1.0.0"
    board.install("2.0.0")
    board.updates.look()
    board.now_s += 31
    board.updates.look()
    board.store.rollback("tiny")
    board.updates.look()
    assert board.serves == "1.0.0"


def test_the_first_bundle_of_a_model_that_fails_leaves_no_model(tmp_path: Path) -> None:
    board = Board(tmp_path / "store")
    board.install("1.0.0")
    board.updates.look()
    assert board.serves == "1.0.0"
    board.store.fail("tiny", "by hand")
    board.updates.look()
    assert board.serves is None


def test_a_bundle_that_waits_is_told_of_and_tried_when_it_is_asked_for(board: Board) -> None:
    board.install("2.0.0", test=False)
    board.updates.look()
    assert (board.serves, board.changed, board.updates.waiting("tiny")) == ("1.0.0", ["tiny"], "2.0.0")
    told: list[object] = []
    board.updates.install("tiny", told.append)
    board.updates.look()
    assert board.serves == "2.0.0"
    assert told == [{"model": "tiny", "version": "2.0.0", "replaced": "1.0.0"}]
    assert board.updates.waiting("tiny") is None
    board.updates.install("tiny", told.append)
    board.updates.look()
    assert isinstance(told[1], NothingThere)


def test_whoever_asked_is_told_why_a_bundle_is_not_taken(board: Board) -> None:
    board.outcome = failing(TrialFailed("wrong"))
    board.install("2.0.0", test=False)
    told: list[object] = []
    board.updates.install("tiny", told.append)
    board.updates.look()
    assert [str(one) for one in told] == ["wrong"]


def test_what_is_active_but_damaged_is_replaced_by_what_was_before(board: Board) -> None:
    board.install("2.0.0")
    board.updates.look()
    board.now_s += 31
    board.updates.look()
    active = board.store.slots("tiny").active
    assert active is not None
    model = board.store.manifest(active.digest).manifest.files[0]
    damaged = board.root / "objects" / model.sha256
    damaged.chmod(0o644)
    damaged.write_bytes(bytes(damaged.stat().st_size))
    board.start()
    assert board.serves == "1.0.0"
    board.updates.look()
    assert board.serves == "1.0.0"
    board.install("2.0.1")
    board.updates.look()
    assert board.serves == "2.0.1"


def test_a_model_that_cannot_be_followed_does_not_keep_others_from_it(board: Board, tmp_path: Path) -> None:
    board.store.install(opened(bundle_bytes("1.0.0", 1, name="first")))
    board.install("2.0.0")
    board.store.fail("first", "x")
    digest = board.store.install(opened(bundle_bytes("1.0.1", 1, name="first"))).digest
    (board.root / "bundles" / digest).unlink()
    board.updates.look()
    assert board.keeper.served == {"tiny": "2.0.0"}
    assert board.store.slots("first").trial is None


def test_an_active_bundle_that_cannot_be_loaded_is_not_tried_again_and_again(board: Board) -> None:
    board.install("2.0.0")
    board.updates.look()
    board.now_s += 31
    board.updates.look()
    board.keeper.refuses = NoMemory("tiny", 10, 5, {})
    board.store.rollback("tiny")
    for _ in range(3):
        board.updates.look()
    assert (board.serves, board.keeper.asked) == ("2.0.0", 1)


def test_what_is_not_needed_is_cleared_away_when_a_bundle_is_kept(board: Board) -> None:
    for number in (2, 3, 4):
        board.install(f"{number}.0.0")
        board.updates.look()
        board.now_s += 31
        board.updates.look()
    assert len(list((board.root / "objects").iterdir())) == 3
    assert len(list((board.root / "views").iterdir())) == 2
    assert {read_manifest(Path(folder)).version for folder in board.updates.folders} == {"4.0.0"}


def test_a_daemon_that_stops_in_a_trial_leaves_it_for_the_next_one(board: Board) -> None:
    board.outcome = failing(TrialLeft())
    board.install("2.0.0")
    with pytest.raises(TrialLeft):
        board.updates.look()
    slots = board.store.slots("tiny")
    assert slots.trial is not None
    assert (slots.tries, slots.refused) == (2, None)
    board.outcome = lambda: "good"
    board.start()
    board.updates.look()
    assert board.serves == "2.0.0"


def test_a_state_that_cannot_be_read_stops_a_daemon_at_its_start_only(board: Board) -> None:
    (board.root / "state.json").chmod(0o644)
    (board.root / "state.json").write_bytes(b"{")
    with pytest.raises(BadStore):
        board.updates.first()
    board.updates.start()
    board.updates.stop()
    assert board.serves == "1.0.0"


def test_the_thread_follows_by_itself_and_ends_when_it_is_told(board: Board) -> None:
    import queue

    told: queue.SimpleQueue[object] = queue.SimpleQueue()
    board.install("2.0.0", test=False)
    board.updates.start()
    board.updates.install("tiny", told.put)
    outcome = told.get(timeout=20)
    assert not isinstance(outcome, UpdateError)
    board.updates.stop()
    assert board.serves == "2.0.0"
