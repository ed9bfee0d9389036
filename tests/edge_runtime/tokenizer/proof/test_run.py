"""A run of the proof fails unless something was compared and nothing differs, and goes on where it was stopped."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from tests.edge_runtime.tokenizer import parity
from tests.edge_runtime.tokenizer.proof import work
from tests.edge_runtime.tokenizer.proof.work import FAMILIES, Result, Unit

UNIT = Unit("cases", "unigram", 0)
EQUAL = Result(UNIT, {"different": 0, "texts": 7}, [])


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([EQUAL], 0),
        ([EQUAL, Result(Unit("cases", "clip", 0), {"different": 1, "texts": 7}, ["x"])], 1),
        ([EQUAL, Result(Unit("cases", "clip", 0), {"different": 0, "refused": 20}, [])], 1),
        ([], 1),
    ],
)
def test_a_difference_or_nothing_compared_is_a_failure(results: list[Result], status: int, tmp_path: Path) -> None:
    output = tmp_path / "parity.json"
    assert parity._summarize(results, [], 0, output) == status
    rows = json.loads(output.read_text())["rows"]
    assert sum(row["different"] for row in rows) == sum(result.totals["different"] for result in results)


def test_a_unit_that_breaks_off_is_a_difference_and_shows_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: object, **__: object) -> None:
        raise IndexError("beyond the table")

    monkeypatch.setattr(work, "contenders", broken)
    result = work.work(UNIT, 0, tmp_path)
    assert result.totals["different"] == 1
    assert "beyond the table" in result.examples[0]


def test_what_is_done_is_read_again_but_for_a_line_cut_off(tmp_path: Path) -> None:
    done = tmp_path / "done.jsonl"
    line = json.dumps(asdict(EQUAL))
    done.write_text(f"{line}\n{line[:20]}")
    assert parity._read(done) == {UNIT: EQUAL}
    assert parity._read(tmp_path / "none") == {}


def test_a_million_texts_a_family_are_no_fewer() -> None:
    for family, files in FAMILIES.items():
        counts = {"fuzz": 0, "cases": 0}
        for unit in work.units(0, 1_000_000, (family, *files)):
            counts[unit.kind] += work.FUZZ_TEXTS if unit.kind == "fuzz" else work.CASES * work.CASE_TEXTS
        assert sum(counts.values()) >= (1_000_000 if files else work.RANDOM_SHARE * 1_000_000)
