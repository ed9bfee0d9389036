"""`dir:`: the store itself, as on a card in a reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.bundle.errors import BadStore, Downgrade, SignatureRefused, WrongTarget
from edge_runtime.bundle.store.disk import RealDisk
from edge_runtime.bundle.store.store import Store
from edge_runtime.bundle.target import Target
from edge_runtime.bundle.trust import Trust
from firmware_bridge.errors import BadTarget, NotDecided, RolledBack
from firmware_bridge.flash.cargo import Cargo, open_cargo
from firmware_bridge.flash.engine import Report, exit_code, flash
from firmware_bridge.flash.folder import FolderTarget
from firmware_bridge.flash.opened import Ways, open_target
from tests.edge_runtime.bundle.signed import KEYS, TRUST
from tests.firmware_bridge.flash.boards import make_bundle, noise

WAYS = Ways(lambda: TRUST)


def store_in(root: Path) -> Store:
    return Store(RealDisk(root), lambda: TRUST)


def put(cargo: Cargo, url: str, ways: Ways = WAYS) -> Report:
    return flash(cargo, open_target(url, ways), limit_s=0.0)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "one.edgert", {"model.onnx": noise(50_000, 1)})


def test_a_card_gets_a_store_whose_bundle_is_tried_when_it_boots(tmp_path: Path, bundle: Path) -> None:
    root = tmp_path / "card"
    with open_cargo(bundle) as cargo:
        report = put(cargo, f"dir:{root}")
        again = put(cargo, f"dir:{root}")
    assert report.end == "installed"
    assert report.estimate.send_bytes == report.sent.wire_bytes == 50_000 + 230
    trial = store_in(root).slots("tiny").trial
    assert trial is not None
    assert trial.image == cargo.image
    assert again.estimate.state == "trial"
    assert again.sent.wire_bytes == 0


def test_only_the_file_that_changed_is_written(tmp_path: Path, bundle: Path) -> None:
    second = make_bundle(
        tmp_path / "two.edgert", {"model.onnx": noise(50_000, 1), "tokenizer.json": b"new"}, "1.1.0", counter=2
    )
    with open_cargo(bundle) as cargo:
        put(cargo, f"dir:{tmp_path}/card")
    with open_cargo(second) as cargo:
        assert put(cargo, f"dir:{tmp_path}/card").estimate.send_bytes == 3


def test_a_card_that_does_not_keep_what_is_written_is_noticed_before_the_trial(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "card"
    with open_cargo(bundle) as cargo:
        target = open_target(f"dir:{root}", WAYS)
        wanted = target.look(cargo)
        target.send(cargo, wanted, lambda done: None)
        damaged = root / "objects" / cargo.items[0].entry.sha256
        damaged.chmod(0o644)
        damaged.write_bytes(b"x" * damaged.stat().st_size)
        with pytest.raises(BadStore, match="damaged"):
            target.commit(cargo, test=True)
    assert store_in(root).slots("tiny").trial is None


def test_who_is_not_trusted_and_what_is_older_is_refused(tmp_path: Path, bundle: Path) -> None:
    root = tmp_path / "card"
    with open_cargo(bundle) as cargo:
        strangers = Ways(lambda: Trust({"other": KEYS["rotation"].public}))
        with pytest.raises(SignatureRefused) as told:
            put(cargo, f"dir:{root}", strangers)
        assert exit_code(told.value) == 2
        put(cargo, f"dir:{root}")
    store = store_in(root)
    store.begin_trial("tiny")
    store.confirm("tiny")
    older = make_bundle(tmp_path / "old.edgert", {"model.onnx": b"old"}, "0.9.0", counter=0)
    with open_cargo(older) as cargo, pytest.raises(Downgrade):
        put(cargo, f"dir:{root}")


def test_a_bundle_for_other_boards_is_refused_if_it_is_said_what_the_card_is_for(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "pi.edgert", {"model.onnx": b"pi"}, target=Target(boards=("pi5",)))
    with open_cargo(path) as cargo:
        with pytest.raises(WrongTarget):
            put(cargo, f"dir:{tmp_path}/card?board=pi4")
        assert put(cargo, f"dir:{tmp_path}/card?board=pi5").end == "installed"


def test_with_a_daemon_on_it_the_verdict_is_waited_for(tmp_path: Path, bundle: Path) -> None:
    root = tmp_path / "card"
    with open_cargo(bundle) as cargo:
        target = FolderTarget(root, lambda: TRUST, wait=True)
        with pytest.raises(NotDecided) as told:
            flash(cargo, target, limit_s=0.0)
        assert exit_code(told.value) == 5
        store = store_in(root)
        store.begin_trial("tiny")
        store.fail("tiny", "wrong answers")
        with pytest.raises(RolledBack, match="wrong answers"):
            target.outcome(cargo, 1.0, lambda line: None)


@pytest.mark.parametrize(
    "url",
    [
        "dir:",
        "dir:/no/such/mount/store",
        "dir:/tmp/x?speed=1",
        "ssh://",
        "ssh://host",
        "ssh://-oProxyCommand=x/s",
        "mqtt://b/d",
        "serial:/dev/x?warp=9",
        "ftp://host/x",
        "socket://127.0.0.1:1?framing=morse",
    ],
)
def test_a_target_that_is_none_is_refused_with_what_is_wrong(url: str) -> None:
    class Silent:
        datagrams = False

        def close(self) -> None:
            """Nothing is open."""

    with pytest.raises(BadTarget) as told:
        open_target(url, Ways(lambda: TRUST, open=lambda address: Silent()))  # type: ignore[arg-type,return-value]
    assert exit_code(told.value) == 1


def test_an_unsigned_bundle_is_refused_here_and_not_by_the_board(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "unsigned.edgert", {"model.onnx": b"x"}, key=None)
    with pytest.raises(SignatureRefused, match="edgert bundle sign"), open_cargo(path):
        pass


def test_files_are_read_at_their_places(tmp_path: Path, bundle: Path) -> None:
    with open_cargo(bundle) as cargo:
        contents = {item.entry.path: cargo.read(item, 0, item.entry.size) for item in cargo.items}
        assert contents["model.onnx"] == noise(50_000, 1)
        model = next(item for item in cargo.items if item.entry.path == "model.onnx")
        assert cargo.read(model, 49_990, 1000) == noise(50_000, 1)[49_990:]
        assert cargo.whole() == bundle.read_bytes()
