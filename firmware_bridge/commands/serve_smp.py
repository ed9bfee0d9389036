"""`edgert serve-smp`: a board's store for SMP tools, without the daemon."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edge_runtime.config import Config

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_PORT = click.IntRange(0, 65535)


@click.command(name="serve-smp")
@click.option("--config", "config_file", type=_FILE, help="The daemon's config: its store, keys and [smp].")
@click.option("--store", "root", type=_FOLDER, help="The store, instead of the config's.")
@click.option("--trust", type=_FOLDER, help="Folder of trusted keys, instead of updates.trust.")
@click.option("--udp", "udp_port", type=_PORT, help="Listen on this UDP port; SMP's is 1337, 0 takes any.")
@click.option("--tcp", "tcp_port", type=_PORT, help="Listen on this TCP port, with serial framing; 0 takes any.")
@click.option("--serial", "devices", multiple=True, metavar="DEVICE", help="Answer on a serial device; repeatable.")
@click.option("--host", metavar="ADDRESS", help="Interface of the ports. Default: this machine only.")
def serve_smp(
    config_file: Path | None,
    root: Path | None,
    trust: Path | None,
    udp_port: int | None,
    tcp_port: int | None,
    devices: tuple[str, ...],
    host: str | None,
) -> None:
    """Take signed bundles from any SMP tool into a board's store, until SIGTERM or Ctrl-C.

    SMP has no passwords: whoever reaches the port may offer bundles and read what runs; what is taken, its signature
    decides. The daemon does the same by itself if its config has [smp].

    \b
    edgert serve-smp --store /var/lib/edgert --serial '/dev/ttyGS0?baud=921600'
    edgert serve-smp --store /var/lib/edgert --udp 1337
    """
    from edge_runtime.running import log_to_stderr, wait_for_signal
    from firmware_bridge.smp.service import SmpService, ways_of

    config = _config(config_file, root, trust, host, devices)
    log_to_stderr(config)
    ways = ways_of(config.smp)
    if udp_port is not None or tcp_port is not None or devices:
        ways = dataclasses.replace(ways, udp_port=udp_port, tcp_port=tcp_port)
    service = SmpService(config, ways)
    service.start()
    click.echo(f"answers on {service.describe()}", err=True)
    try:
        wait_for_signal()
    finally:
        service.stop()


def _config(
    config_file: Path | None, root: Path | None, trust: Path | None, host: str | None, devices: tuple[str, ...]
) -> Config:
    from edge_runtime.config import load_config

    config = load_config(config_file)
    smp = dataclasses.replace(config.smp, host=host or config.smp.host, serial=devices or config.smp.serial)
    updates = dataclasses.replace(config.updates, trust=str(trust)) if trust else config.updates
    return dataclasses.replace(config, store=str(root) if root else config.store, smp=smp, updates=updates)
