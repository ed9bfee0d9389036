"""`edgert service`: the daemon as a systemd service of this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from edge_runtime.commands.options import FILE, as_json

_per_user = click.option("--user", "per_user", is_flag=True, help="Your own systemd instead of the system's: no root.")
_folder = click.option(
    "--unit-folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the unit lies. Default: /etc/systemd/system, or ~/.config/systemd/user with --user.",
)


@click.group()
def service() -> None:
    """Run the daemon as a systemd service: at every start of the machine, restarted when it fails or hangs.

    \b
    edgert service install --config /etc/edgert/edgert.toml
    """


@service.command()
@click.option("--config", "config_file", type=FILE, help="TOML file with all settings; it must name a bundle.")
@_per_user
@click.option("--account", metavar="NAME", default="", help="Run as this account. Default: one that systemd makes up.")
@click.option("--memory-max", "memory_max_mb", type=click.IntRange(0), default=0, help="End it over this many MB.")
@_folder
@click.option("--dry-run", is_flag=True, help="Print the unit and change nothing.")
def install(
    config_file: Path | None,
    per_user: bool,
    account: str,
    memory_max_mb: int,
    unit_folder: Path | None,
    dry_run: bool,
) -> None:
    """Write the unit, enable and start it."""
    from edge_runtime.config import load_config
    from edge_runtime.systemd.service_unit import UNIT, service_unit
    from edge_runtime.systemd.unit_settings import settings_for
    from edge_runtime.systemd.unit_text import unit_text

    if per_user and account:
        raise click.UsageError("--account is for the system's unit; with --user it runs as you")
    config = load_config(config_file, {})  # the service will not have this terminal's variables
    settings = settings_for(config, config_file, per_user=per_user, user=account, memory_max_mb=memory_max_mb)
    text, unit = unit_text(settings), service_unit(per_user=per_user, folder=unit_folder)
    if dry_run:
        click.echo(text, nl=False)
        click.echo(f"not written: {unit.file}", err=True)
        return
    unit.install(text)
    click.echo(f"{unit.file}: {UNIT} is enabled and started")


@service.command()
@_per_user
@_folder
def remove(per_user: bool, unit_folder: Path | None) -> None:
    """Stop and disable the service, delete its unit; config and bundles stay."""
    from edge_runtime.systemd.service_unit import service_unit

    unit = service_unit(per_user=per_user, folder=unit_folder)
    click.echo(f"{unit.file}: removed" if unit.remove() else f"{unit.file}: was not there")


@service.command()
@_per_user
@_folder
@as_json
def status(per_user: bool, unit_folder: Path | None, as_json: bool) -> None:
    """Say whether the service runs; exit status 1 if it does not."""
    import dataclasses

    from edge_runtime.systemd.service_unit import service_unit

    found = service_unit(per_user=per_user, folder=unit_folder).status()
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found)))
    else:
        rows = dataclasses.asdict(found).items()
        click.echo("\n".join(f"{name:10} {'-' if value is None else value}" for name, value in rows))
    if not found.active:
        sys.exit(1)
