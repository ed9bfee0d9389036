"""How one bundle differs from another: settings, measured figures, files, and what an update would have to send."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge_runtime.bundle.manifest import FileEntry, Manifest

_SHOWN_CHARS = 60


@dataclass(frozen=True)
class Change:
    """One value, by its place in the manifest, as `measured.quality.cosine_mean`; None: it is not there."""

    place: str
    before: object
    after: object


@dataclass(frozen=True)
class FileChange:
    """One file that is not the same; None: it is not there."""

    path: str
    before: FileEntry | None
    after: FileEntry | None


@dataclass(frozen=True)
class Difference:
    """What differs between two bundles.

    Attributes:
        names: name and version of each.
        changes: values, in the manifest's order.
        files: files, by path.
        sent_bytes: of the files that the other bundle does not hold, under whatever name.
        size_bytes: of all files of the newer one.
    """

    names: tuple[str, str]
    changes: tuple[Change, ...]
    files: tuple[FileChange, ...]
    sent_bytes: int
    size_bytes: int

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.changes and not self.files


def compare(before: Manifest, after: Manifest) -> Difference:
    """Compare two bundles by their manifests, whose hashes stand for the files."""
    old, new = dict(_values(_plain(before))), dict(_values(_plain(after)))
    places = [*old, *(place for place in new if place not in old)]
    changes = [Change(place, old.get(place), new.get(place)) for place in places]
    known = {entry.sha256 for entry in before.files}
    return Difference(
        names=(f"{before.name} {before.version}", f"{after.name} {after.version}"),
        changes=tuple(change for change in changes if change.before != change.after),
        files=tuple(_files(before, after)),
        sent_bytes=sum(entry.size for entry in after.files if entry.sha256 not in known),
        size_bytes=after.size_bytes,
    )


def plain(difference: Difference) -> dict[str, object]:
    """The difference as JSON data."""
    return {"same": difference.same, **dataclasses.asdict(difference)}


def describe(difference: Difference) -> str:
    """The difference for people."""
    if difference.same:
        return f"{difference.names[0]}: the same"
    lines = [f"{difference.names[0]} -> {difference.names[1]}"]
    width = max((len(change.place) for change in difference.changes), default=0)
    for change in difference.changes:
        lines.append(
            f"  {change.place:{width}}  {_short(change.before)} -> {_short(change.after)}{_by_how_much(change)}"
        )
    lines += [_file_line(change) for change in difference.files]
    megabytes, whole = difference.sent_bytes / 1e6, difference.size_bytes / 1e6
    return "\n".join([*lines, f"  an update sends {megabytes:.2f} of {whole:.2f} MB"])


def _plain(manifest: Manifest) -> dict[str, Any]:
    values = dataclasses.asdict(manifest)
    del values["files"]
    return values


def _values(value: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Each value under its place. Lists are values: of labels or tensors one reads as a whole."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _values(inner, f"{place}.{name}" if place else str(name))
    else:
        yield place, value


def _files(before: Manifest, after: Manifest) -> Iterator[FileChange]:
    old, new = ({entry.path: entry for entry in manifest.files} for manifest in (before, after))
    for path in sorted({*old, *new}):
        if old.get(path) != new.get(path):
            yield FileChange(path, old.get(path), new.get(path))


def _short(value: object) -> str:
    if value is None:
        return "none"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def _by_how_much(change: Change) -> str:
    before, after = change.before, change.after
    if not (isinstance(before, int | float) and isinstance(after, int | float)):
        return ""
    if isinstance(before, bool) or isinstance(after, bool) or not before:
        return ""
    return f"  ({100 * (after - before) / abs(before):+.2f} %)"


def _file_line(change: FileChange) -> str:
    if change.before is None:
        return f"  + {change.path}  {_megabytes(change.after)}"
    if change.after is None:
        return f"  - {change.path}  {_megabytes(change.before)}"
    return f"  ~ {change.path}  {_megabytes(change.before)} -> {_megabytes(change.after)}"


def _megabytes(entry: FileEntry | None) -> str:
    return f"{entry.size / 1e6:.2f} MB" if entry else ""
