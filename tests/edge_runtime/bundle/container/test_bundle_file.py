"""A bundle as one signed file: the same bytes each time, and no other bytes are taken."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.bundle.container import bundle_file, sealed
from edge_runtime.bundle.container.bundle_file import SIGNED_MANIFEST, build, file_name, open_bundle, open_manifest
from edge_runtime.bundle.container.image import (
    ED25519,
    HEADER_BYTES,
    KEY_HASH,
    PLAIN_MAGIC,
    PROTECTED_MAGIC,
    SHA256,
    Header,
    Tlv,
    Version,
    area_bytes,
    write_area,
    write_header,
)
from edge_runtime.bundle.container.keys import SigningKey
from edge_runtime.bundle.container.sealed import Label, write_container
from edge_runtime.bundle.container.tape import Member, tape_bytes, write_tape
from edge_runtime.bundle.errors import BadContainer, SignatureRefused, UpdateError
from edge_runtime.bundle.manifest import MANIFEST, from_json
from edge_runtime.bundle.target import Target
from edge_runtime.bundle.trust import Trust
from edge_runtime.errors import BundleError, BundleFileAltered
from tests.edge_runtime.bundle.signed import KEYS, TRUST, bundle_bytes, opened, write_folder

FILE = bundle_bytes()
BODY_BYTES = opened(FILE).container.body_bytes


def drained(data: bytes, trust: Trust | None = TRUST) -> dict[str, bytes]:
    return {entry.path: b"".join(content) for entry, content in opened(data, trust).files()}


def sealed_again(
    body: bytes, kind: sealed.Kind = "bundle", key: SigningKey | None = KEYS["release"], **label: object
) -> bytes:
    """A container with a good signature around whatever body."""
    out = io.BytesIO()
    made = Label(kind, Version(1), 1, Target())
    write_container(out.write, dataclasses.replace(made, **label), [body], len(body), key)  # type: ignore[arg-type]
    return out.getvalue()


def small(change: Callable[[dict[str, object]], None] = lambda data: None, **label: object) -> bytes:
    """A signed manifest, changed before it was signed."""
    data = json.loads(opened(FILE).signed.body)
    change(data)
    return sealed_again(json.dumps(data).encode(), "manifest", **label)


def whole(*files: tuple[str, bytes], **label: object) -> bytes:
    """A signed bundle file with these files in its tar."""
    return sealed_again(b"".join(write_tape((Member(path, len(data)), [data]) for path, data in files)), **label)


CONTENT = {entry.path: b"".join(content) for entry, content in opened(FILE).files()}


# --- writing -----------------------------------------------------------------------------------------------------


def test_what_was_built_is_what_is_opened(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path / "b")
    target = Target(("cpu-aarch64",), ("raspberrypi,5-model-b",), "0.1.0", 300)
    assert build(tmp_path / "b", tmp_path / "f", KEYS["release"], target) == manifest
    with (tmp_path / "f").open("rb") as stream:
        found = open_bundle(stream, TRUST)
        files = {entry.path: b"".join(content) for entry, content in found.files()}
    assert found.signed.manifest == manifest
    assert found.signed.body == (tmp_path / "b" / MANIFEST).read_bytes()
    assert files == {entry.path: (tmp_path / "b" / entry.path).read_bytes() for entry in manifest.files}
    assert found.container.label == Label("bundle", Version(1, 0, 0), 1, target)
    assert (found.container.role, found.container.key_id) == ("release", KEYS["release"].public.id)
    assert file_name(manifest) == "tiny-1.0.0.edgert"


def test_the_same_bundle_and_key_give_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        write_folder(tmp_path / name)
        (tmp_path / name / "model.onnx").touch(mode=0o600)
        build(tmp_path / name, tmp_path / f"{name}.edgert", KEYS["release"], Target())
        made.append((tmp_path / f"{name}.edgert").read_bytes())
    assert made[0] == made[1] == FILE


def test_the_container_costs_no_more_than_three_kilobytes() -> None:
    assert len(FILE) - sum(map(len, CONTENT.values())) - len(opened(FILE).signed.body) < 3072 + 512 * len(CONTENT)


def test_a_file_that_was_not_signed_can_be_signed_later_and_is_then_the_same(tmp_path: Path) -> None:
    write_folder(tmp_path / "b")
    build(tmp_path / "b", tmp_path / "plain", None, Target())
    with pytest.raises(SignatureRefused, match="not signed"):
        opened((tmp_path / "plain").read_bytes())
    bundle_file.sign(tmp_path / "plain", tmp_path / "signed", KEYS["release"])
    assert (tmp_path / "signed").read_bytes() == FILE


def test_a_development_bundle_is_released_by_another_signature(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bundle_bytes(role="dev"))
    bundle_file.sign(tmp_path / "f", tmp_path / "f", KEYS["release"])
    assert (tmp_path / "f").read_bytes() == FILE


def test_a_bundle_that_is_not_whole_is_not_built_and_leaves_nothing(tmp_path: Path) -> None:
    write_folder(tmp_path / "b")
    (tmp_path / "b" / "model.onnx").write_bytes(bytes(5000))
    with pytest.raises(BundleFileAltered):
        build(tmp_path / "b", tmp_path / "f", KEYS["release"], Target())
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_version_that_the_format_cannot_hold_is_not_built(tmp_path: Path) -> None:
    write_folder(tmp_path / "b", version="2026-11")
    with pytest.raises(BadContainer, match="version '2026-11' must be"):
        build(tmp_path / "b", tmp_path / "f", KEYS["release"], Target())


# --- whom we believe ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "trust", "complaint"),
    [
        ("release", Trust({"other": SigningKey.new("release").public}), "trusted are"),
        ("dev", TRUST, "release keys only"),
        ("rotation", TRUST, "may not sign a container of kind bundle"),
    ],
)
def test_a_signature_counts_only_from_a_key_for_this(role: str, trust: Trust, complaint: str) -> None:
    with pytest.raises(SignatureRefused, match=complaint):
        opened(bundle_bytes(role=role), trust)  # type: ignore[arg-type]


def test_a_development_key_counts_where_the_board_says_so() -> None:
    assert drained(bundle_bytes(role="dev"), Trust(TRUST.keys, allow_dev=True)) == CONTENT


def test_a_key_cannot_say_that_it_is_for_something_else() -> None:
    pretender = SigningKey("release", KEYS["dev"]._key)
    with pytest.raises(SignatureRefused, match="dev key"):
        opened(resigned(pretender), TRUST)
    with pytest.raises(SignatureRefused, match="says it is signed for release"):
        opened(resigned(pretender), Trust(TRUST.keys, allow_dev=True))


def resigned(key: SigningKey) -> bytes:
    body = opened(FILE).signed.body
    inner = sealed_again(body, "manifest", key)
    return sealed_again(
        b"".join(write_tape((Member(p, len(d)), [d]) for p, d in [(SIGNED_MANIFEST, inner), *CONTENT.items()])), key=key
    )


def test_nothing_of_a_file_is_looked_at_before_its_signature_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(*_: object) -> None:
        raise AssertionError("looked into it")

    for module, name in ((bundle_file, "read_tape"), (bundle_file, "from_json"), (sealed, "target_from_bytes")):
        monkeypatch.setattr(module, name, looked)
    for data in (bundle_bytes(role="rotation"), FILE[:-1] + bytes([FILE[-1] ^ 1])):
        trust = Trust({"other": SigningKey.new("release").public}) if data != FILE else TRUST
        with pytest.raises(UpdateError):
            opened(data, trust)
    with pytest.raises(SignatureRefused):
        opened(FILE[:-1] + bytes([FILE[-1] ^ 1]), TRUST)
    with pytest.raises(AssertionError):
        opened(FILE)  # the control: a good one is looked into


# --- damage ------------------------------------------------------------------------------------------------------


def test_no_single_changed_bit_is_taken() -> None:
    places = [*range(HEADER_BYTES), *range(HEADER_BYTES, HEADER_BYTES + BODY_BYTES, 23)]
    for at in [*places, *range(HEADER_BYTES + BODY_BYTES, len(FILE))]:
        damaged = bytearray(FILE)
        damaged[at] ^= 1 << at % 8
        with pytest.raises(UpdateError):
            drained(bytes(damaged))


def test_no_file_that_was_cut_short_is_taken() -> None:
    for length in [*range(200), *range(200, len(FILE), 41), len(FILE) - 1]:
        with pytest.raises(BadContainer):
            drained(FILE[:length])


def test_nothing_may_follow() -> None:
    with pytest.raises(BadContainer, match="follow the end"):
        opened(FILE + b"\0")


def with_plain(*values: Tlv) -> bytes:
    """The file with other unprotected TLVs, which no hash covers."""
    return FILE[: len(FILE) - area_bytes(PLAIN)] + write_area(PLAIN_MAGIC, values)


PLAIN = [Tlv(SHA256, bytes(32)), Tlv(KEY_HASH, bytes(32)), Tlv(ED25519, bytes(64))]
DIGEST = hashlib.sha256(FILE[: len(FILE) - area_bytes(PLAIN)]).digest()


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ([], "unprotected TLVs are"),
        ([Tlv(SHA256, DIGEST), Tlv(ED25519, bytes(64))], "unprotected TLVs are"),
        ([Tlv(SHA256, DIGEST), *PLAIN[1:], Tlv(0xA1, b"release")], "unprotected TLVs are"),
        ([Tlv(SHA256, bytes(32)), *PLAIN[1:]], "SHA-256 is not the one"),
        ([Tlv(SHA256, DIGEST[:31]), *PLAIN[1:]], "SHA-256 is not the one"),
        ([Tlv(SHA256, DIGEST), Tlv(KEY_HASH, b"k"), PLAIN[2]], "32 and 64 bytes"),
        ([Tlv(SHA256, DIGEST), PLAIN[1], Tlv(ED25519, b"s")], "32 and 64 bytes"),
        ([Tlv(SHA256, DIGEST)], "not signed"),
        ([Tlv(SHA256, DIGEST), Tlv(KEY_HASH, KEYS["release"].public.hash), PLAIN[2]], "not the one of key"),
    ],
)
def test_tlvs_that_no_hash_covers_are_three_and_right(values: list[Tlv], complaint: str) -> None:
    with pytest.raises(UpdateError, match=complaint):
        opened(with_plain(*values))


# --- what a good signature does not excuse -----------------------------------------------------------------------


def renamed(path: str) -> Callable[[dict[str, object]], None]:
    def change(data: dict[str, object]) -> None:
        data["files"][0]["path"] = path  # type: ignore[index]

    return change


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (lambda: whole(*CONTENT.items()), "must begin with 'manifest.edgert'"),
        (lambda: sealed_again(b""), "ends in the middle"),
        (lambda: whole((SIGNED_MANIFEST, small())), "in the tar comes the end"),
        (lambda: whole((SIGNED_MANIFEST, small()), *list(CONTENT.items())[::-1]), "'tokenizer.json' of 1440 bytes"),
        (lambda: whole((SIGNED_MANIFEST, small()), *CONTENT.items(), ("z", b"")), "'z' is in the tar but not in"),
        (
            lambda: whole((SIGNED_MANIFEST, small()), ("model.onnx", bytes(5000)), *list(CONTENT.items())[1:]),
            "its SHA-256 differs",
        ),
        (
            lambda: whole((SIGNED_MANIFEST, small()), ("model.onnx", b"short"), *list(CONTENT.items())[1:]),
            "of 5 bytes",
        ),
        (lambda: whole((SIGNED_MANIFEST, small()), *CONTENT.items(), counter=2), "counter of the bundle file"),
        (lambda: whole((SIGNED_MANIFEST, small()), *CONTENT.items(), version=Version(2)), "version of the bundle file"),
        (lambda: whole((SIGNED_MANIFEST, small()), *CONTENT.items(), target=Target(("x",))), "target of the bundle"),
        (lambda: whole((SIGNED_MANIFEST, small(counter=2)), *CONTENT.items(), counter=2), "not those of its manifest"),
        (lambda: whole((SIGNED_MANIFEST, FILE), *CONTENT.items()), "of kind bundle, expected manifest"),
        (lambda: sealed_again(b"{}", "keys", KEYS["rotation"]), "of kind keys, expected bundle"),
    ],
)
def test_a_signature_does_not_excuse_a_file_that_is_put_together_wrongly(
    data: Callable[[], bytes], complaint: str
) -> None:
    with pytest.raises(BadContainer, match=complaint):
        drained(data())


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(schema="edgert.bundle/99"),
        lambda data: data.update(counter=-1),
        lambda data: data.update(name="a/b"),
        renamed("/etc/passwd"),
        renamed("../up"),
        renamed(SIGNED_MANIFEST),
        renamed("manifest.json"),
        lambda data: data["files"][0].update(size=1 << 62),
    ],
)
def test_a_signature_does_not_excuse_a_bad_manifest(change: Callable[[dict[str, object]], None]) -> None:
    with pytest.raises((BundleError, BadContainer)):
        open_manifest(small(change), TRUST)


def test_both_signatures_are_of_one_key() -> None:
    other = SigningKey.new("release")
    inner = sealed_again(opened(FILE).signed.body, "manifest", other)
    with pytest.raises(BadContainer, match="different keys"):
        opened(whole((SIGNED_MANIFEST, inner), *CONTENT.items()), Trust({**TRUST.keys, "other": other.public}))


def with_protected(*values: Tlv) -> bytes:
    """A signed container with other protected TLVs."""
    area = write_area(PROTECTED_MAGIC, values)
    head = write_header(Header(Version(1), 0, len(area)))
    digest = hashlib.sha256(head + area).digest()
    key = KEYS["release"]
    return (
        head
        + area
        + write_area(PLAIN_MAGIC, [Tlv(SHA256, digest), Tlv(KEY_HASH, key.public.hash), Tlv(ED25519, key.sign(digest))])
    )


GOOD = [Tlv(0x50, bytes(4)), Tlv(0xA0, b"edgert-bundle/1"), Tlv(0xA1, b"release"), Tlv(0xA2, b"{}")]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (GOOD[1:], "no container of edgert's"),
        ([*GOOD, Tlv(0xA3, b"")], "no container of edgert's"),
        ([Tlv(0x50, bytes(8)), *GOOD[1:]], "counter has 8 bytes"),
        ([GOOD[0], Tlv(0xA0, b"edgert-bundle/2"), *GOOD[2:]], "update edgert"),
        ([*GOOD[:3], Tlv(0xA2, b"{")], "target:"),
        ([*GOOD[:3], Tlv(0xA2, b"[" * 9000)], "target:"),
        ([*GOOD[:3], Tlv(0xA2, b"[" * 4000)], "target:"),
        ([*GOOD[:3], Tlv(0xA2, b'{"memory": 1}')], "target: memory"),
        ([*GOOD[:2], Tlv(0xA1, b"\xff"), GOOD[3]], "says it is signed for"),
    ],
)
def test_protected_tlvs_are_four_and_right(values: list[Tlv], complaint: str) -> None:
    with pytest.raises(UpdateError, match=complaint):
        opened(with_protected(*values))


def test_memory_is_bounded_by_a_piece_whatever_a_header_claims() -> None:
    class Endless(io.RawIOBase):
        largest = read_bytes = 0

        def read(self, size: int = -1) -> bytes:
            assert 0 <= size <= 1 << 20
            self.read_bytes += size
            return (
                (write_header(Header(Version(1), (1 << 32) - 1, 0)) + bytes(size))[:size]
                if self.read_bytes < 1 << 24
                else b""
            )

    with pytest.raises(BadContainer, match="before the end of its body"):
        sealed.verify(Endless(), TRUST, "bundle")  # type: ignore[arg-type]


def test_the_small_container_alone_vouches_for_the_files() -> None:
    signed = opened(FILE).signed
    found = open_manifest(signed.data, TRUST)
    assert found == signed
    assert {entry.path: entry.sha256 for entry in found.manifest.files} == {
        path: hashlib.sha256(data).hexdigest() for path, data in CONTENT.items()
    }
    assert from_json(found.body) == found.manifest
    assert tape_bytes([]) == 1024
