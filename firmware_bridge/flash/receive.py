"""The other end of `ssh://`: the SMP server of a store on standard input and output, for one client."""

from __future__ import annotations

import contextlib
from pathlib import Path

from edge_runtime.config import Config
from edge_runtime.errors import ConfigError
from edge_runtime.updates.board_store import open_store, trust_of
from firmware_bridge.errors import LinkLost
from firmware_bridge.pipe_link import PipeLink
from firmware_bridge.smp.hub import open_hub
from firmware_bridge.smp.server import Server
from firmware_bridge.smp.session import Session
from firmware_bridge.smp.stream import serve_stream


def receive(config: Config, into: int, out: int) -> None:
    """Serve the config's store until the input ends. ConfigError: it names none, or it cannot be opened."""
    if not config.store:
        raise ConfigError("which store? Give --store DIR, or --config FILE with `store` in it")
    root = Path(config.store)
    store, _ = open_store(root, config.updates)
    hub = open_hub(config.device, root, store, lambda: trust_of(config.updates))
    try:
        with contextlib.suppress(LinkLost):
            serve_stream(Server(hub), PipeLink(into, out, "standard input"), Session("ssh"), lambda: False)
    finally:
        hub.close()
