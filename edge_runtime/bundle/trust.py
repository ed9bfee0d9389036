"""Whose signatures count here: a folder of public keys, and statements of a rotation key that change it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.container.image import HEADER_BYTES, Version, read_header
from edge_runtime.bundle.container.keys import (
    Role,
    SigningKey,
    VerifyingKey,
    read_verifying_key,
    verifying_key,
)
from edge_runtime.bundle.container.sealed import Label, verify, write_container
from edge_runtime.bundle.errors import BadContainer, BadKey, Downgrade, SignatureRefused
from edge_runtime.bundle.target import Target
from edge_runtime.strict import StrictError, decode

DEFAULT_FOLDER = Path("/etc/edgert/trust")
SCHEMA = "edgert.keys/1"
MOST_KEYS = 100
MOST_STATEMENT_BYTES = 65536
_COUNTER_FILE = "rotation.json"
# What a key of this role may sign, by the kind of the container.
_SIGNS: Mapping[Role, frozenset[str]] = {
    "release": frozenset({"bundle", "manifest"}),
    "dev": frozenset({"bundle", "manifest"}),
    "rotation": frozenset({"keys"}),
}


@dataclass(frozen=True)
class Trust:
    """The keys, by the name of their file without `.pem`; `allow_dev`: bundles signed for development are taken."""

    keys: Mapping[str, VerifyingKey]
    allow_dev: bool = False

    def key(self, key_hash: bytes) -> VerifyingKey:
        """The key with this hash. SignatureRefused: nobody here trusts it."""
        key = next((one for one in self.keys.values() if one.hash == key_hash), None)
        if key is None:
            known = ", ".join(sorted(one.id for one in self.keys.values())) or "none"
            raise SignatureRefused(
                f"signed with key {key_hash.hex()[:16]}, trusted are {known}: see `edgert keys trust`"
            )
        return key

    def check(self, key: VerifyingKey, kind: str) -> None:
        """Raise SignatureRefused if this key may not sign containers of this kind here."""
        if kind not in _SIGNS[key.role]:
            raise SignatureRefused(
                f"signed with {key.role} key {key.id}, which may not sign a container of kind {kind}"
            )
        if key.role == "dev" and not self.allow_dev:
            raise SignatureRefused(f"signed with dev key {key.id}: this board takes release keys only")


@dataclass(frozen=True)
class KeyChange:
    """What a rotation key says: release keys that are trusted from now on, and hashes of those that are no more."""

    release: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    schema: str = SCHEMA


def read_trust(folder: Path, *, allow_dev: bool = False) -> Trust:
    """Read the folder.

    Raises:
        BadKey: there is no such folder, no key in it, one that cannot be read, or anybody may write there.
    """
    try:
        files = sorted(folder.glob("*.pem")) if folder.stat() else []
    except OSError as error:
        raise BadKey(f"no folder of trusted keys {folder}: make one with `edgert keys trust`") from error
    for path in (folder, *files):
        if stat.S_IMODE(path.stat().st_mode) & 0o002:
            raise BadKey(f"anybody may write to {path}: run `chmod o-w {path}`")
    if not 0 < len(files) <= MOST_KEYS:
        raise BadKey(f"{folder} has {len(files)} keys, expected 1 to {MOST_KEYS}: add one with `edgert keys trust`")
    return Trust({file.name.removesuffix(".pem"): read_verifying_key(file) for file in files}, allow_dev)


def add_key(folder: Path, name: str, key: VerifyingKey) -> Path:
    """Trust a key from now on; the same key under another name is a BadKey."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.pem"):
        if read_verifying_key(file).hash == key.hash:
            raise BadKey(f"key {key.id} is trusted already: {file}")
    file = folder / f"{name}.pem"
    if file.exists():
        raise BadKey(f"{file} is there already: give the key another --name")
    _write(file, key.pem())
    return file


def change_to_bytes(change: KeyChange) -> bytes:
    """The body of a `keys` container."""
    text = json.dumps({"schema": change.schema, "release": list(change.release), "drop": list(change.drop)}, indent=1)
    return text.encode() + b"\n"


def change_from_bytes(data: bytes) -> KeyChange:
    """Read the body of a `keys` container whose signature was checked. BadKey: with what is wrong."""
    try:
        change = decode(KeyChange, json.loads(data))
    except (ValueError, RecursionError, StrictError) as error:
        raise BadKey(f"statement of keys: {error}") from error
    if change.schema != SCHEMA:
        raise BadKey(
            f"statement of keys has schema {change.schema[:40]!r}, this edgert reads {SCHEMA!r}: update edgert"
        )
    return change


def apply_change(folder: Path, change: KeyChange, counter: int) -> tuple[list[str], list[str]]:
    """Change the folder as a rotation key said; ids of the keys that came and that went.

    Cut off at any point, it can be applied again: the counter is written last.

    Raises:
        Downgrade: a statement with this counter or a higher one was applied before.
        BadKey: a key in it cannot be read, or no release key would be left.
    """
    floor = _counter(folder) + 1
    if counter < floor:
        raise Downgrade("statement of keys", counter, floor)
    added = [verifying_key(pem.encode(), "release", f"release[{i}]") for i, pem in enumerate(change.release)]
    old = {file: read_verifying_key(file) for file in sorted(folder.glob("*.pem"))}
    gone = {file: key for file, key in old.items() if key.role == "release" and key.hash.hex() in change.drop}
    left = [key for file, key in old.items() if key.role == "release" and file not in gone]
    if not left and not added:
        raise BadKey("no release key would be left: add one in the same statement")
    new = [key for key in added if key.hash not in {one.hash for one in old.values()}]
    for key in new:
        _write(folder / f"rotated-{key.id}.pem", key.pem())
    for file in gone:
        file.unlink()
    _write(folder / _COUNTER_FILE, json.dumps({"counter": counter}).encode())
    return [key.id for key in new], [key.id for key in gone.values()]


def write_statement(out: Path, change: KeyChange, counter: int, key: SigningKey) -> None:
    """Write what a rotation key says, signed. BadKey: the key is for something else."""
    if key.role != "rotation":
        raise BadKey(f"{key.role} key {key.public.id} may not change whom boards trust: a rotation key may")
    body, whole = change_to_bytes(change), io.BytesIO()
    write_container(whole.write, Label("keys", Version(0), counter, Target()), [body], len(body), key)
    out.write_bytes(whole.getvalue())


def is_statement(file: Path) -> bool:
    """Whether a file begins as a container does, and not as a key."""
    with file.open("rb") as stream:
        try:
            read_header(stream.read(HEADER_BYTES))
        except BadContainer:
            return False
    return True


def trust_statement(file: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Do what a statement says, if a rotation key of this folder has signed it; ids of keys that came and went.

    Raises:
        SignatureRefused, BadContainer, BadKey, Downgrade: it is not done.
    """
    with file.open("rb") as stream:
        container = verify(stream, read_trust(folder), "keys")
        if container.body_bytes > MOST_STATEMENT_BYTES:
            raise BadKey(f"statement of keys has {container.body_bytes} bytes, the most is {MOST_STATEMENT_BYTES}")
        stream.seek(HEADER_BYTES)
        change = change_from_bytes(stream.read(container.body_bytes))
    return apply_change(folder, change, container.label.counter)


def _counter(folder: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        try:
            return int(json.loads((folder / _COUNTER_FILE).read_bytes())["counter"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadKey(f"{folder / _COUNTER_FILE} is damaged: {error}") from error
    return 0


def _write(file: Path, data: bytes) -> None:
    """Write whole or not at all, durably."""
    part = file.with_name(file.name + ".part")
    with part.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    part.chmod(0o644)
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
