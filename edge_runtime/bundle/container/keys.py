"""Ed25519 keys in PEM files, each with the role that it was made for: the one file that imports `cryptography`.

The role is a line before the PEM block, where every reader of PEM passes over text (RFC 7468, section 2), so the same
files serve imgtool and openssl.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from edge_runtime.bundle.errors import BadKey

Role = Literal["release", "dev", "rotation"]
ROLES: tuple[Role, ...] = get_args(Role)
MOST_KEY_FILE_BYTES = 16384
_ROLE_LINE = re.compile(rb"^edgert-role: ([a-z]{1,16})\r?$", re.M)


@dataclass(frozen=True)
class VerifyingKey:
    """A public key and what its signature is good for."""

    role: Role
    _key: Ed25519PublicKey = field(repr=False, compare=False)

    @property
    def hash(self) -> bytes:
        """SHA-256 of the key in SubjectPublicKeyInfo form, as MCUboot's KEYHASH TLV holds."""
        return hashlib.sha256(self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()

    @property
    def id(self) -> str:
        """The first 16 hex digits of the hash, by which people tell keys apart."""
        return self.hash.hex()[:16]

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` was made by this key over `message`."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def pem(self) -> bytes:
        """The public key file, with its role."""
        return _with_role(self.role, self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


@dataclass(frozen=True)
class SigningKey:
    """A private key and what its signature is good for."""

    role: Role
    _key: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def new(cls, role: Role) -> SigningKey:
        """A fresh key."""
        return cls(role, Ed25519PrivateKey.generate())

    @property
    def public(self) -> VerifyingKey:
        """Its public half."""
        return VerifyingKey(self.role, self._key.public_key())

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes; the same for the same message (RFC 8032)."""
        return self._key.sign(message)

    def pem(self, passphrase: str | None = None) -> bytes:
        """The private key file, encrypted if there is a passphrase."""
        lock: KeySerializationEncryption = NoEncryption()
        if passphrase:
            lock = BestAvailableEncryption(passphrase.encode())
        return _with_role(self.role, self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))


def read_signing_key(file: Path, passphrase: str | None = None, role: Role | None = None) -> SigningKey:
    """Read a private key file.

    Args:
        role: for a key made by another tool, that says none; a role in the file must be the same.

    Raises:
        BadKey: unreadable, open to other users, no Ed25519 key, a wrong or missing passphrase, no role.
    """
    data = _read(file)
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise BadKey(f"{file} can be read by other users: run `chmod 600 {file}`")
    try:
        key = load_pem_private_key(data, passphrase.encode() if passphrase else None)
    except TypeError as error:  # a passphrase is missing, or given for a key that has none
        what = "has no passphrase, but one was given" if passphrase else "needs a passphrase: give --passphrase-file"
        raise BadKey(f"{file} {what}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(f"{file} is no private key, or the passphrase is wrong") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{file} is not an Ed25519 key: make one with `edgert keys new`")
    return SigningKey(_role_of(data, role, str(file)), key)


def read_verifying_key(file: Path, role: Role | None = None) -> VerifyingKey:
    """Read a public key file; a role as for `read_signing_key`. BadKey: with what is wrong."""
    return verifying_key(_read(file), role, str(file))


def verifying_key(data: bytes, role: Role | None, where: str) -> VerifyingKey:
    """Read a public key; `where` is for the message. BadKey: with what is wrong."""
    if b"PRIVATE KEY" in data:
        raise BadKey(f"{where} is a private key: give the public one, and keep this one off the board")
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(f"{where} is no public key in PEM form") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey(f"{where} is not an Ed25519 key: make one with `edgert keys new`")
    return VerifyingKey(_role_of(data, role, where), key)


def write_key_pair(folder: Path, name: str, key: SigningKey, passphrase: str | None = None) -> tuple[Path, Path]:
    """Write `NAME.pem` (mode 0600) and `NAME.pub.pem`; what is there is never written over. BadKey: it is there."""
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    try:
        for file, data, mode in ((private, key.pem(passphrase), 0o600), (public, key.public.pem(), 0o644)):
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
                stream.write(data)
    except OSError as error:
        raise BadKey(f"cannot write {error.filename}: {error.strerror}") from error
    return private, public


def _with_role(role: Role, pem: bytes) -> bytes:
    return f"edgert-role: {role}\n".encode() + pem


def _role_of(data: bytes, given: Role | None, where: str) -> Role:
    found = _ROLE_LINE.search(data)
    said = found[1].decode() if found else given
    role = next((one for one in ROLES if one == said), None)
    if role is None:
        said = f"role {said!r}" if found else "no role"
        raise BadKey(f"{where} says {said}, expected one of {', '.join(ROLES)}")
    if given is not None and role != given:
        raise BadKey(f"{where} is a {role} key, not a {given} key")
    return role


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(MOST_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise BadKey(f"cannot read key {file}: {error.strerror}") from error
    if len(data) > MOST_KEY_FILE_BYTES:
        raise BadKey(f"{file} has more than {MOST_KEY_FILE_BYTES} bytes: it is no key")
    return data
