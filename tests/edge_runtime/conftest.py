"""The small model and the service around it that several test files use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edge_runtime.pipeline import Pipeline, open_pipeline
from tests import tiny
from tests.service_bench import WAIT_S, Bench


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return open_pipeline(tiny.write_bundle(tmp_path_factory.mktemp("service") / "bundle"))


@pytest.fixture
def make_bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(model: Pipeline | dict[str, Pipeline], **options: Any) -> Bench:
        made.append(Bench(model, **options))
        return made[-1]

    yield make
    for bench in made:
        assert bench.service.drain(WAIT_S)
