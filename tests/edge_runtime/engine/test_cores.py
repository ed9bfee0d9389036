from __future__ import annotations

import dataclasses

import pytest

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.engine.cores import MOST_RUNS, SMALL_MB, Cores, is_small
from edge_runtime.pipeline import Pipeline


@pytest.fixture
def small(pipeline: Pipeline) -> Manifest:
    return pipeline.manifest


@pytest.fixture
def large(small: Manifest) -> Manifest:
    files = [
        dataclasses.replace(file, size=SMALL_MB * 1_000_000 + 1) if file.role == "model" else file
        for file in small.files
    ]
    return dataclasses.replace(small, files=tuple(files))


def test_a_model_is_small_by_its_weights_and_its_task(small: Manifest, large: Manifest) -> None:
    pictures = dataclasses.replace(small, task=dataclasses.replace(small.task, name="ocr"))
    assert [is_small(manifest) for manifest in (small, large, pictures)] == [True, False, False]


def test_small_models_run_side_by_side_on_a_core_each_and_large_ones_in_turn_on_all(
    small: Manifest, large: Manifest
) -> None:
    cores = Cores(3)
    assert cores.runs == 3
    assert [cores.threads_of(manifest) for manifest in (small, large)] == [1, 0]
    assert [cores.at_once(manifest) for manifest in (small, large)] == [3, 1]
    assert [cores.takes_all(manifest) for manifest in (small, large)] == [False, True]


def test_many_cores_do_not_mean_many_runs(small: Manifest) -> None:
    assert Cores(64).runs == MOST_RUNS
    assert Cores(64, workers=16).at_once(small) == 16


@pytest.mark.parametrize(
    ("cores", "threads", "at_once"),
    [
        (Cores(4, workers=1), 0, 1),
        (Cores(4, workers=8), 1, 8),
        (Cores(4, threads=3, per_model=1), 3, 1),
        (Cores(4, threads=1), 1, 4),
        (Cores(4, threads=2, per_model=2), 2, 2),
        (Cores(4, workers=2, per_model=1), 2, 1),
    ],
)
def test_what_the_config_says_counts_for_every_model(
    cores: Cores, threads: int, at_once: int, small: Manifest, large: Manifest
) -> None:
    for manifest in (small, large):
        assert (cores.threads_of(manifest), cores.at_once(manifest)) == (threads, at_once)
