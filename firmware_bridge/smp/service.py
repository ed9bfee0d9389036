"""SMP as a config says: the board's store, served over the ways in that are open."""

from __future__ import annotations

import fcntl
import logging
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

from edge_runtime.bundle.errors import StoreBusy
from edge_runtime.config import Config, SmpConfig
from edge_runtime.errors import ConfigError, MissingExtra
from edge_runtime.updates.board_store import open_store, trust_of
from firmware_bridge.link import read_address
from firmware_bridge.smp.hub import FOLDER, open_hub
from firmware_bridge.smp.listening import Listener, Ways
from firmware_bridge.smp.server import Server

log = logging.getLogger("edgert.smp")

RESET_S = 60.0  # for the program that a reset runs


class SmpService:
    """Answers until it is stopped.

    Args:
        config: with a store, and at least one way in.
        ways: where to listen, if it is not where the config says.

    Raises:
        ConfigError: no store, no way in, a port that cannot be listened on.
        StoreBusy: another process serves this store over SMP.
        MissingExtra: serial devices need pyserial.
        BadTarget: the URL of a serial device cannot be read.
    """

    def __init__(self, config: Config, ways: Ways | None = None) -> None:
        if not config.store:
            raise ConfigError("smp needs a store to put bundles into: set `store`")
        ways = ways or ways_of(config.smp)
        if ways.udp_port is None and ways.tcp_port is None and not ways.devices:
            raise ConfigError("no way in is open for smp: set smp.udp_port, smp.tcp_port or smp.serial")
        if ways.devices and find_spec("serial") is None:
            raise MissingExtra("serial", "flash")
        root = Path(config.store)
        store, _ = open_store(root, config.updates)
        self._lock = _only_one(root)
        self.hub = open_hub(
            config.device,
            root,
            store,
            lambda: trust_of(config.updates),
            reset=lambda: _run(config.smp.on_reset),
            files_bytes=config.smp.files_mb << 20,
        )
        try:
            self.listener = Listener(Server(self.hub), ways)
        except ConfigError:
            os.close(self._lock)
            raise

    def start(self) -> None:
        """Start answering; returns at once."""
        self.listener.start()

    def stop(self) -> None:
        """Stop answering; what has come is made certain, what is being installed is finished."""
        self.listener.stop()
        self.hub.close()
        os.close(self._lock)

    def describe(self) -> str:
        """The ways in, for people."""
        found = [f"udp port {self.listener.udp_port}"] if self.listener.udp_port else []
        found += [f"tcp port {self.listener.tcp_port}"] if self.listener.tcp_port else []
        return ", ".join([*found, *map(str, self.listener.ways.devices)])


def ways_of(settings: SmpConfig) -> Ways:
    """The ways in that the config opens. BadTarget: the URL of a serial device cannot be read."""
    devices = tuple(read_address(url if ":" in url else f"serial:{url}") for url in settings.serial)
    return Ways(settings.host, settings.udp_port or None, settings.tcp_port or None, devices)


def _only_one(root: Path) -> int:
    """Hold the store's SMP folder until the process ends: two servers would spoil each other's parts."""
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / FOLDER / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StoreBusy(f"{root} is served over SMP already: by the daemon, or another `edgert serve-smp`") from error
    return descriptor


def _run(command: tuple[str, ...]) -> None:
    """Run what a reset is to run, if there is something; the daemon follows the store in any case."""
    if not command:
        return
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=RESET_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.error("smp.on_reset: %s", error)
        return
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing was said"]
        log.error("smp.on_reset ended with status %d: %s", done.returncode, said[-1][:200])
