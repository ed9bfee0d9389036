"""Checkpoints that several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools import checkpoints


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny-bert")


@pytest.fixture(scope="session")
def classifier_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny-classifier", task="classify")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty edgert cache for this test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("EDGERT_CACHE", str(folder))
    return folder
