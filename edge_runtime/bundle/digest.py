"""One number for what a bundle does: the same for the same model made twice, whenever and wherever it was measured."""

from __future__ import annotations

import dataclasses
import hashlib
import json

from edge_runtime.bundle.specs import Manifest

_TOLD = "report"  # role of files that only tell what was found, with times


def content_digest(manifest: Manifest) -> str:
    """Hex sha256 of all that decides an answer: the settings, and path, role and sha256 of each file.

    Left out is what tells how the making went, which differs from run to run: `measured`, and files of the role
    `report`. What is left in are graphs, tokenizer, golden rows, licence, source and lock; so one changed weight,
    another version of a tool or another source gives another digest.
    """
    plain = dataclasses.asdict(manifest)
    del plain["measured"]
    plain["files"] = [
        {"path": entry.path, "role": entry.role, "sha256": entry.sha256}
        for entry in sorted(manifest.files, key=lambda entry: entry.path)
        if entry.role != _TOLD
    ]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
