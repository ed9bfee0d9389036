"""`edgert flash`: a bundle to a board, or firmware to a microcontroller; `edgert receive` is its other end over ssh."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from edge_runtime.errors import EdgertError, UsageError

if TYPE_CHECKING:
    from firmware_bridge.flash.engine import Told

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_IMAGE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


class FlashCommand(click.Command):
    """A command that exits with 1, not 2, when it is used wrongly: 2 says that the board has refused."""

    def make_context(self, *given: Any, **options: Any) -> click.Context:
        """Read the arguments."""
        try:
            return super().make_context(*given, **options)
        except click.UsageError as error:
            if "--json" in sys.argv or "--json" in (given[1] if len(given) > 1 else []):
                plain = {"reason": "usage", "code": 400, "message": error.format_message()}
                click.echo(json.dumps({"error": plain}))
            error.show()
            sys.exit(1)


@click.command(cls=FlashCommand)
@click.argument("bundle", type=_FILE, required=False)
@click.option("--to", "target", required=True, metavar="TARGET", help="serial:, socket://, udp://, ssh:// or dir: URL.")
@click.option("--mcu", "image", type=_IMAGE, help="Firmware for a microcontroller, instead of a bundle.")
@click.option("--via", type=click.Choice(["smp", "esptool"]), default="smp", show_default=True, help="With --mcu.")
@click.option("--address", default="0x0", show_default=True, help="With --via esptool: where the image begins.")
@click.option("--as", "name", metavar="PATH", help="With --mcu: put the file there, in the board's file system.")
@click.option("--trust", type=_FOLDER, default="/etc/edgert/trust", show_default=True, help="For dir: its keys.")
@click.option("--allow-dev", is_flag=True, help="For dir: take what is signed for development, too.")
@click.option(
    "--confirm",
    type=click.Choice(["auto", "manual"]),
    default="auto",
    show_default=True,
    help="Wait until the board has kept it, or leave it on trial.",
)
@click.option(
    "--wait",
    "limit_s",
    type=click.FloatRange(0),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the board's decision.",
)
@click.option("--dry-run", is_flag=True, help="Only say what it would cost.")
@click.option("--resume", is_flag=True, help="Nothing more than without: what has come is never sent again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines.")
def flash(
    bundle: Path | None,
    target: str,
    image: Path | None,
    via: Literal["smp", "esptool"],
    address: str,
    name: str | None,
    trust: Path,
    allow_dev: bool,
    confirm: Literal["auto", "manual"],
    limit_s: float,
    dry_run: bool,
    resume: bool,
    as_json: bool,
) -> None:
    """Bring the signed BUNDLE to a board, and wait until it has tried and kept it. Cut off, run it again.

    Exits with 0 done, 1 used wrongly, 2 refused, 3 link lost (run it again), 4 tried and rolled back, 5 busy.

    \b
    edgert flash home-intents-minilm-1.1.0.edgert --to 'serial:/dev/ttyUSB0?fast=921600'
    edgert flash home-intents-minilm-1.1.0.edgert --to ssh://pi@board.local/var/lib/edgert
    edgert flash --mcu zephyr.signed.bin --to serial:/dev/ttyACM0
    """
    from firmware_bridge.flash.engine import exit_code

    try:
        if (bundle is None) == (image is None):
            raise UsageError("what is to be flashed? Give a BUNDLE, or --mcu IMAGE")
        if image is not None and not image.is_file():
            raise UsageError(f"there is no file {image}")
        if bundle is not None:
            _flash_bundle(bundle, target, trust, allow_dev, confirm, limit_s, dry_run, as_json)
        elif via == "esptool":
            assert image is not None
            _flash_esp(image, target, address, as_json)
        else:
            assert image is not None
            _flash_mcu(image, target, name, confirm == "manual", as_json)
    except EdgertError as error:
        error.exit_code = exit_code(error)
        raise


@click.command()
@click.option("--store", "root", type=_FOLDER, help="The store, instead of the config's.")
@click.option("--config", "config_file", type=_FILE, help="The daemon's config: its store and keys.")
@click.option("--trust", type=_FOLDER, help="Folder of trusted keys, instead of updates.trust.")
def receive(root: Path | None, config_file: Path | None, trust: Path | None) -> None:
    """Take a bundle from standard input into a store: what `edgert flash --to ssh://` runs on the board."""
    from edge_runtime.config import load_config
    from firmware_bridge.flash.receive import receive as serve

    config = load_config(config_file)
    updates = dataclasses.replace(config.updates, trust=str(trust)) if trust else config.updates
    config = dataclasses.replace(config, store=str(root) if root else config.store, updates=updates)
    out = os.dup(1)
    os.dup2(2, 1)  # what anybody prints must not get between the messages
    serve(config, 0, out)


def _flash_bundle(
    bundle: Path,
    url: str,
    trust: Path,
    allow_dev: bool,
    confirm: Literal["auto", "manual"],
    limit_s: float,
    dry_run: bool,
    as_json: bool,
) -> None:
    from edge_runtime.bundle.trust import read_trust
    from firmware_bridge.flash.bar import Bar
    from firmware_bridge.flash.cargo import open_cargo
    from firmware_bridge.flash.engine import flash as run
    from firmware_bridge.flash.opened import Ways, open_target

    bar = Bar(sys.stderr)
    with open_cargo(bundle) as cargo:
        target = open_target(url, Ways(lambda: read_trust(trust, allow_dev=allow_dev), tell=_tell))
        try:
            report = run(cargo, target, confirm=confirm, dry_run=dry_run, limit_s=limit_s, told=_told(bar))
        finally:
            bar.end()
            target.close()
    if as_json:
        click.echo(json.dumps(report.plain()))
        return
    said = {
        "confirmed": "tried and kept",
        "on_trial": "there; the board tries it, keep it with `edgert confirm`",
        "installed": "in the store; the board tries it when its daemon starts",
        "waiting": "there; it waits to be tried",
        "dry_run": "nothing was sent",
    }
    click.echo(f"{report.estimate.model} {report.estimate.version}: {said[report.end]} ({report.seconds:.1f} s)")


def _told(bar: Any) -> Told:
    from firmware_bridge.flash.engine import Estimate, Told

    def estimate(found: Estimate) -> None:
        _tell(found.describe())
        bar.begin(found.send_bytes)

    return Told(estimate, bar.show, _tell)


def _flash_mcu(image: Path, url: str, name: str | None, manual: bool, as_json: bool) -> None:
    from firmware_bridge.flash.bar import Bar
    from firmware_bridge.flashers.mcuboot import read_image
    from firmware_bridge.flashers.smp import SmpBoard
    from firmware_bridge.link import open_link, read_address

    data, bar = image.read_bytes(), Bar(sys.stderr)
    firmware = None if name else read_image(data)
    board = SmpBoard(read_address(url), open_link)
    try:
        bar.begin(len(data))
        if firmware is None:
            report = board.put_file(data, name or "", bar.show)
        else:
            report = board.flash(firmware, manual=manual, progress=bar.show, tell=_tell)
    finally:
        bar.end()
        board.close()
    said = {"confirmed": "runs and is kept", "on_trial": "runs on trial: the next restart goes back"}
    _end(report, f"{report.version}: {said.get(report.end, report.end)} ({report.seconds:.1f} s)", as_json)


def _flash_esp(image: Path, url: str, address: str, as_json: bool) -> None:
    from firmware_bridge.flashers.esptool import flash_esp
    from firmware_bridge.link import read_address
    from firmware_bridge.serial_link import device_of

    link = read_address(url)
    port = device_of(link.device) if link.kind == "serial" else str(link)
    report = flash_esp(port, image, address, tell=_tell)
    _end(report, f"{image.name}: written and verified at {report.baud} baud ({report.seconds:.1f} s)", as_json)


def _end(report: Any, sentence: str, as_json: bool) -> None:
    click.echo(json.dumps({"ok": True, **dataclasses.asdict(report)}) if as_json else sentence)


def _tell(line: str) -> None:
    click.echo(line, err=True)
