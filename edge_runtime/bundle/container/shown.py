"""A container for people and as JSON."""

from __future__ import annotations

import dataclasses

from edge_runtime.bundle.container.bundle_file import SignedManifest
from edge_runtime.bundle.container.sealed import Container
from edge_runtime.bundle.show import describe
from edge_runtime.bundle.target import Target


def container_text(container: Container, signed: SignedManifest | None) -> str:
    """What stands on a container and, if its signature was checked, what is in it."""
    label = container.label
    who = f"{container.role} key {container.key_id}" if container.key_id else "nobody"
    facts = {
        "kind": label.kind,
        "version": str(label.version),
        "counter": str(label.counter),
        "for": _target(label.target),
        "signed by": who + ("" if signed else ", not checked: give --trust"),
        "hash": container.hash,
        "body": f"{container.body_bytes:,} bytes",
    }
    lines = [f"  {name:10} {value}" for name, value in facts.items()]
    return "\n".join(lines) + "\n" + (f"\n{describe(signed.manifest)}" if signed else "")


def plain(container: Container, signed: SignedManifest | None) -> dict[str, object]:
    """The same as JSON data; `manifest` only if its signature was checked."""
    facts = {**dataclasses.asdict(container), "checked": signed is not None}
    facts["label"]["version"] = str(container.label.version)
    return facts if signed is None else {**facts, "manifest": dataclasses.asdict(signed.manifest)}


def _target(target: Target) -> str:
    parts = [", ".join(target.targets) or "every processor", *target.boards]
    parts += [f"edgert {target.runtime} or newer"] if target.runtime else []
    parts += [f"{target.memory_mb} MB for models"] if target.memory_mb else []
    return "; ".join(parts)
