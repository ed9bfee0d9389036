"""The power goes, before every single operation: the board always has a whole bundle, the old one or the new one.

Each cut leaves many possible disks; some are tried of each. The same campaign against stores with one step left out
finds bad states in all of them, so that it can be believed when it finds none. `POWER_CUTS` sets how many.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from edge_runtime.bundle.errors import BadContainer, BadStore, NoSpace, NothingThere
from edge_runtime.bundle.manifest import FileEntry
from edge_runtime.bundle.store.state import Installed, State
from edge_runtime.bundle.store.store import Store
from tests.edge_runtime.bundle.signed import TRUST, bundle_bytes, opened
from tests.edge_runtime.bundle.store.lossy_disk import LossyDisk, NoFolderSync, NoSync, PowerCut

CUTS = int(os.environ.get("POWER_CUTS", "1500"))
MUTANT_CUTS = 240
OLD, NEW = bundle_bytes("1.0.0", 1), bundle_bytes("2.0.0", 2)
OLD_DIGEST, NEW_DIGEST = opened(OLD).signed.digest, opened(NEW).signed.digest

MakeStore = Callable[[LossyDisk], Store]


def store_on(disk: LossyDisk) -> Store:
    return Store(disk, lambda: TRUST)


class StateFirst(Store):
    """A mutant: the state names a bundle before its files are there."""

    def install(self, bundle: object, *, test: bool = True) -> Installed:
        signed = opened(NEW).signed
        installed = Installed(signed.digest, "2.0.0", 2)
        with self._changing() as state:
            self._write(State(state.models, state.seq))
            slots = state.models["tiny"].received(installed).tested(1)
            self._write(state.changed("tiny", slots))
        return super().install(opened(NEW), test=False)


class TriesAfter(Store):
    """A mutant: a try is spent only when the trial has come to its end."""

    def begin_trial(self, name: str) -> Installed | None:
        return self.slots(name).trial


class NothingChecked(Store):
    """A mutant: an object that has the right name and size is taken for whole."""

    def _is_whole(self, entry: FileEntry) -> bool:
        return self._disk.size(f"objects/{entry.sha256}") == entry.size

    def put_object(self, entry: FileEntry, content: Iterable[bytes]) -> None:
        writing = self._disk.create(f"objects/{entry.sha256}")
        for piece in content:
            writing.write(piece)


@dataclass
class Update:
    """What an updating board does, and how far it came before the power went."""

    store: Store
    acknowledged: bool = False
    confirmed: bool = False

    def run(self) -> None:
        self.store.install(opened(NEW))
        self.acknowledged = True
        trial = self.store.begin_trial("tiny")
        assert trial is not None
        self.store.check(trial.digest)
        self.store.confirm("tiny")
        self.confirmed = True
        self.store.gc()


def booted(store: Store) -> str:
    """What a daemon does at its start: try what is on trial if it is whole, else serve what is active."""
    slots = store.slots("tiny")
    while slots.trial is not None:
        trial = store.begin_trial("tiny")
        if trial is not None:
            try:
                store.check(trial.digest)
                store.confirm("tiny")
            except (BadStore, BadContainer) as error:
                store.fail("tiny", str(error))
        slots = store.slots("tiny")
    assert slots.active is not None
    store.check(slots.active.digest)
    return slots.active.digest


def prepared(disk: LossyDisk) -> LossyDisk:
    """A board that runs the old bundle, long since durable."""
    store = Store(disk, lambda: TRUST)
    store.install(opened(OLD))
    store.begin_trial("tiny")
    store.confirm("tiny")
    kept = disk.__class__()
    kept.__dict__.update(LossyDisk.after_cut(_synced(disk), random.Random(0)).__dict__)
    return kept


def _synced(disk: LossyDisk) -> LossyDisk:
    for file in disk._files.values():
        file.durable, file.unsynced = bytes(file.now), []
    for folder in ("", "objects", "bundles", "incoming"):
        LossyDisk.sync_names(disk, folder)
    return disk


def verdict(update: Update, left: LossyDisk) -> str:
    """What is wrong with what a cut has left; `old` or `new` if nothing is."""
    store = store_on(left)
    try:
        state = store.slots("tiny")
        if update.acknowledged and NEW_DIGEST not in {bundle.digest for bundle in state.bundles}:
            return "bad: acknowledged but gone"
        if update.confirmed and (state.active is None or state.active.digest != NEW_DIGEST or state.floor != 2):
            return "bad: confirmed but gone"
        if state.trial is not None and state.trial.digest == NEW_DIGEST:
            store.check(NEW_DIGEST)  # a trial is never begun before it is whole
        found = booted(store)
        store.install(opened(NEW))  # and then the same update comes to its end
        if booted(store) != NEW_DIGEST:
            return "bad: not updated afterwards"
        store.gc()
        store.check(NEW_DIGEST)
    except (BadStore, BadContainer, NothingThere, AssertionError) as error:
        return f"bad: {type(error).__name__}"
    return {OLD_DIGEST: "old", NEW_DIGEST: "new"}[found]


def campaign(make: MakeStore, disk: LossyDisk, cuts: int, room_bytes: int | None = None) -> tuple[Counter[str], int]:
    """Verdicts over `cuts` cuts, every operation in turn; and how many operations there are."""
    start = prepared(disk)
    whole = start.copy()
    Update(make(whole)).run()
    total, verdicts, rng = whole.operations, Counter[str](), random.Random(7)
    for number in range(cuts):
        tried = start.copy()
        tried.cut_at, tried.room_bytes = number % total, room_bytes or tried.room_bytes
        update = Update(make(tried))
        with contextlib.suppress(PowerCut, NoSpace, NothingThere):
            update.run()
        verdicts[verdict(update, tried.after_cut(rng))] += 1
    return verdicts, total


def test_whenever_the_power_goes_the_board_boots_the_old_bundle_or_the_new_one() -> None:
    verdicts, total = campaign(store_on, LossyDisk(), CUTS)
    assert set(verdicts) == {"old", "new"}, verdicts
    assert verdicts["old"] > total
    assert verdicts["new"] > total
    assert total >= 35  # every one of them was cut at, some dozens of times


@pytest.mark.parametrize(
    ("make", "disk"),
    [
        (store_on, NoSync()),
        (store_on, NoFolderSync()),
        (lambda disk: StateFirst(disk, lambda: TRUST), LossyDisk()),
        (lambda disk: NothingChecked(disk, lambda: TRUST), LossyDisk()),
    ],
    ids=["no sync", "no sync of names", "state first", "nothing checked"],
)
def test_a_store_with_one_step_left_out_is_found_out(make: MakeStore, disk: LossyDisk) -> None:
    verdicts, _ = campaign(make, disk, MUTANT_CUTS)
    assert sum(count for word, count in verdicts.items() if word.startswith("bad")) > 10, verdicts


def crashes_until_given_up(make: MakeStore) -> int | None:
    """How often a bundle that kills its machine is begun; None: for ever."""
    disk = prepared(LossyDisk())
    make(disk).install(opened(NEW))
    for begun in range(20):
        disk = disk.after_cut(random.Random(begun))
        if make(disk).begin_trial("tiny") is None:
            assert booted(make(disk)) == OLD_DIGEST
            return begun
    return None


def test_a_bundle_that_kills_its_machine_is_given_up_because_tries_are_spent_before() -> None:
    assert crashes_until_given_up(store_on) == 3
    assert crashes_until_given_up(lambda disk: TriesAfter(disk, lambda: TRUST)) is None


@pytest.mark.parametrize("room_bytes", range(20_000, 34_000, 1_000))
def test_a_disk_that_is_full_leaves_the_old_bundle(room_bytes: int) -> None:
    verdicts, _ = campaign(store_on, LossyDisk(), 60, room_bytes)
    assert set(verdicts) <= {"old", "new"}, verdicts


def test_two_cuts_in_a_row_are_no_worse_than_one() -> None:
    rng, start = random.Random(3), prepared(LossyDisk())
    for number in range(300):
        disk = start.copy()
        for _ in range(2):
            disk.cut_at = disk.operations + rng.randrange(45)
            update = Update(store_on(disk))
            with contextlib.suppress(PowerCut, NothingThere):  # nothing: the new one is active already
                booted(update.store)
                update.run()
            disk = disk.after_cut(rng)
        assert verdict(Update(store_on(disk)), disk) in ("old", "new"), number
