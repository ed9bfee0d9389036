"""The audit file: what is in it, what it costs the card, and what happens when the disk is full."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.config import AuditConfig
from edge_runtime.errors import ConfigError
from edge_runtime.observing.audit import DAY_SHARES, RING_ROWS, Audit, AuditRow, body_sha256, texts_sha256
from tests.brokers import wait_until

MakeAudit = Callable[..., Audit]


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def make(file: Path) -> Iterator[MakeAudit]:
    made: list[Audit] = []

    def build(clock: Clock | None = None, **settings: Any) -> Audit:
        config = AuditConfig(**{"file": str(file), "sync_s": 3600, **settings})
        made.append(Audit(config, clock or Clock()))
        return made[-1]

    yield build
    for audit in made:
        audit.close()


def row(number: int = 7, **changed: Any) -> AuditRow:
    texts = [f"text {number}"]
    given = {
        "at_s": 1_700_000_000.5, "user": "hub/panel", "model": "intents", "version": "1", "model_sha256": "ab" * 32,
        "input_sha256": texts_sha256(texts), "output_sha256": body_sha256(b"{}"), "status": 200,
        "request_id": str(number), "texts": texts, "answer": {"label": "HassTurnOn"},
    }  # fmt: skip
    return AuditRow(**{**given, **changed})


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="ascii").splitlines()]


def test_a_row_says_who_asked_what_of_which_model_and_holds_no_content(file: Path, make: MakeAudit) -> None:
    audit = make()
    audit.record(row())
    audit.close()
    assert rows(file) == [
        {
            "ts": "2023-11-14T22:13:20.500Z",
            "user": "hub/panel",
            "model": "intents",
            "version": "1",
            "model_sha256": "ab" * 32,
            "input_sha256": hashlib.sha256(b"text 7").hexdigest(),
            "output_sha256": hashlib.sha256(b"{}").hexdigest(),
            "status": 200,
            "id": "7",
        }
    ]
    assert "HassTurnOn" not in file.read_text()


def test_content_is_kept_if_it_is_switched_on(file: Path, make: MakeAudit) -> None:
    audit = make(content=True)
    audit.record(row(texts=("a\nb", "\ud800"), answer={"score": 0.5}))
    audit.close()
    (found,) = rows(file)
    assert (found["texts"], found["answer"]) == (["a\nb", "\ud800"], {"score": 0.5})


def test_only_its_owner_can_read_the_file(file: Path, make: MakeAudit) -> None:
    make()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_hashes_are_those_of_sha256sum_and_tell_two_texts_from_one() -> None:
    one, two = (hashlib.sha256(text).hexdigest() for text in (b"ab", b"c"))
    assert texts_sha256(["ab"]) == one
    assert texts_sha256(["ab", "c"]) == hashlib.sha256(f"{one}\n{two}\n".encode()).hexdigest()
    assert texts_sha256(["a", "bc"]) != texts_sha256(["ab", "c"])
    assert len(texts_sha256(["\ud800"])) == 64


def test_rows_wait_in_memory_and_are_written_with_one_sync(
    file: Path, make: MakeAudit, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []
    monkeypatch.setattr(os, "fsync", syncs.append)
    audit = make()
    for number in range(100):
        audit.record(row(number))
    assert file.stat().st_size == 0
    audit.flush()
    audit.flush()
    assert [found["id"] for found in rows(file)] == [str(number) for number in range(100)]
    assert len(syncs) == 1


def test_rows_are_written_every_so_many_seconds_by_themselves(file: Path, make: MakeAudit) -> None:
    audit = make(sync_s=1)
    audit.record(row())
    wait_until("the row is in the file", lambda: file.stat().st_size > 0)


def test_half_a_ring_is_written_before_its_time(file: Path, make: MakeAudit) -> None:
    audit = make()
    for number in range(RING_ROWS // 2):
        audit.record(row(number))
    wait_until("rows are in the file", lambda: file.stat().st_size > 0)
    assert audit.dropped == 0


def test_the_file_and_its_predecessor_stay_within_their_size(file: Path, make: MakeAudit) -> None:
    audit, before = make(most_mb=1), Path(f"{file}.1")
    for batch in range(12):
        for number in range(400):
            audit.record(row(batch * 400 + number))
        audit.flush()
        total = sum(path.stat().st_size for path in (file, before) if path.exists())
        assert total <= 1 << 20
    kept = [int(found["id"]) for path in (before, file) for found in rows(path)]
    assert kept == list(range(kept[0], 4800))
    assert len(kept) > 1000
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name, before.name]


def test_no_more_than_a_days_budget_is_written_and_the_gap_is_in_the_file(
    file: Path, make: MakeAudit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, written = Clock(), 0
    audit = make(clock, most_mb=1, content=True)
    with caplog.at_level(logging.INFO, "edgert.audit"):
        for number in range(DAY_SHARES * 3):
            audit.record(row(number, texts=["x" * 500_000]))
            audit.flush()
            written += audit.dropped == 0
    assert DAY_SHARES < written == (DAY_SHARES << 20) // 500_500
    assert audit.dropped == DAY_SHARES * 3 - written
    assert len(caplog.records) == 1
    clock.now_s = 86_400.0
    audit.record(row(999))
    audit.flush()
    assert [found.get("dropped", found.get("id")) for found in rows(file)][-2:] == [audit.dropped, "999"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is not there")
def test_a_full_disk_drops_and_counts_and_warns_once(make: MakeAudit, caplog: pytest.LogCaptureFixture) -> None:
    audit = make(file="/dev/full")
    for _ in range(3):
        audit.record(row())
        audit.flush()
    assert audit.dropped == 3
    assert [entry.levelname for entry in caplog.records] == ["WARNING"]
    assert "No space left" in caplog.text


def test_a_write_that_breaks_off_leaves_no_half_line_and_the_next_goes_on(
    file: Path, make: MakeAudit, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = make()
    audit.record(row(1))
    audit.flush()
    real_write = os.write
    chunks = iter([True, False])

    def write(descriptor: int, data: Any) -> int:
        if next(chunks):
            return real_write(descriptor, bytes(data)[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write)
        audit.record(row(2))
        audit.flush()
    audit.record(row(3))
    audit.flush()
    assert [found.get("id") for found in rows(file)] == ["1", None, "3"]
    assert rows(file)[1]["dropped"] == 1


def test_a_line_that_a_power_cut_left_unfinished_spoils_only_itself(file: Path, make: MakeAudit) -> None:
    file.write_text('{"ts":"2023')
    audit = make()
    audit.record(row())
    audit.close()
    first, second = file.read_text().splitlines()
    assert first == '{"ts":"2023'
    assert json.loads(second)["id"] == "7"


def test_a_ring_that_is_full_drops_the_newest_and_says_so(
    file: Path, make: MakeAudit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Audit, "_half_full", lambda self: False)
    audit = make()
    for number in range(RING_ROWS + 5):
        audit.record(row(number))
    audit.close()
    audit.record(row())
    found = rows(file)
    assert found[0]["dropped"] == 5
    assert found[-1]["id"] == str(RING_ROWS - 1)
    assert audit.dropped == 6


def test_a_file_that_cannot_be_written_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot write audit\.file .*: No such file"):
        Audit(AuditConfig(file=str(tmp_path / "none" / "audit.jsonl")))
