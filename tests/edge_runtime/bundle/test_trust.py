"""The folder of trusted keys, and what a rotation key may change in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.bundle.container.keys import Role, SigningKey, write_key_pair
from edge_runtime.bundle.errors import BadContainer, BadKey, Downgrade, SignatureRefused
from edge_runtime.bundle.trust import (
    KeyChange,
    Trust,
    add_key,
    apply_change,
    is_statement,
    read_trust,
    trust_statement,
    write_statement,
)
from tests.edge_runtime.bundle.signed import KEYS, bundle_bytes, opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "trust"
    for role in ("release", "rotation"):
        add_key(made, role, KEYS[role].public)  # type: ignore[index]
    return made


def statement(tmp_path: Path, counter: int = 1, key: SigningKey = KEYS["rotation"], **change: tuple[str, ...]) -> Path:
    file = tmp_path / f"keys-{counter}"
    write_statement(file, KeyChange(**change), counter, key)
    return file


def pem(key: SigningKey) -> str:
    return key.public.pem().decode()


def test_a_key_that_was_added_is_trusted_for_its_role(folder: Path) -> None:
    trust = read_trust(folder)
    assert {name: key.role for name, key in trust.keys.items()} == {"release": "release", "rotation": "rotation"}
    assert opened(bundle_bytes(), trust).container.key_id == KEYS["release"].public.id
    with pytest.raises(SignatureRefused, match="trusted are"):
        opened(bundle_bytes(role="dev"), trust)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda folder: [file.unlink() for file in folder.glob("*.pem")], "has 0 keys"),
        (lambda folder: (folder / "x.pem").write_bytes(b"x"), "no public key"),
        (lambda folder: write_key_pair(folder, "x", SigningKey.new("release")), "is a private key"),
        (lambda folder: folder.chmod(0o777), "anybody may write"),
        (lambda folder: (folder / "release.pem").chmod(0o646), "anybody may write"),
        (lambda folder: folder.rename(folder.with_name("moved")), "no folder of trusted keys"),
    ],
)
def test_a_folder_that_cannot_be_relied_on_is_refused(
    folder: Path, spoil: Callable[[Path], object], complaint: str
) -> None:
    spoil(folder)
    with pytest.raises(BadKey, match=complaint):
        read_trust(folder)


def test_a_key_is_added_once_and_never_over_another(folder: Path) -> None:
    with pytest.raises(BadKey, match="is trusted already"):
        add_key(folder, "again", KEYS["release"].public)
    with pytest.raises(BadKey, match="is there already"):
        add_key(folder, "release", SigningKey.new("release").public)


def test_a_rotation_key_brings_a_new_release_key_and_takes_the_old_one(folder: Path, tmp_path: Path) -> None:
    new = SigningKey.new("release")
    file = statement(tmp_path, release=(pem(new),), drop=(KEYS["release"].public.hash.hex(),))
    assert is_statement(file)
    assert trust_statement(file, folder) == ([new.public.id], [KEYS["release"].public.id])
    trust = read_trust(folder)
    assert trust.key(new.public.hash).role == "release"
    with pytest.raises(SignatureRefused):
        opened(bundle_bytes(), trust)


def test_a_statement_counts_once_and_only_upwards(folder: Path, tmp_path: Path) -> None:
    new = SigningKey.new("release")
    trust_statement(statement(tmp_path, 5, release=(pem(new),)), folder)
    for counter in (5, 4):
        with pytest.raises(Downgrade, match="this board takes 6 and higher"):
            trust_statement(statement(tmp_path, counter, release=(pem(SigningKey.new("release")),)), folder)
    assert trust_statement(statement(tmp_path, 6, drop=(new.public.hash.hex(),)), folder) == ([], [new.public.id])


@pytest.mark.parametrize("role", ["release", "dev"])
def test_other_keys_change_nothing(folder: Path, tmp_path: Path, role: Role) -> None:
    with pytest.raises(BadKey, match="may not change whom"):
        statement(tmp_path, key=KEYS[role])
    pretender = SigningKey("rotation", KEYS[role]._key)
    before = read_trust(folder).keys
    file = statement(tmp_path, key=pretender, release=(pem(SigningKey.new("release")),))
    if role == "dev":
        add_key(folder, "dev", KEYS["dev"].public)
        before = read_trust(folder).keys
    with pytest.raises(SignatureRefused, match="may not sign a container of kind keys"):
        trust_statement(file, folder)
    assert read_trust(folder).keys == before


def test_an_unknown_rotation_key_changes_nothing(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SignatureRefused, match="trusted are"):
        trust_statement(statement(tmp_path, key=SigningKey.new("rotation")), folder)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (KeyChange(("nonsense",)), "no public key"),
        (KeyChange((pem(KEYS["rotation"]),)), "is a rotation key, not a release key"),
        (KeyChange((pem(KEYS["dev"]),)), "is a dev key, not a release key"),
        (KeyChange((), (KEYS["release"].public.hash.hex(),)), "no release key would be left"),
        (KeyChange(schema="edgert.keys/2"), "schema 'edgert.keys/2'"),
    ],
)
def test_a_bad_statement_changes_nothing(folder: Path, tmp_path: Path, change: KeyChange, complaint: str) -> None:
    write_statement(tmp_path / "f", change, 1, KEYS["rotation"])
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(BadKey, match=complaint):
        trust_statement(tmp_path / "f", folder)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_rotation_and_dev_keys_cannot_be_dropped_by_a_statement(folder: Path, tmp_path: Path) -> None:
    file = statement(tmp_path, drop=(KEYS["rotation"].public.hash.hex(),))
    assert trust_statement(file, folder) == ([], [])
    assert "rotation" in read_trust(folder).keys


def test_a_statement_that_was_cut_off_by_a_power_cut_can_be_applied_again(folder: Path) -> None:
    new, change = SigningKey.new("release"), KeyChange((pem(KEYS["release"]),))
    change = KeyChange((pem(new),), (KEYS["release"].public.hash.hex(),))
    apply_change(folder, change, 1)
    (folder / "rotation.json").unlink()  # the last thing that is written
    assert apply_change(folder, change, 1) == ([], [])
    assert [key.role for key in read_trust(folder).keys.values()] == ["release", "rotation"]


def test_a_bundle_is_no_statement_and_a_statement_no_bundle(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(bundle_bytes())
    with pytest.raises((SignatureRefused, BadContainer)):
        trust_statement(tmp_path / "bundle", folder)
    data = statement(tmp_path).read_bytes()
    with pytest.raises((SignatureRefused, BadContainer)):
        opened(data, Trust({"rotation": KEYS["rotation"].public}))
