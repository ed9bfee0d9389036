"""`edgert install`, `confirm`, `rollback`, `gc`: a board's store, whether its daemon runs or not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_runtime.commands.options import FILE, as_json

if TYPE_CHECKING:
    from edge_runtime.bundle.store.store import Store
    from edge_runtime.bundle.store.views import Views
    from edge_runtime.config import Config

_STORE = click.Path(file_okay=False, path_type=Path)


def _of_store(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options by which a store and its settings are found."""
    for option in (
        click.option("--config", "config_file", type=FILE, help="The daemon's config: its `store` and `updates`."),
        click.option("--trust", type=_STORE, help="Folder of trusted keys, instead of updates.trust."),
        click.option("--store", "root", type=_STORE, help="The store, instead of the config's."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("file", type=FILE)
@_of_store
@click.option("--wait", is_flag=True, help="Let it wait until Home Assistant or `load` over MQTT asks for it.")
@as_json
def install(
    file: Path, root: Path | None, trust: Path | None, config_file: Path | None, wait: bool, as_json: bool
) -> None:
    """Put the signed bundle FILE into a board's store; the daemon tries it, and keeps it or goes back by itself.

    \b
    edgert install home-intents-minilm-1.1.0.edgert --store /var/lib/edgert
    """
    from edge_runtime.bundle.container.bundle_file import open_bundle
    from edge_runtime.updates.board_store import trust_of

    config = _config(root, trust, config_file)
    store, _ = _open(config)
    with file.open("rb") as stream:
        bundle = open_bundle(stream, trust_of(config.updates))
        installed = store.install(bundle, test=not wait)
    name = bundle.signed.manifest.name
    if as_json:
        click.echo(json.dumps({"model": name, **dataclasses.asdict(installed), "test": not wait}))
        return
    click.echo(f"{name} {installed.version} is in {config.store}: {'it waits' if wait else 'the daemon tries it next'}")


@click.command()
@click.argument("model")
@_of_store
def confirm(model: str, root: Path | None, trust: Path | None, config_file: Path | None) -> None:
    """Keep MODEL's bundle that is on trial.

    \b
    edgert confirm home-intents-minilm --store /var/lib/edgert
    """
    store, _ = _open(_config(root, trust, config_file))
    click.echo(f"{model} {store.confirm(model).version} is kept")


@click.command()
@click.argument("model")
@_of_store
def rollback(model: str, root: Path | None, trust: Path | None, config_file: Path | None) -> None:
    """Take MODEL's bundle back: the one on trial, or else the active one for the one before.

    \b
    edgert rollback home-intents-minilm --store /var/lib/edgert
    """
    store, _ = _open(_config(root, trust, config_file))
    active = store.rollback(model)
    click.echo(f"{model}: {active.version if active else 'none'} is active")


@click.command()
@_of_store
@click.option("--unfinished", is_flag=True, help="Also what came of bundles that never came to their end.")
def gc(root: Path | None, trust: Path | None, config_file: Path | None, unfinished: bool) -> None:
    """Clear away what no bundle in the store needs any more.

    \b
    edgert gc --store /var/lib/edgert
    """
    store, views = _open(_config(root, trust, config_file))
    freed = store.gc(unfinished=unfinished)
    views.keep_only(store.state().digests)
    click.echo(f"cleared away {freed.files} files, {freed.size_bytes / 1e6:.1f} MB")


def _config(root: Path | None, trust: Path | None, config_file: Path | None) -> Config:
    from edge_runtime.config import load_config
    from edge_runtime.errors import UsageError

    config = load_config(config_file)
    updates = dataclasses.replace(config.updates, trust=str(trust)) if trust else config.updates
    config = dataclasses.replace(config, store=str(root) if root else config.store, updates=updates)
    if not config.store:
        raise UsageError("which store? Give --store DIR, or --config FILE with `store` in it")
    return config


def _open(config: Config) -> tuple[Store, Views]:
    from edge_runtime.updates.board_store import open_store

    return open_store(Path(config.store), config.updates)
