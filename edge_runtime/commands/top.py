"""`edgert top` and `edgert status`: all devices of a broker, live or for one moment."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_runtime.commands.options import as_json, broker

if TYPE_CHECKING:
    from edge_runtime.watching.watch import Watch

_REDRAW_S = 1.0
_ENTER, _HOME, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[H\x1b[J", "\x1b[?25h\x1b[?1049l"  # other screen, no cursor

_root = click.option("--root", metavar="TOPIC", default="edgert/v1", show_default=True, help="As broker.root there.")
_wait = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 3600),
    default=1.0,
    show_default=True,
    help="Seconds to wait for `stats`, published every metrics.stats_s; without it some columns stay empty.",
)


@click.command()
@broker
@_root
@click.option("--once", is_flag=True, help="Print one table and end, as when the output is no terminal.")
@_wait
@as_json
def top(broker: str | None, root: str, once: bool, wait_s: float, as_json: bool) -> None:
    """Show all devices on the broker: queue, requests per second, times, memory, temperature, models. Ctrl-C ends it.

    \b
    edgert top --once --wait 11
    """
    from edge_runtime.up import find_broker
    from edge_runtime.watching.watch import Watch

    with Watch(find_broker(broker), root=root) as watch:
        if once or as_json or not sys.stdout.isatty():
            watch.settle(wait_s)
            click.echo(json.dumps(watch.document()) if as_json else watch.table(_width()))
        else:
            _redraw(watch)


@click.command()
@broker
@_root
@click.option("--device", metavar="NAME", help="Exit status 1 for this one only. Default: for any that is offline.")
@_wait
@click.option(
    "--store",
    type=click.Path(file_okay=False, path_type=Path),
    help="Look at this store of bundles instead (docs/updates.md).",
)
@as_json
def status(broker: str | None, root: str, device: str | None, wait_s: float, store: Path | None, as_json: bool) -> None:
    """Say how the devices on the broker are; exit status 1 if one is offline, or none has announced itself.

    With --store: which bundles a board's store has, in which slots.

    \b
    edgert status --device hub --json
    """
    if store is not None:
        _show_store(store, as_json)
        return
    from edge_runtime.up import find_broker
    from edge_runtime.watching.watch import Watch

    with Watch(find_broker(broker), root=root) as watch:
        watch.settle(wait_s)
        document, missing = watch.document(), watch.missing(device)
        table = watch.table(_width())
    click.echo(json.dumps(document) if as_json else table)
    if missing:
        click.echo(f"not online: {', '.join(missing)}", err=True)
    elif not document["devices"]:
        click.echo("no device has announced itself on this broker", err=True)
    if missing or not document["devices"]:
        sys.exit(1)


def _show_store(root: Path, as_json: bool) -> None:
    from edge_runtime.bundle.store.shown import describe
    from edge_runtime.bundle.store.state import STATE, State, state_from_bytes, state_to_bytes
    from edge_runtime.errors import UsageError

    if not root.is_dir():
        raise UsageError(f"there is no store {root}")
    file = root / STATE
    state = state_from_bytes(file.read_bytes()) if file.exists() else State()
    click.echo(state_to_bytes(state) if as_json else describe(state), nl=not as_json)


def _redraw(watch: Watch) -> None:
    click.echo(_ENTER, nl=False)
    try:
        while True:
            size = shutil.get_terminal_size()
            lines = watch.table(size.columns).splitlines()[: size.lines - 1]
            click.echo(_HOME + "\n".join(lines), nl=False)
            time.sleep(_REDRAW_S)
    except KeyboardInterrupt:
        pass
    finally:
        click.echo(_LEAVE, nl=False)


def _width() -> int:
    return shutil.get_terminal_size((160, 24)).columns if sys.stdout.isatty() else 200
