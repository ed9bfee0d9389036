"""Models that come, change and go while others are asked: what fails changes nothing, and nobody is lost."""

from __future__ import annotations

import dataclasses
import itertools
import json
import queue
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.golden import read_golden, write_golden
from edge_runtime.bundle.manifest import MANIFEST, Manifest, read_manifest, seal_bundle
from edge_runtime.config import LimitsConfig
from edge_runtime.engine.memory import ModelShelf
from edge_runtime.errors import BadRequest, BundleFileAltered, ConfigError, EdgertError, GoldenMismatch, ModelNotFound
from edge_runtime.keeper import Keeper, estimate_mb, within
from edge_runtime.mqtt.message import Message
from edge_runtime.service import Service
from tests import tiny
from tests.service_bench import TOPICS, WAIT_S, Gate, request


class House:
    """A service with its keeper, and what both said."""

    def __init__(self, budget_mb: float = 1000.0, bundle: Manifest | None = None) -> None:
        self.replies: queue.Queue[Message] = queue.Queue()
        self.changed: list[str] = []
        self.now = 0.0
        self.service = Service(
            {},
            TOPICS,
            LimitsConfig(),
            self._publish,
            wanted=lambda name: self.keeper.want(name),
            finished=lambda job, *_: self.keeper.used(job.request.model),
        )
        self.shelf = ModelShelf(budget_mb)
        grows = itertools.count(step=estimate_mb(bundle) if bundle else 0.0)
        self.keeper = Keeper(
            self.service,
            self.shelf,
            lambda manifest: 1,
            self.changed.append,
            clock=lambda: self.now,
            rss_mb=lambda: float(next(grows)),
        )
        self.service.start()
        self.keeper.start()

    def _publish(self, message: Message) -> bool:
        self.replies.put(message)
        return True

    def answer(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.replies.get(timeout=WAIT_S).payload)
        return body

    def ask(self, model: str) -> dict[str, Any]:
        self.service.receive(request(model=model))
        return self.answer()


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.keeper.stop()
    assert made.service.drain(WAIT_S)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    tiny.write_bundle(folder / "one", name="one")
    tiny.write_bundle(folder / "two", name="two")
    tiny.write_bundle(folder / "three", name="three")
    tiny.write_bundle(folder / "one-newer", name="one", version="2.0.0")
    return folder


def broken(source: Path, target: Path) -> Path:
    """The same bundle with golden rows that this model does not give."""
    shutil.copytree(source, target)
    manifest = read_manifest(target)
    rows = read_golden(target / "golden.json").rows
    write_golden(target / "golden.json", [dataclasses.replace(row, values=row.values[::-1]) for row in rows])
    (target / MANIFEST).unlink()
    seal_bundle(target, manifest, {entry.path: entry.role for entry in manifest.files})
    return target


def test_what_is_configured_is_loaded_and_announced(house: House, bundles: Path) -> None:
    house.keeper.add([str(bundles / "one"), str(bundles / "two")], on_demand=False)
    assert house.changed == ["one", "two"]
    assert house.ask("one")["model"] == "one"
    assert house.ask("two")["model"] == "two"


def test_no_bundle_and_two_of_one_name_are_refused(house: House, bundles: Path) -> None:
    with pytest.raises(ConfigError, match="no bundle"):
        house.keeper.add([], on_demand=False)
    with pytest.raises(ConfigError, match="two bundles are named 'one'"):
        house.keeper.add([str(bundles / "one"), str(bundles / "one-newer")], on_demand=False)


def test_no_bundle_at_first_is_no_mistake_where_they_may_come_later(house: House, bundles: Path) -> None:
    house.keeper.add([], on_demand=False, may_be_none=True)
    house.keeper.load_now(bundles / "one")
    assert house.ask("one")["model"] == "one"


def test_a_newer_bundle_takes_over(house: House, bundles: Path) -> None:
    house.keeper.add([str(bundles / "one")], on_demand=False)
    told: queue.Queue[object] = queue.Queue()
    house.keeper.load(bundles / "one-newer", told.put)
    assert told.get(timeout=WAIT_S) == {"model": "one", "version": "2.0.0", "replaced": "1.2.3"}
    assert house.ask("one")["version"] == "2.0.0"
    assert house.changed == ["one", "one"]


def test_a_bundle_whose_golden_rows_fail_changes_nothing(house: House, bundles: Path, tmp_path: Path) -> None:
    house.keeper.add([str(bundles / "one")], on_demand=False)
    bad = broken(bundles / "one-newer", tmp_path / "bad")
    told: queue.Queue[object] = queue.Queue()
    house.keeper.load(bad, told.put)
    assert isinstance(told.get(timeout=WAIT_S), GoldenMismatch)
    assert house.ask("one")["version"] == "1.2.3"


def test_a_damaged_bundle_changes_nothing(house: House, bundles: Path, tmp_path: Path) -> None:
    house.keeper.add([str(bundles / "one")], on_demand=False)
    shutil.copytree(bundles / "one-newer", tmp_path / "bad")
    (tmp_path / "bad" / "model.onnx").write_bytes(b"x" * (tmp_path / "bad" / "model.onnx").stat().st_size)
    with pytest.raises(BundleFileAltered):
        house.keeper.load_now(tmp_path / "bad")
    assert house.ask("one")["version"] == "1.2.3"


def test_an_unloaded_model_is_gone(house: House, bundles: Path) -> None:
    house.keeper.add([str(bundles / "one"), str(bundles / "two")], on_demand=False)
    assert house.keeper.unload_now("one") == {"model": "one", "unloaded": True}
    assert house.ask("one")["error"]["reason"] == "model_not_found"
    assert house.ask("two")["model"] == "two"
    with pytest.raises(ModelNotFound):
        house.keeper.unload_now("one")


def test_a_changed_list_of_bundles_loads_exchanges_and_unloads(house: House, bundles: Path) -> None:
    house.keeper.add([str(bundles / "one")], on_demand=False)
    assert house.keeper.keep_only([str(bundles / "one-newer"), str(bundles / "two")]) == []
    assert house.ask("one")["version"] == "2.0.0"
    assert house.keeper.keep_only([str(bundles / "two")]) == []
    assert house.service.models.names == ["two"]


def test_nothing_is_unloaded_while_a_bundle_of_the_list_cannot_be_read(
    house: House, bundles: Path, tmp_path: Path
) -> None:
    house.keeper.add([str(bundles / "one")], on_demand=False)
    problems = house.keeper.keep_only([str(tmp_path / "nowhere")])
    assert "nowhere" in problems[0]
    assert house.ask("one")["model"] == "one"


def test_with_too_little_memory_models_take_turns(bundles: Path) -> None:
    manifest = read_manifest(bundles / "one")
    house = House(estimate_mb(manifest) * 1.5, manifest)
    house.keeper.add([str(bundles / "one"), str(bundles / "two")], on_demand=True)
    assert list(house.service.models.loaded) == ["one"]
    for model in ("two", "one", "two"):
        house.now += 60.0
        assert house.ask(model)["model"] == model
        assert list(house.service.models.loaded) == [model]
    assert house.service.models.names == ["one", "two"]
    house.keeper.stop()
    assert house.service.drain(WAIT_S)


def test_a_request_that_waits_for_a_model_that_is_put_away_is_answered(bundles: Path) -> None:
    manifest = read_manifest(bundles / "one")
    house = House(estimate_mb(manifest) * 1.5, manifest)
    house.keeper.add([str(bundles / "one"), str(bundles / "two")], on_demand=True)
    gate = house.service.models.loaded["one"] = Gate(house.service.models.loaded["one"])
    house.service.receive(request("turn on the light", model="one"))
    assert gate.entered.acquire(timeout=WAIT_S)
    house.service.receive(request("close the blind", model="one"))
    house.service.receive(request(model="two"))
    while "one" in house.service.models.loaded:
        pass
    gate.open.release()
    assert sorted(house.answer()["model"] for _ in range(3)) == ["one", "one", "two"]
    house.keeper.stop()
    assert house.service.drain(WAIT_S)


def test_the_model_that_nobody_asks_makes_room(bundles: Path) -> None:
    manifest = read_manifest(bundles / "one")
    house = House(estimate_mb(manifest) * 2.5, manifest)
    house.keeper.add([str(bundles / name) for name in ("one", "two", "three")], on_demand=True)
    assert sorted(house.service.models.loaded) == ["one", "two"]
    for _ in range(5):
        house.now += 60.0
        house.ask("one")
    house.ask("three")
    assert sorted(house.service.models.loaded) == ["one", "three"]
    house.keeper.stop()
    assert house.service.drain(WAIT_S)


def test_too_little_memory_for_all_is_refused_with_the_sum_if_nothing_may_be_put_away(bundles: Path) -> None:
    house = House(budget_mb=1.0)
    with pytest.raises(EdgertError, match="MB"):
        house.keeper.add([str(bundles / "one")], on_demand=False)
    house.keeper.stop()
    assert house.service.drain(WAIT_S)


def test_whoever_asks_for_a_bundle_that_is_gone_is_told_so(bundles: Path, tmp_path: Path) -> None:
    shutil.copytree(bundles / "two", tmp_path / "two")
    manifest = read_manifest(bundles / "one")
    house = House(estimate_mb(manifest) * 1.5, manifest)
    house.keeper.add([str(bundles / "one"), str(tmp_path / "two")], on_demand=True)
    shutil.rmtree(tmp_path / "two")
    assert "two" in house.ask("two")["error"]["message"]
    assert house.ask("one")["model"] == "one"
    house.keeper.stop()
    assert house.service.drain(WAIT_S)


def test_bundles_come_from_the_allowed_folders_only(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    assert within(str(tmp_path / "a"), [str(tmp_path)]) == (tmp_path / "a").resolve()
    for folder in (f"{tmp_path}/../x", "/", str(tmp_path / "link" / "etc"), ""):
        with pytest.raises(BadRequest, match=r"control\.folders"):
            within(folder, [str(tmp_path)])
