"""The store as a board's settings say, and what the board says it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime import __version__
from edge_runtime.bundle.errors import BadKey, LicenceDenied, SignatureRefused, WrongTarget
from edge_runtime.bundle.target import Target
from edge_runtime.bundle.trust import add_key
from edge_runtime.config import UpdatesConfig
from edge_runtime.engine.processor import targets_here
from edge_runtime.errors import ConfigError
from edge_runtime.updates.board_store import open_store
from edge_runtime.updates.this_board import here
from tests.edge_runtime.bundle.signed import KEYS, TRUST, bundle_bytes, opened


def test_a_board_knows_its_names_its_processor_and_its_memory(tmp_path: Path) -> None:
    tree = tmp_path / "proc" / "device-tree"
    tree.mkdir(parents=True)
    (tree / "compatible").write_bytes(b"raspberrypi,5-model-b\0brcm,bcm2712\0")
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 1048576 kB\nMemAvailable: 524288 kB\n")
    found = here(["kitchen"], tmp_path)
    assert found.boards == {"raspberrypi,5-model-b", "brcm,bcm2712", "kitchen"}
    assert (found.targets, found.runtime, found.memory_mb) == (targets_here(), __version__, 512.0)


def test_a_machine_that_says_nothing_has_no_name(tmp_path: Path) -> None:
    assert here(root=tmp_path).boards == frozenset()


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    add_key(tmp_path / "trust", "release", KEYS["release"].public)
    return tmp_path / "trust"


def test_a_bundle_for_another_board_or_of_a_forbidden_licence_does_not_come_in(tmp_path: Path, trust: Path) -> None:
    store, _ = open_store(tmp_path / "s", UpdatesConfig(str(trust), boards=("hub",)))
    store.install(opened(bundle_bytes(target=Target(boards=("hub",)))))
    with pytest.raises(WrongTarget, match="for panel"):
        store.install(opened(bundle_bytes("2.0.0", 2, target=Target(boards=("panel",)))))
    policy = tmp_path / "policy.toml"
    policy.write_text('allowed = ["MIT"]\n')
    store, _ = open_store(tmp_path / "s", UpdatesConfig(str(trust), policy=str(policy)))
    with pytest.raises(LicenceDenied):
        store.install(opened(bundle_bytes("2.0.0", 2)))


def test_the_settings_say_whose_bundles_are_loaded(tmp_path: Path, trust: Path) -> None:
    settings = UpdatesConfig(str(trust), dev_keys=True)
    add_key(trust, "dev", KEYS["dev"].public)
    store, _ = open_store(tmp_path / "s", settings)
    digest = store.install(opened(bundle_bytes(role="dev"), TRUST.__class__(TRUST.keys, allow_dev=True))).digest
    assert store.manifest(digest).container.role == "dev"
    store, _ = open_store(tmp_path / "s", UpdatesConfig(str(trust)))
    with pytest.raises(SignatureRefused, match="release keys only"):
        store.manifest(digest)
    store, _ = open_store(tmp_path / "s", UpdatesConfig(str(tmp_path / "nowhere")))
    with pytest.raises(BadKey):
        store.manifest(digest)


def test_a_store_that_cannot_be_made_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot make store"):
        open_store(tmp_path / "file" / "store", UpdatesConfig())
