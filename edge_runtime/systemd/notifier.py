"""What the daemon tells systemd: that it is ready, alive, about to end. No libsystemd is needed."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Mapping

_SEND_S = 1.0  # systemd reads at once; a socket that nobody reads must not hold up the daemon


class Notifier:
    """Says to systemd how the daemon is; says nothing where there is no systemd.

    Args:
        address: path of a datagram socket, or of an abstract one with `@` in front; "": nobody listens.
        watchdog_s: how long systemd waits for a sign of life; 0: it does not.

    Source: sd_notify(3), sd_watchdog_enabled(3).
    """

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_every_s = watchdog_s / 2
        """Seconds between two signs of life; 0: none is wanted."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, process: int | None = None) -> Notifier:
        """The notifier for what systemd has put into the environment; what cannot be read counts as nothing."""
        address = environment.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):  # a vsock address is for virtual machines
            return cls()
        usec, owner = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
        own = owner in ("", str(os.getpid() if process is None else process))
        wanted = own and re.fullmatch("[0-9]{1,18}", usec, re.ASCII)
        return cls(address, int(usec) / 1e6 if wanted else 0.0)

    def ready(self, status: str = "") -> bool:
        """The daemon has started, or has finished reloading."""
        return self._send("READY=1", status)

    def reloading(self) -> bool:
        """The config is read again; `ready` must follow."""
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        return self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}")

    def stopping(self, status: str = "") -> bool:
        """The daemon is about to end."""
        return self._send("STOPPING=1", status)

    def watchdog(self) -> bool:
        """A sign of life."""
        return self._send("WATCHDOG=1")

    def status(self, text: str) -> bool:
        """One line for `systemctl status`."""
        return self._send("", text)

    def _send(self, state: str, status: str = "") -> bool:
        """Send one notification; False if nobody took it."""
        if not self._address:
            return False
        told = f"STATUS={' '.join(status.split())}" if status else ""
        message = "\n".join(filter(None, (state, told))).encode("utf-8", "replace")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.settimeout(_SEND_S)
                out.sendto(message, self._address)
        except (OSError, ValueError):
            return False
        return True
