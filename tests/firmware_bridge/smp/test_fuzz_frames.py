from __future__ import annotations

from pathlib import Path

import pytest

from tests.firmware_bridge.smp import fuzz_frames
from tests.firmware_bridge.smp.hub_bench import HubBench


def test_no_frame_breaks_the_server_or_lets_it_grow(tmp_path: Path) -> None:
    """A small share; `make fuzz-smp` sends a million."""
    said = fuzz_frames.run(6000, 7, tmp_path)
    assert said.broken == 0
    assert 2000 < said.answered < 6000
    assert said.grown_mb < 64


def test_the_fuzzer_finds_a_fault_that_is_planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutant: a number that a client sends is believed."""
    from firmware_bridge.smp.files import Files

    def believing(self: Files, name: str, offset: int, most: int) -> tuple[bytes, int]:
        return [b"only one"][offset], 8

    monkeypatch.setattr(Files, "read", believing)
    assert fuzz_frames.run(3000, 7, tmp_path).broken > 0
    assert HubBench(tmp_path / "again").client.write(0, 0, d="hi") == {"r": "hi"}
