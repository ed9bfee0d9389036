"""A bundle of the store as the folder that the runtime reads: hard links to its objects, and its manifest.

A view is never the truth: it is looked at and, if anything in it is not right, made again each time it is asked for.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from edge_runtime.bundle.container.bundle_file import SignedManifest
from edge_runtime.bundle.errors import BadStore
from edge_runtime.bundle.manifest import MANIFEST, FileEntry
from edge_runtime.bundle.store.store import OBJECTS

VIEWS = "views"


class Views:
    """The views of a store that lies in `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, signed: SignedManifest) -> Path:
        """The folder of a bundle whose signature was just checked. BadStore: an object is gone, or no room."""
        view = self._root / VIEWS / signed.digest
        try:
            if not self._is_right(view, signed):
                self._make(view, signed)
        except OSError as error:
            raise BadStore(f"cannot make {view}: {error.filename}: {error.strerror}") from error
        return view

    def place(self, digest: str) -> Path:
        """Where the view of a bundle is, if there is one."""
        return self._root / VIEWS / digest

    def keep_only(self, digests: Collection[str]) -> None:
        """Take away the views of other bundles."""
        for view in (self._root / VIEWS).glob("*"):
            if view.name not in digests:
                shutil.rmtree(view, ignore_errors=True)

    def _is_right(self, view: Path, signed: SignedManifest) -> bool:
        expected = {MANIFEST, *(entry.path for entry in signed.manifest.files)}
        found = {
            path.relative_to(view).as_posix() for path in view.rglob("*") if not path.is_dir() or path.is_symlink()
        }
        if found != expected or (view / MANIFEST).read_bytes() != signed.body:
            return False
        return all(self._same(view, entry) for entry in signed.manifest.files)

    def _same(self, view: Path, entry: FileEntry) -> bool:
        link, target = (view / entry.path).lstat(), self._object(entry).stat()
        return (link.st_dev, link.st_ino) == (target.st_dev, target.st_ino)

    def _make(self, view: Path, signed: SignedManifest) -> None:
        part = view.with_name(view.name + ".part")
        for old in (part, view):
            shutil.rmtree(old, ignore_errors=True)
        part.mkdir(parents=True)
        for entry in signed.manifest.files:
            file = part / entry.path
            file.parent.mkdir(parents=True, exist_ok=True)
            _link(self._object(entry), file)
        (part / MANIFEST).write_bytes(signed.body)
        part.replace(view)

    def _object(self, entry: FileEntry) -> Path:
        return self._root / OBJECTS / entry.sha256


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # FAT knows no hard links, ext4 no more than 65,000 of a file
        shutil.copyfile(source, target)
