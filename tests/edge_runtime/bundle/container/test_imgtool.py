"""MCUboot's own imgtool makes the same bytes as we do, checks ours, and ours checks its.

It is installed into an environment of its own in edgert's cache; without a network the tests are skipped.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.service_parts.peer_venv import NoPeer, peer_python
from edge_runtime.bundle.container import bundle_file
from edge_runtime.bundle.container.image import HEADER_BYTES
from edge_runtime.bundle.container.keys import SigningKey, read_signing_key, write_key_pair
from edge_runtime.bundle.errors import SignatureRefused
from edge_runtime.bundle.target import Target, target_to_bytes
from edge_runtime.bundle.trust import Trust
from tests.edge_runtime.bundle.signed import write_folder

TARGET = Target(("cpu-aarch64",), ("raspberrypi,5-model-b",), "0.1.0", 300)


@pytest.fixture(scope="module")
def python() -> Path:
    try:
        return peer_python("imgtool", ["imgtool==2.5.0"])
    except NoPeer as error:
        pytest.skip(f"imgtool cannot be had: {error}")


class Imgtool:
    """The program, in a folder with a key pair and a bundle file of ours."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._python, self.folder = python, folder
        self.key = SigningKey.new("release")
        write_key_pair(folder, "key", self.key)
        write_folder(folder / "bundle", "1.2.3", 7)
        bundle_file.build(folder / "bundle", folder / "ours", self.key, TARGET)
        self.trust = Trust({"key": self.key.public})

    def run(self, *arguments: object) -> tuple[int, str]:
        command = [str(self._python), "-m", "imgtool.main", *map(str, arguments)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def sign(self, key: str, out: str) -> None:
        with (self.folder / "ours").open("rb") as stream:
            body_bytes = bundle_file.open_bundle(stream, None).container.body_bytes
        data = (self.folder / "ours").read_bytes()
        (self.folder / "body").write_bytes(data[HEADER_BYTES : HEADER_BYTES + body_bytes])
        tlvs = {0xA0: b"edgert-bundle/1", 0xA1: b"release", 0xA2: target_to_bytes(TARGET)}
        custom = [word for tag, value in tlvs.items() for word in ("--custom-tlv", hex(tag), "0x" + value.hex())]
        about = ["-v", "1.2.3", "-s", "7", "-H", "32", "--pad-header", "-S", "0x1000000"]
        status, said = self.run("sign", "-k", key, *about, *custom, "body", out)
        assert status == 0, said


@pytest.fixture
def imgtool(python: Path, tmp_path: Path) -> Imgtool:
    return Imgtool(python, tmp_path)


def test_imgtool_takes_our_files_with_the_right_key_only(imgtool: Imgtool) -> None:
    status, said = imgtool.run("verify", "-k", "key.pub.pem", "ours")
    assert status == 0, said
    assert "Image version: 1.2.3+0" in said
    with (imgtool.folder / "ours").open("rb") as stream:
        assert bundle_file.open_bundle(stream, imgtool.trust).container.hash in said
    write_key_pair(imgtool.folder, "other", SigningKey.new("release"))
    assert imgtool.run("verify", "-k", "other.pub.pem", "ours")[0] == 1
    data = bytearray((imgtool.folder / "ours").read_bytes())
    data[3000] ^= 1
    (imgtool.folder / "damaged").write_bytes(data)
    assert imgtool.run("verify", "-k", "key.pub.pem", "damaged")[0] == 1


def test_imgtool_makes_the_same_bytes(imgtool: Imgtool) -> None:
    imgtool.sign("key.pem", "theirs")
    assert (imgtool.folder / "theirs").read_bytes() == (imgtool.folder / "ours").read_bytes()


def test_we_take_imgtool_s_files_with_the_right_key_only(imgtool: Imgtool) -> None:
    assert imgtool.run("keygen", "-t", "ed25519", "-k", "made.pem")[0] == 0
    (imgtool.folder / "made.pem").chmod(0o600)
    made = read_signing_key(imgtool.folder / "made.pem", role="release")
    imgtool.sign("made.pem", "theirs")
    with (imgtool.folder / "theirs").open("rb") as stream:
        # The manifest in it is signed by our key, so only what stands around it is good with theirs.
        assert bundle_file.inspect(stream, "bundle").key_id == made.public.id
        stream.seek(0)
        with pytest.raises(SignatureRefused, match="trusted are"):
            bundle_file.open_bundle(stream, imgtool.trust)
    bundle_file.build(imgtool.folder / "bundle", imgtool.folder / "ours", made, TARGET)
    imgtool.sign("made.pem", "again")
    with (imgtool.folder / "again").open("rb") as stream:
        opened = bundle_file.open_bundle(stream, Trust({"made": made.public}))
        assert [entry.path for entry, _ in opened.files()] == ["model.onnx", "tokenizer.json"]


def test_imgtool_reads_our_encrypted_keys_in_no_other_way_than_with_the_passphrase(imgtool: Imgtool) -> None:
    status, said = imgtool.run("keyinfo", "-k", "key.pem")
    assert (status, said.strip()) == (0, "private")
    write_key_pair(imgtool.folder, "locked", SigningKey.new("release"), "a passphrase")
    assert "password-protected" in imgtool.run("keyinfo", "-k", "locked.pem")[1]
