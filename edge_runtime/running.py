"""Running the daemon as a process: the board's check, logging and signals around it."""

from __future__ import annotations

import importlib
import logging
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from edge_runtime.board import check_board
from edge_runtime.config import Config
from edge_runtime.errors import BrokerUnreachable, EdgertError
from edge_runtime.observing.log_lines import line_format
from edge_runtime.systemd.notifier import Notifier

if TYPE_CHECKING:
    from edge_runtime.daemon import Daemon
    from edge_runtime.mqtt.address import BrokerAddress

log = logging.getLogger("edgert")

_SMP = "firmware_bridge.smp.service", "SmpService"  # by name: what runs on the board does not depend on the bridge
_LOOK_S = 0.5  # how often the main thread looks whether the network thread gave up


def prepare(config: Config) -> None:
    """Log to stderr and refuse a machine that cannot run models, before anything heavy is imported."""
    log_to_stderr(config)
    check_board()


def log_to_stderr(config: Config) -> None:
    """Log as the config says."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(line_format(config.runtime.log_format))
    logging.basicConfig(level=config.runtime.log_level.upper(), handlers=[handler])


def wait_for_signal() -> None:
    """Return at SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(_LOOK_S):
        pass


def run_until_stopped(
    config: Config,
    address: BrokerAddress | None = None,
    when_ready: Callable[[Daemon], None] | None = None,
    reread: Callable[[], Config] | None = None,
) -> None:
    """Load, connect, answer; returns after SIGTERM or SIGINT, when what was queued is answered.

    Args:
        config: of the daemon.
        address: the broker, if it is not the config's.
        when_ready: called once, when requests are answered for the first time.
        reread: gives the config anew at SIGHUP; None: SIGHUP is ignored.

    Raises:
        BrokerUnreachable: the connection gave up for good, with its last reason.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    again = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: again.set())
    from edge_runtime.daemon import Daemon

    notifier = Notifier.from_environment()
    daemon = Daemon(config, address, notifier)
    smp = _smp(config)
    daemon.start()
    if smp is not None:
        smp.start()
    notifier.ready("loaded, waiting for the broker")  # it may be away for long; the daemon is up nevertheless
    try:
        waiting = True
        while not stop.wait(0.05 if waiting else _LOOK_S):
            if again.is_set() and reread is not None:
                again.clear()
                daemon.keeper.call(lambda: _reload(daemon, reread, notifier))
            if daemon.failed.is_set():
                raise BrokerUnreachable(daemon.connection.last_error or "the network thread ended")
            if waiting and daemon.connection.wait_ready(0):
                waiting = False
                served = ", ".join(daemon.models) or "nothing yet"  # a bundle in the store may be on its first trial
                notifier.status(f"answers for {served}")
                log.info("device %s answers for %s", config.device, served)
                if when_ready is not None:
                    when_ready(daemon)
    finally:
        notifier.stopping()
        if smp is not None:
            smp.stop()
        daemon.stop()


class _Companion(Protocol):
    """What answers beside the daemon."""

    def start(self) -> None:
        """Start answering."""

    def stop(self) -> None:
        """Stop."""


def _smp(config: Config) -> _Companion | None:
    """The SMP server, if the config opens a way in. ConfigError: it cannot listen there."""
    if not config.smp.is_open:
        return None
    module, name = _SMP
    service: _Companion = getattr(importlib.import_module(module), name)(config)
    return service


def _reload(daemon: Daemon, reread: Callable[[], Config], notifier: Notifier) -> None:
    notifier.reloading()
    try:
        problems = daemon.reload(reread())
    except EdgertError as error:
        problems = [str(error)]
    finally:
        notifier.ready()
    for problem in problems:
        log.error("not reloaded: %s", problem)
    if not problems:
        log.info("reloaded")
