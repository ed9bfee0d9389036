from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from firmware_bridge.smp import parts
from firmware_bridge.smp.parts import STEP_BYTES, Part, Parts
from firmware_bridge.smp.ranges import MOST_RANGES

SIZE = 1_000_000
CONTENT = random.Random(1).randbytes(SIZE)
CHUNK = 8192


def fill(part: Part, start: int, end: int) -> None:
    for at in range(start, end, CHUNK):
        part.write(at, CONTENT[at : min(at + CHUNK, end)])


def test_what_has_come_is_there_after_the_process_was_killed_but_for_one_step(tmp_path: Path) -> None:
    fill(Part(tmp_path, "x", SIZE), 0, 400_000)
    again = Part(tmp_path, "x", SIZE)
    assert 400_000 - STEP_BYTES - CHUNK < again.prefix <= 400_000
    assert again.prefix == again.durable
    fill(again, again.prefix, SIZE)
    assert again.whole
    assert b"".join(again.pieces()) == CONTENT


def test_pieces_may_come_in_any_order_and_more_than_once(tmp_path: Path) -> None:
    part, places = Part(tmp_path, "x", SIZE), list(range(0, SIZE, CHUNK)) * 2
    random.Random(2).shuffle(places)
    new = sum(part.write(at, CONTENT[at : at + CHUNK]) for at in places)
    assert (new, part.whole, part.durable) == (SIZE, True, SIZE)
    assert b"".join(part.pieces()) == CONTENT


def test_bytes_are_synced_before_the_journal_says_that_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is all that makes a journal true after a power cut."""
    done: list[str] = []
    names: dict[int, str] = {}
    real_open, real_fsync, real_write = os.open, os.fsync, os.write

    def opened(path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = real_open(path, flags, mode)
        names[descriptor] = Path(path).suffix or "folder"
        return descriptor

    def synced(descriptor: int) -> None:
        done.append(f"sync {names[descriptor]}")
        real_fsync(descriptor)

    def written(descriptor: int, data: bytes) -> int:
        done.append(f"write {names[descriptor]}")
        return real_write(descriptor, data)

    monkeypatch.setattr(parts.os, "open", opened)
    monkeypatch.setattr(parts.os, "fsync", synced)
    monkeypatch.setattr(parts.os, "write", written)
    part = Part(tmp_path, "x", SIZE)
    fill(part, 0, STEP_BYTES)
    assert done == ["sync .part", "write .journal", "sync .journal", "sync folder"]
    assert part.durable == STEP_BYTES


@pytest.mark.parametrize("kept", range(0, 200, 7))
def test_a_journal_that_was_torn_anywhere_says_less_and_never_more(tmp_path: Path, kept: int) -> None:
    fill(Part(tmp_path, "x", SIZE), 0, 3 * STEP_BYTES)
    journal = tmp_path / "x.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:kept] + b"\xff\x00garbage"[: max(0, len(whole) - kept)])
    again = Part(tmp_path, "x", SIZE)
    assert again.prefix in {0, STEP_BYTES, 2 * STEP_BYTES, 3 * STEP_BYTES}
    fill(again, again.prefix, SIZE)
    assert b"".join(again.pieces()) == CONTENT


def test_a_line_after_a_torn_one_counts(tmp_path: Path) -> None:
    fill(Part(tmp_path, "x", SIZE), 0, STEP_BYTES)
    journal = tmp_path / "x.journal"
    journal.write_bytes(journal.read_bytes() + b"0badc0de 1000000 0-99")
    fill(Part(tmp_path, "x", SIZE), STEP_BYTES, 2 * STEP_BYTES)
    assert Part(tmp_path, "x", SIZE).prefix == 2 * STEP_BYTES


def test_a_part_of_another_size_is_begun_anew(tmp_path: Path) -> None:
    fill(Part(tmp_path, "x", SIZE), 0, STEP_BYTES)
    assert Part(tmp_path, "x", SIZE - 1).prefix == 0


def test_more_gaps_than_are_kept_account_of_count_as_not_having_come(tmp_path: Path) -> None:
    part = Part(tmp_path, "x", SIZE)
    taken = [part.write(at, b"x") for at in range(1, 2001, 2)]
    assert sum(taken) == MOST_RANGES
    assert part.write(0, CONTENT[:2001]) == 2001 - MOST_RANGES


def test_few_parts_are_open_at_once_and_none_loses_anything(tmp_path: Path) -> None:
    held = Parts(tmp_path)
    for index in range(parts.MOST_OPEN + 5):
        held.open(f"n{index}", SIZE).write(0, CONTENT[:100])
    here = [path for path in Path("/proc/self/fd").iterdir() if path.exists() and str(tmp_path) in str(path.readlink())]
    assert len(here) == 2 * parts.MOST_OPEN
    assert held.open("n0", SIZE).prefix == 100
    held.close()


def test_what_nobody_has_gone_on_with_is_thrown_away(tmp_path: Path) -> None:
    Parts(tmp_path).open("old", SIZE).write(0, CONTENT[:STEP_BYTES])
    os.utime(tmp_path / "old.part", (0, 0))
    held = Parts(tmp_path)
    held.open("new", SIZE).write(0, CONTENT[:STEP_BYTES])
    held.forget_older(3600)
    assert held.names() == ["new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.journal", "new.part"]
