"""Key files: readable by their owner alone, each for one role, and only what is meant is taken for a key."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from edge_runtime.bundle.container.keys import (
    ROLES,
    Role,
    SigningKey,
    read_signing_key,
    read_verifying_key,
    write_key_pair,
)
from edge_runtime.bundle.errors import BadKey

MESSAGE = b"what is signed"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_a_pair_signs_and_verifies_and_keeps_its_role(tmp_path: Path, role: Role, passphrase: str | None) -> None:
    private, public = write_key_pair(tmp_path, "k", SigningKey.new(role), passphrase)
    signing, verifying = read_signing_key(private, passphrase), read_verifying_key(public)
    assert signing.role == verifying.role == role
    assert signing.public.hash == verifying.hash
    assert verifying.verify(signing.sign(MESSAGE), MESSAGE)
    assert not verifying.verify(signing.sign(MESSAGE), MESSAGE + b"!")
    assert not SigningKey.new(role).public.verify(signing.sign(MESSAGE), MESSAGE)


def test_only_its_owner_reads_a_private_key(tmp_path: Path) -> None:
    private, _ = write_key_pair(tmp_path, "k", SigningKey.new("release"))
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    private.chmod(0o640)
    with pytest.raises(BadKey, match="chmod 600"):
        read_signing_key(private)


def test_keys_are_never_written_over(tmp_path: Path) -> None:
    private, public = write_key_pair(tmp_path, "k", SigningKey.new("release"))
    before = private.read_bytes(), public.read_bytes()
    with pytest.raises(BadKey, match="File exists"):
        write_key_pair(tmp_path, "k", SigningKey.new("release"))
    assert (private.read_bytes(), public.read_bytes()) == before


@pytest.mark.parametrize(
    ("written", "given", "complaint"),
    [("right", None, "needs a passphrase"), ("right", "wrong", "wrong"), (None, "any", "has no passphrase")],
)
def test_a_key_opens_with_its_own_passphrase_only(
    tmp_path: Path, written: str | None, given: str | None, complaint: str
) -> None:
    private, _ = write_key_pair(tmp_path, "k", SigningKey.new("release"), written)
    with pytest.raises(BadKey, match=complaint):
        read_signing_key(private, given)


def test_no_key_shows_its_secret_when_it_is_printed() -> None:
    key = SigningKey.new("dev")
    assert repr(key) == "SigningKey(role='dev')"


def without_role(pem: bytes) -> bytes:
    return pem.partition(b"\n")[2]


def test_a_key_of_another_tool_gets_its_role_from_whoever_reads_it(tmp_path: Path) -> None:
    key = SigningKey.new("release")
    file = tmp_path / "k.pem"
    file.write_bytes(without_role(key.public.pem()))
    with pytest.raises(BadKey, match="says no role"):
        read_verifying_key(file)
    assert read_verifying_key(file, "dev").role == "dev"


def test_a_role_that_is_in_the_file_cannot_be_given_another(tmp_path: Path) -> None:
    _, public = write_key_pair(tmp_path, "k", SigningKey.new("dev"))
    with pytest.raises(BadKey, match="is a dev key, not a release key"):
        read_verifying_key(public, "release")


def elliptic_pem() -> tuple[bytes, bytes]:
    key = generate_private_key(SECP256R1())
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )


def test_other_files_are_no_keys(tmp_path: Path) -> None:
    file = tmp_path / "k.pem"
    for data, complaint in (
        (b"", "no public key"),
        (b"x" * 20000, "more than 16384 bytes"),
        (elliptic_pem()[1], "not an Ed25519 key"),
        (SigningKey.new("release").pem(), "is a private key"),
        (b"edgert-role: king\n" + without_role(SigningKey.new("release").public.pem()), "says role 'king'"),
    ):
        file.write_bytes(data)
        with pytest.raises(BadKey, match=complaint):
            read_verifying_key(file)
    file.chmod(0o600)
    for data, complaint in ((b"", "no private key"), (elliptic_pem()[0], "not an Ed25519 key")):
        file.write_bytes(data)
        with pytest.raises(BadKey, match=complaint):
            read_signing_key(file)
    with pytest.raises(BadKey, match="cannot read key"):
        read_verifying_key(tmp_path / "none.pem")
