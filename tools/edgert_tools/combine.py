"""One bundle of several forms of a model, of which each board uses the first that is made for it."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.bundle.manifest import Manifest, Role, Variant, read_bundle, seal_bundle, sha256_of
from edge_runtime.bundle.variants import FOLDER
from edge_runtime.errors import UsageError
from edgert_tools.cache import work_folder
from edgert_tools.pack import check_target, install


def combine(folders: Sequence[Path], out: Path, *, force: bool = False) -> Manifest:
    """Put bundles of one model into one.

    Args:
        folders: the bundles, the preferred one first. The last one is used where no other fits.
        out: the folder to make.
        force: replace a bundle there.

    Returns:
        The new bundle's manifest.

    Raises:
        UsageError: fewer than two, of different models, or one would never be used.
        BundleError: one cannot be read, or something else is in the way at `out`.
    """
    if len(folders) < 2:
        raise UsageError("give at least two bundles: the preferred one first, the one for every board last")
    check_target(out, force=force)
    with work_folder() as work:
        sealed = join(folders, work / "bundle")
        install(work / "bundle", out.absolute(), force=force)
    return sealed


def join(folders: Sequence[Path], made: Path) -> Manifest:
    """Put bundles of one model, the preferred one first, into one at `made`, which is not there yet.

    Raises:
        UsageError: they are of different models, or one would never be used.
        BundleError: one cannot be read.
    """
    manifests = [read_bundle(folder) for folder in folders]
    _check(folders, manifests)
    shutil.copytree(folders[-1], made)
    variants = tuple(
        _add(made, folder, manifest) for folder, manifest in zip(folders[:-1], manifests[:-1], strict=True)
    )
    return seal_bundle(made, _joined(manifests, variants), _roles(made, manifests[-1], manifests[:-1]))


def _check(folders: Sequence[Path], manifests: Sequence[Manifest]) -> None:
    base = manifests[-1]
    for folder, manifest in zip(folders[:-1], manifests[:-1], strict=True):
        for what in ("name", "version", "task", "limits", "source"):
            if getattr(manifest, what) != getattr(base, what):
                raise UsageError(f"{folder} and {folders[-1]} differ in {what}: they are not one model in two forms")
        if _tokenizer(folder, manifest) != _tokenizer(folders[-1], base):
            raise UsageError(f"{folder} and {folders[-1]} have different tokenizers")
        if manifest.variants or base.variants:
            raise UsageError("a bundle that holds several forms already cannot be combined again")
    schemes = [manifest.model.scheme for manifest in manifests]
    if len(set(schemes)) < len(schemes):
        raise UsageError(f"two bundles have the same scheme: {', '.join(schemes)}")
    taken: set[str] = set()
    for folder, manifest in zip(folders, manifests, strict=True):
        if taken.issuperset(manifest.targets):
            raise UsageError(f"{folder} would never be used: those before it are for {', '.join(sorted(taken))}")
        taken.update(manifest.targets)


def _tokenizer(folder: Path, manifest: Manifest) -> str:
    return "" if manifest.tokenizer is None else sha256_of(folder / manifest.tokenizer.file)


def _add(made: Path, folder: Path, manifest: Manifest) -> Variant:
    """Copy a bundle's graph and golden rows into a folder of their own."""
    own = made / FOLDER / manifest.model.scheme
    own.mkdir(parents=True)
    golden = manifest.file_of("golden")
    if golden is None:
        raise UsageError(f"{folder} has no golden rows: convert it again")
    for entry in manifest.files:
        if entry.role == "model" or entry == golden:
            shutil.copyfile(folder / entry.path, own / Path(entry.path).name)
    place = own.relative_to(made).as_posix()
    model = dataclasses.replace(manifest.model, file=f"{place}/{Path(manifest.model.file).name}")
    return Variant(model, manifest.targets, f"{place}/{Path(golden.path).name}")


def _joined(manifests: Sequence[Manifest], variants: tuple[Variant, ...]) -> Manifest:
    base = manifests[-1]
    targets = tuple(dict.fromkeys(target for manifest in reversed(manifests) for target in manifest.targets))
    measured = {FOLDER: {manifest.model.scheme: manifest.measured for manifest in manifests[:-1]}}
    return dataclasses.replace(base, targets=targets, variants=variants, measured={**base.measured, **measured})


def _roles(made: Path, base: Manifest, others: Sequence[Manifest]) -> dict[str, Role]:
    roles: dict[str, Role] = {entry.path: entry.role for entry in base.files}
    for manifest in others:
        for entry in manifest.files:
            path = f"{FOLDER}/{manifest.model.scheme}/{Path(entry.path).name}"
            if (made / path).is_file():
                roles[path] = entry.role
    return roles
