"""The store on a real file system: what comes in, what is refused, what is cleared away."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from edge_runtime.bundle.container.keys import SigningKey
from edge_runtime.bundle.errors import (
    BadContainer,
    BadStore,
    Downgrade,
    NoSpace,
    NothingThere,
    SignatureRefused,
    StoreBusy,
    WrongTarget,
)
from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.bundle.store.disk import RealDisk, put
from edge_runtime.bundle.store.store import Store
from edge_runtime.bundle.store.views import Views
from edge_runtime.bundle.trust import Trust
from tests.edge_runtime.bundle.signed import TRUST, bundle_bytes, opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> Store:
    return Store(RealDisk(root), lambda: TRUST)


def served(store: Store, data: bytes) -> str:
    """Install, try, keep; the digest."""
    installed = store.install(opened(data))
    store.begin_trial("tiny")
    store.confirm("tiny")
    return installed.digest


def test_a_bundle_goes_in_and_its_folder_is_a_whole_bundle(store: Store, root: Path) -> None:
    digest = served(store, bundle_bytes())
    folder = Views(root).folder(store.check(digest))
    assert read_bundle(folder) == opened(bundle_bytes()).signed.manifest
    assert store.slots("tiny").active == store.slots("tiny").bundles[0]
    assert store.slots("tiny").bundles[0].image == opened(bundle_bytes()).container.hash


def test_nothing_in_the_store_can_be_written_to(store: Store, root: Path) -> None:
    served(store, bundle_bytes())
    for file in (root / "objects").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o444


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_root_installs_belongs_to_the_owner_of_the_store_whatever_the_umask(root: Path) -> None:
    root.mkdir()
    os.chown(root, 4321, 4321)
    old = os.umask(0o077)
    try:
        served(Store(RealDisk(root), lambda: TRUST), bundle_bytes())
    finally:
        os.umask(old)
    made = [path for path in root.rglob("*") if path.name != "views"]
    assert len(made) >= 8
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(4321, 4321)}
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444 for path in made)


def test_a_second_version_brings_only_what_is_new(store: Store, root: Path) -> None:
    served(store, bundle_bytes())
    receiving = store.receive(opened(bundle_bytes("2.0.0", 2)).signed)
    assert [entry.path for entry in receiving.missing.values()] == ["model.onnx"]
    served(store, bundle_bytes("2.0.0", 2))
    assert len(list((root / "objects").iterdir())) == 3


def test_files_may_come_one_by_one_and_all_must(store: Store) -> None:
    bundle = opened(bundle_bytes())
    receiving = store.receive(bundle.signed)
    with pytest.raises(BadStore, match=r"2 files have not come: model.onnx, tokenizer.json"):
        receiving.commit()
    for entry, content in bundle.files():
        with pytest.raises(BadStore, match="not the file that the manifest lists"):
            receiving.put(entry, [b"x" * entry.size])
        receiving.put(entry, content)
    assert store.state().models == {}
    assert receiving.commit().version == "1.0.0"
    assert store.slots("tiny").trial is not None


def test_a_bundle_may_wait_until_somebody_asks_for_it(store: Store) -> None:
    installed = store.install(opened(bundle_bytes()), test=False)
    assert store.slots("tiny").waiting == installed
    assert store.test("tiny") == installed
    assert store.slots("tiny").trial == installed


def test_an_older_counter_is_refused_before_a_byte_is_written(store: Store, root: Path) -> None:
    served(store, bundle_bytes("2.0.0", 2))
    before = sorted(root.rglob("*"))
    with pytest.raises(Downgrade, match=r"tiny 1\.0\.0 has counter 1, this board takes 2"):
        store.install(opened(bundle_bytes()))
    assert sorted(root.rglob("*")) == before


def test_whom_the_board_does_not_take_is_asked_before_a_byte_is_written(root: Path) -> None:
    def refuse(signed: object) -> None:
        raise WrongTarget("not for this board")

    store = Store(RealDisk(root), lambda: TRUST, refuse)
    with pytest.raises(WrongTarget):
        store.install(opened(bundle_bytes()))
    assert list(root.iterdir()) == []


def test_too_small_a_disk_is_noticed_before_a_byte_is_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = RealDisk(root)
    monkeypatch.setattr(disk, "free_bytes", lambda: 7000)
    with pytest.raises(NoSpace) as caught:
        Store(disk, lambda: TRUST).install(opened(bundle_bytes()))
    assert caught.value.free_bytes == 7000 < caught.value.need_bytes < 12000
    assert list(root.iterdir()) == []


def test_a_key_that_is_not_trusted_any_more_takes_its_bundles_along(root: Path) -> None:
    trusted = [TRUST]
    store = Store(RealDisk(root), lambda: trusted[0])
    digest = served(store, bundle_bytes())
    trusted[0] = Trust({"new": SigningKey.new("release").public})
    with pytest.raises(SignatureRefused):
        store.manifest(digest)


def test_rot_is_found_and_the_next_install_heals_it(store: Store, root: Path) -> None:
    digest = served(store, bundle_bytes())
    for damaged in (root / "objects").iterdir():
        damaged.chmod(0o644)
        damaged.write_bytes(bytes(damaged.stat().st_size))
    with pytest.raises(BadStore, match="damaged or gone"):
        store.check(digest)
    store.install(opened(bundle_bytes()))
    store.check(digest)
    read_bundle(Views(root).folder(store.manifest(digest)))


@pytest.mark.parametrize("spoil", [b"", b"x" * 100, None])
def test_a_manifest_that_is_damaged_or_gone_is_never_read(store: Store, root: Path, spoil: bytes | None) -> None:
    digest = served(store, bundle_bytes())
    (root / "bundles" / digest).unlink()
    if spoil is not None:
        (root / "bundles" / digest).write_bytes(spoil)
    with pytest.raises(BadStore, match="install it again"):
        store.manifest(digest)
    with pytest.raises(BadStore):
        store.gc()
    assert len(list((root / "objects").iterdir())) == 2


def test_a_manifest_that_nobody_signed_is_never_read_whatever_it_is_called(store: Store, root: Path) -> None:
    import hashlib

    served(store, bundle_bytes())
    data = bytearray(opened(bundle_bytes()).signed.data)
    data[-1] ^= 1
    digest = hashlib.sha256(data).hexdigest()
    (root / "bundles" / digest).write_bytes(data)
    with pytest.raises((SignatureRefused, BadContainer)):
        store.manifest(digest)


def test_what_no_slot_needs_is_cleared_away_and_the_rest_stays(store: Store, root: Path) -> None:
    for number in range(1, 5):
        served(store, bundle_bytes(f"{number}.0.0", number))
    (root / "objects" / "stray.part").write_bytes(b"x")
    freed = store.gc()
    assert freed.files == 2 * 2 + 1
    assert freed.size_bytes > 2 * 5000
    assert len(list((root / "objects").iterdir())) == 2 + 1
    for bundle in store.slots("tiny").bundles:
        store.check(bundle.digest)
    assert store.gc().files == 0


def test_a_bundle_on_its_way_is_not_cleared_away_unless_it_is_said_so(store: Store) -> None:
    bundle = opened(bundle_bytes())
    receiving = store.receive(bundle.signed)
    files = bundle.files()
    receiving.put(*next(files))
    assert store.gc().files == 0
    receiving.put(*next(files))
    assert store.gc(unfinished=True).files == 3
    with pytest.raises(BadStore, match="was cleared away"):
        receiving.commit()


def test_models_do_not_get_in_each_other_s_way(store: Store) -> None:
    served(store, bundle_bytes("5.0.0", 5))
    store.install(opened(bundle_bytes("1.0.0", 1, name="other")))
    assert sorted(store.state().models) == ["other", "tiny"]
    with pytest.raises(NothingThere, match=r"no model 'third', it has other, tiny"):
        store.begin_trial("third")
    store.rollback("other")
    assert store.slots("other").trial is None
    assert store.slots("tiny").active is not None


def test_a_view_is_made_again_if_anything_in_it_is_not_right(store: Store, root: Path) -> None:
    signed = store.manifest(served(store, bundle_bytes()))
    views = Views(root)
    folder = views.folder(signed)
    inode = folder.stat().st_ino
    assert views.folder(signed).stat().st_ino == inode
    for spoil in (
        lambda: (folder / "more").write_bytes(b"x"),
        lambda: (folder / "model.onnx").unlink(),
        lambda: (folder / "manifest.json").write_bytes(b"{}"),
        lambda: ((folder / "model.onnx").unlink(), (folder / "model.onnx").symlink_to("/etc/passwd")),
        lambda: ((folder / "model.onnx").unlink(), (folder / "model.onnx").write_bytes(bytes(5000))),
    ):
        spoil()
        assert read_bundle(views.folder(signed)) == signed.manifest
    views.keep_only([])
    assert not folder.exists()


def test_a_disk_without_hard_links_gets_copies(store: Store, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    signed = store.manifest(served(store, bundle_bytes()))
    assert read_bundle(Views(root).folder(signed)) == signed.manifest


def test_a_view_of_an_object_that_is_gone_is_refused(store: Store, root: Path) -> None:
    signed = store.manifest(served(store, bundle_bytes()))
    next(iter((root / "objects").iterdir())).unlink()
    with pytest.raises(BadStore, match="No such file"):
        Views(root).folder(signed)


def _hold(root: Path, held: object, done: object) -> None:
    with RealDisk(root).locked():
        held.set()  # type: ignore[attr-defined]
        done.wait(20)  # type: ignore[attr-defined]


def test_only_one_process_at_a_time_changes_the_store(root: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    Store(RealDisk(root), lambda: TRUST).install(opened(bundle_bytes()))
    other = context.Process(target=_hold, args=(root, held, done))
    other.start()
    try:
        assert held.wait(20)
        store = Store(RealDisk(root, patience_s=0.1), lambda: TRUST)
        with pytest.raises(StoreBusy, match="another process"):
            store.begin_trial("tiny")
        assert store.slots("tiny").begun == 0  # reading needs no lock
    finally:
        done.set()
        other.join(20)
    assert Store(RealDisk(root), lambda: TRUST).begin_trial("tiny") is not None


def test_a_store_that_cannot_be_used_says_so(root: Path) -> None:
    store = Store(RealDisk(root), lambda: TRUST)
    served(store, bundle_bytes())
    (root / "state.json").unlink()
    (root / "state.json").mkdir()
    with pytest.raises(BadStore, match="cannot use the store"):
        store.state()


def test_a_file_that_was_not_finished_never_has_its_name(root: Path) -> None:
    disk = RealDisk(root)

    def broken() -> object:
        yield b"half"
        raise ValueError("the cable is gone")

    with pytest.raises(ValueError, match="cable"):
        put(disk, "file", broken())  # type: ignore[arg-type]
    assert disk.names("") == []
