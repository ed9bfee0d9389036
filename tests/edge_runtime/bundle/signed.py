"""Small signed bundles without a model, for stores that only keep them."""

from __future__ import annotations

import hashlib
import io
import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from edge_runtime.bundle.container import bundle_file
from edge_runtime.bundle.container.keys import Role, SigningKey
from edge_runtime.bundle.manifest import Manifest, seal_bundle
from edge_runtime.bundle.target import Target
from edge_runtime.bundle.trust import Trust
from tests import tiny

KEYS: dict[Role, SigningKey] = {role: SigningKey.new(role) for role in ("release", "dev", "rotation")}
ANY = Target()
TRUST = Trust({role: key.public for role, key in KEYS.items()})


@cache
def bundle_bytes(
    version: str = "1.0.0", counter: int = 1, name: str = "tiny", role: Role = "release", target: Target = ANY
) -> bytes:
    """A whole bundle file: a model of 5 kB that differs from version to version, and a tokenizer that does not."""
    with TemporaryDirectory() as work:
        folder = Path(work) / "bundle"
        write_folder(folder, version, counter, name)
        out = Path(work) / "out.edgert"
        bundle_file.build(folder, out, KEYS[role], target)
        return out.read_bytes()


def write_folder(folder: Path, version: str = "1.0.0", counter: int = 1, name: str = "tiny") -> Manifest:
    """The folder that such a bundle is made of."""
    folder.mkdir()
    seed = int.from_bytes(hashlib.sha256(version.encode()).digest()[:4], "big")
    (folder / "model.onnx").write_bytes(random.Random(seed).randbytes(5000))
    (folder / "tokenizer.json").write_bytes(b"the same in all versions" * 60)
    made = tiny.manifest("classify", name)
    plain = made.__class__(**{**vars(made), "version": version, "counter": counter})
    return seal_bundle(folder, plain, {"model.onnx": "model", "tokenizer.json": "tokenizer"})


def opened(data: bytes, trust: Trust | None = TRUST) -> bundle_file.BundleFile:
    """A bundle file in memory, opened."""
    return bundle_file.open_bundle(io.BytesIO(data), trust)
