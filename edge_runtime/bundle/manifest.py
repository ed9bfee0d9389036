"""The bundle: a folder with a `manifest.json` that names every file in it (docs/bundle.md).

Reader and writer of the format in one place. The reader is strict: it refuses, by name, an unknown schema, a file
that is missing, extra or altered, a path that could leave the folder, and absurd sizes, before anything is used.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_runtime.bundle.specs import (
    SCHEMA,
    Family,
    FileEntry,
    Limits,
    Manifest,
    ModelSpec,
    Parity,
    Role,
    Source,
    TaskSpec,
    TensorSpec,
    TokenizerSpec,
    Variant,
    VoiceSpec,
)
from edge_runtime.errors import (
    BundleError,
    BundleFileAltered,
    BundleFileExtra,
    BundleFileMissing,
    BundlePathRefused,
    BundleTooLarge,
    UnknownSchema,
)
from edge_runtime.strict import StrictError, decode

__all__ = [
    "Family",
    "FileEntry",
    "Limits",
    "Manifest",
    "ModelSpec",
    "Parity",
    "Role",
    "Source",
    "TaskSpec",
    "TensorSpec",
    "TokenizerSpec",
    "Variant",
    "VoiceSpec",
    "from_json",
    "read_bundle",
    "read_manifest",
    "seal_bundle",
    "sha256_of",
    "to_json",
]

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20  # MiniLM's is 7 kB; a claim of more is an attack or a mistake
MAX_FILE_BYTES = 8 << 30
MAX_FILES = 1000
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")  # also a topic word, see docs/mqtt.md
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PATH_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}")


def to_json(manifest: Manifest) -> str:
    """The manifest as stable, readable JSON text."""
    plain = dataclasses.asdict(manifest)
    ordered = {"schema": plain.pop("schema"), **plain}
    return json.dumps(ordered, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str | bytes) -> Manifest:
    """Read manifest text.

    Raises:
        UnknownSchema: another format or version.
        BundlePathRefused, BundleTooLarge, BundleError: a value that no honest bundle has.
    """
    data = _json_object(text)
    if data.get("schema") != SCHEMA:
        found = repr(data.get("schema"))[:80]
        raise UnknownSchema(f"manifest schema is {found}, this edgert reads {SCHEMA!r}: update edgert or convert again")
    try:
        manifest = decode(Manifest, data)
    except StrictError as error:
        raise BundleError(f"{MANIFEST}: {error}") from error
    _check_values(manifest)
    return manifest


def seal_bundle(folder: Path, manifest: Manifest, roles: Mapping[str, Role]) -> Manifest:
    """Hash the files and write `manifest.json`, atomically; returns the manifest with its files.

    Args:
        folder: holds exactly the files of `roles`.
        manifest: everything else; its `files` are replaced.
        roles: relative path -> role.
    """
    entries = []
    for path, role in sorted(roles.items()):
        file = folder / path
        entries.append(FileEntry(path, role, file.stat().st_size, sha256_of(file)))
    sealed = dataclasses.replace(manifest, files=tuple(entries))
    text = to_json(sealed)
    from_json(text)  # what the reader would refuse must never be written
    temporary = folder / (MANIFEST + ".part")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(folder / MANIFEST)
    return sealed


def read_manifest(folder: Path) -> Manifest:
    """Read what a bundle says of itself; its other files are not looked at. BundleError: with what is wrong."""
    try:
        return _read_manifest(folder)
    except OSError as error:
        raise BundleError(f"cannot read {error.filename or folder}: {error.strerror}") from error


def _read_manifest(folder: Path) -> Manifest:
    size = _regular(folder, MANIFEST).st_size
    if size > MAX_MANIFEST_BYTES:
        raise BundleTooLarge(f"{MANIFEST} has {size} bytes, more than {MAX_MANIFEST_BYTES}")
    return from_json((folder / MANIFEST).read_bytes())


def read_bundle(folder: Path) -> Manifest:
    """Read and check a whole bundle folder; every file is hashed.

    Raises:
        BundleError: or one of its kinds, naming the file and what is wrong with it.
    """
    try:
        return _read_bundle(folder)
    except OSError as error:
        raise BundleError(f"cannot read {error.filename or folder}: {error.strerror}") from error


def _read_bundle(folder: Path) -> Manifest:
    manifest = _read_manifest(folder)
    listed = {entry.path for entry in manifest.files}
    for found in _walk(folder):
        if found not in listed and found != MANIFEST:
            raise BundleFileExtra(f"{found!r} is in the bundle but not in its manifest: remove it or convert again")
    for entry in manifest.files:
        _check_file(folder, entry)
    return manifest


def sha256_of(file: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_file(folder: Path, entry: FileEntry) -> None:
    size = _regular(folder, entry.path).st_size
    if size != entry.size:
        raise BundleFileAltered(f"{entry.path!r} has {size} bytes, its manifest says {entry.size}: fetch it again")
    digest = sha256_of(folder / entry.path)
    if digest != entry.sha256:
        raise BundleFileAltered(
            f"{entry.path!r} has sha256 {digest[:12]}…, its manifest says {entry.sha256[:12]}…: fetch it again"
        )


def _regular(folder: Path, relative: str) -> os.stat_result:
    """The file's status, if it and every folder above it inside the bundle are what they seem."""
    current = folder
    for part in relative.split("/"):
        current = current / part
        try:
            status = current.lstat()
        except FileNotFoundError as error:
            raise BundleFileMissing(f"{relative!r} is missing in {folder}") from error
        except OSError as error:
            raise BundleError(f"cannot read {relative!r} in {folder}: {error.strerror}") from error
        if stat.S_ISLNK(status.st_mode):
            raise BundlePathRefused(f"{relative!r} is or goes through a link: a bundle holds plain files only")
    if not stat.S_ISREG(status.st_mode):
        raise BundlePathRefused(f"{relative!r} is not a plain file")
    return status


def _walk(folder: Path) -> Iterator[str]:
    def stop(error: OSError) -> None:
        raise error  # os.walk would pass over what it may not list

    for root, folders, files in os.walk(folder, onerror=stop):
        for name in files + [name for name in folders if (Path(root) / name).is_symlink()]:
            yield (Path(root) / name).relative_to(folder).as_posix()


def _json_object(text: str | bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = dict(pairs)
        if len(keys) != len(pairs):
            raise BundleError(f"{MANIFEST} has a key twice")
        return keys

    try:
        data = json.loads(text, object_pairs_hook=unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{MANIFEST} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise BundleError(f"{MANIFEST} is not a JSON object")
    return data


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _check_values(manifest: Manifest) -> None:
    if not NAME.fullmatch(manifest.name):
        raise BundleError(f"name {manifest.name[:80]!r} must be 1 to 64 of A-Z a-z 0-9 _ . -")
    if min(manifest.limits.max_tokens, manifest.limits.max_texts) < 1:
        raise BundleError("limits must be at least 1")
    if manifest.tokenizer and manifest.tokenizer.parity and manifest.tokenizer.parity.mismatches:
        raise BundleError("tokenizer: its parity report has mismatches: this bundle must not be used")
    if manifest.task.generate is not None and (problem := manifest.task.generate.problem()):
        raise BundleError(f"task.generate: {problem}")
    if len(manifest.files) > MAX_FILES:
        raise BundleTooLarge(f"manifest lists {len(manifest.files)} files, more than {MAX_FILES}")
    for entry in manifest.files:
        _check_entry(entry)
    paths = [entry.path for entry in manifest.files]
    if len(set(paths)) != len(paths):
        raise BundleError("manifest lists a file twice")
    for role, file in _named(manifest):
        if paths and not any(entry.path == file and entry.role == role for entry in manifest.files):
            raise BundleFileMissing(f"manifest names {file!r} as its {role} but does not list it")


def _named(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Role and path of every file that the manifest speaks of outside its list."""
    for model in (manifest.model, *manifest.more.values(), *(variant.model for variant in manifest.variants)):
        yield "model", model.file
    for variant in manifest.variants:
        yield "golden", variant.golden
    if manifest.tokenizer is not None:
        yield "tokenizer", manifest.tokenizer.file
        if manifest.tokenizer.compiled is not None:
            yield "tokenizer", manifest.tokenizer.compiled
    if manifest.task.ocr is not None:
        yield "characters", manifest.task.ocr.characters
    if manifest.task.generate is not None and manifest.task.generate.chat is not None:
        yield "template", manifest.task.generate.chat.template


def _check_entry(entry: FileEntry) -> None:
    if not all(_PATH_PART.fullmatch(part) for part in entry.path.split("/")) or entry.path == MANIFEST:
        raise BundlePathRefused(f"path {entry.path[:120]!r} is not a plain relative path")
    if not 0 <= entry.size <= MAX_FILE_BYTES:
        raise BundleTooLarge(f"{entry.path!r} claims {entry.size} bytes, the most is {MAX_FILE_BYTES}")
    if not _DIGEST.fullmatch(entry.sha256):
        raise BundleError(f"{entry.path!r}: sha256 must be 64 hex digits")
