"""The store of this board as its settings say: which keys it trusts and which bundles it takes."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.bundle.container.bundle_file import SignedManifest
from edge_runtime.bundle.policy import Policy, check_licence, read_policy
from edge_runtime.bundle.store.disk import RealDisk
from edge_runtime.bundle.store.store import Admit, Store
from edge_runtime.bundle.store.views import Views
from edge_runtime.bundle.target import Here, check_target
from edge_runtime.bundle.trust import Trust, read_trust
from edge_runtime.config import UpdatesConfig
from edge_runtime.errors import ConfigError
from edge_runtime.updates.this_board import here


def open_store(root: Path, settings: UpdatesConfig) -> tuple[Store, Views]:
    """The store in `root`, made if there is none, and its bundles as folders.

    Raises:
        ConfigError: the folder cannot be made, or `updates.policy` cannot be read.
    """
    policy = read_policy(Path(settings.policy)) if settings.policy else None
    try:
        disk = RealDisk(root)
    except OSError as error:
        raise ConfigError(f"cannot make store {root}: {error.strerror}") from error
    store = Store(disk, lambda: trust_of(settings), admit(here(settings.boards), policy), settings.tries)
    return store, Views(root)


def trust_of(settings: UpdatesConfig) -> Trust:
    """The keys that are trusted now. BadKey: the folder cannot be used."""
    return read_trust(Path(settings.trust), allow_dev=settings.dev_keys)


def admit(here: Here, policy: Policy | None) -> Admit:
    """What refuses a bundle that is not for this board, or whose licence is not allowed."""

    def check(signed: SignedManifest) -> None:
        check_target(signed.container.label.target, here)
        check_licence(signed.manifest.source.license, policy)

    return check
