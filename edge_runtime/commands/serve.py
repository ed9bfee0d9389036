"""`edgert serve` and `edgert up`: the daemon, alone or with a broker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_runtime.commands.options import FILE, FOLDER

if TYPE_CHECKING:
    from edge_runtime.config import Config
    from edge_runtime.daemon import Daemon


@click.command()
@click.option("--bundle", "bundles", multiple=True, type=FOLDER, help="Bundle folder to serve; may be repeated.")
@click.option("--broker", metavar="URL", help="MQTT broker; see docs/config.md for users, passwords and TLS.")
@click.option("--device", metavar="NAME", help="This device's word in all topics. Default: the host name.")
@click.option("--config", "config_file", type=FILE, help="TOML file with all settings (docs/config.md).")
def serve(bundles: tuple[Path, ...], broker: str | None, device: str | None, config_file: Path | None) -> None:
    """Answer requests over MQTT until SIGTERM or Ctrl-C. SIGHUP: read the config again, exchange changed bundles.

    \b
    edgert serve --bundle home-intents-minilm --broker mqtt://hub.local
    """
    from edge_runtime.running import prepare, run_until_stopped

    def read() -> Config:
        return _config(config_file, bundles, broker, device)

    config = read()
    prepare(config)
    run_until_stopped(config, reread=read)


@click.command()
@click.option("--bundle", "bundles", multiple=True, required=True, type=FOLDER, help="Bundle folder; may be repeated.")
@click.option("--broker", metavar="URL", help="Use this broker instead of starting one.")
@click.option("--device", metavar="NAME", help="This device's word in all topics. Default: the host name.")
@click.option("--config", "config_file", type=FILE, help="TOML file with all settings (docs/config.md).")
def up(bundles: tuple[Path, ...], broker: str | None, device: str | None, config_file: Path | None) -> None:
    """Try it at home: a broker and the daemon in one command.

    Takes the broker given by URL, else starts a private Mosquitto, else the embedded one; says which, and prints
    lines to paste into another terminal.
    """
    from edge_runtime.mqtt.broker import start_broker
    from edge_runtime.running import prepare, run_until_stopped
    from edge_runtime.up import lines_to_try, note_for

    config = _config(config_file, bundles, None, device)
    prepare(config)
    with start_broker(broker, root=config.broker.root) as running, note_for(running.client_address) as note:
        click.echo(f"broker: {running.describe()}", err=True)

        def tell(daemon: Daemon) -> None:
            model, only_mqtt_5 = next(iter(daemon.models)), running.kind == "embedded"
            lines = lines_to_try(
                running.client_address,
                daemon.topics,
                model,
                daemon.keeper.takes(model),
                only_mqtt_5=only_mqtt_5,
                noted=note is not None,
            )
            click.echo("\nReady. In another terminal:\n\n  " + "\n  ".join(lines) + "\n\nCtrl-C stops it.", err=True)

        run_until_stopped(config, running.address, tell)


def _config(file: Path | None, bundles: tuple[Path, ...], broker: str | None, device: str | None) -> Config:
    from edge_runtime.config import load_config, overridden

    return overridden(load_config(file), bundles=tuple(map(str, bundles)), url=broker, device=device)
