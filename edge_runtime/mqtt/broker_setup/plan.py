"""What a broker is set up for: who may log in, how, and by which names it is reached. No I/O."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_runtime.errors import UsageError
from edge_runtime.mqtt.topics import ROOT, WORD

PLAIN_PORT, TLS_PORT = 1883, 8883
Role = Literal["panel", "admin", "home-assistant"]

_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?")
_ROOT = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*")


@dataclass(frozen=True)
class User:
    """Somebody who asks devices.

    Attributes:
        name: a topic word; also the user level of the reply topics.
        models: the only ones that a panel may ask for; empty: all.
        role: an admin may load and unload models, too; Home Assistant may write anywhere under its own prefix.
    """

    name: str
    models: tuple[str, ...] = ()
    role: Role = "panel"

    @classmethod
    def parse(cls, text: str, role: Role = "panel") -> User:
        """Read `NAME` or `NAME=MODEL,MODEL`. UsageError: a name or model is no topic word."""
        name, _, models = text.partition("=")
        listed = tuple(models.split(",")) if models else ()
        for word in (name, *listed):
            _check_word(word)
        return cls(name, listed, role)


@dataclass(frozen=True)
class BrokerPlan:
    """All that is decided before anything is written.

    Attributes:
        folder: where the files go; the configuration names them by this absolute path.
        devices: names of the boards; each is a login, too.
        users: who asks them.
        hosts: names and addresses that the certificate is good for; boards are told the first.
        port: of the listener for other machines; 0 without TLS, when only this machine can connect.
        plain_port: of the loopback listener.
        client_certificates: others log in by a certificate instead of a password.
        days: how long certificates are valid.
        root: first levels of all topics.
        prefix: first level of Home Assistant's discovery topics.

    Raises:
        UsageError: a name is no topic word or stands twice, a host or port is none.
    """

    folder: Path
    devices: tuple[str, ...] = ()
    users: tuple[User, ...] = ()
    hosts: tuple[str, ...] = ()
    port: int = TLS_PORT
    plain_port: int = PLAIN_PORT
    client_certificates: bool = False
    days: int = 3650
    root: str = ROOT
    prefix: str = "homeassistant"

    def __post_init__(self) -> None:
        for name in self.names:
            _check_word(name)
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise UsageError(f"the name {sorted(twice)[0]!r} is given twice: every device and user needs its own")
        if not self.names:
            raise UsageError("nobody could log in: name at least one device or user")
        if not _ROOT.fullmatch(self.root) or not WORD.fullmatch(self.prefix):
            raise UsageError(f"root {self.root[:80]!r} and prefix {self.prefix[:80]!r} must be topic words")
        if self.port == self.plain_port or not (0 <= self.port < 65536 and 0 < self.plain_port < 65536):
            raise UsageError(f"ports {self.port} and {self.plain_port} must be two of 1 to 65535")
        if any(character in str(self.folder) for character in "\n\r\0"):
            raise UsageError("the folder's name has a line break, which the configuration cannot hold")
        if self.tls and not self.hosts:
            raise UsageError("name at least one host that the certificate is good for")
        if self.client_certificates and not self.tls:
            raise UsageError("client certificates need TLS")
        for host in self.hosts:
            if not is_address(host) and not _HOST.fullmatch(host):
                raise UsageError(f"host {host[:80]!r} is neither a name nor an IP address")

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody who may log in."""
        return (*self.devices, *(user.name for user in self.users))

    @property
    def tls(self) -> bool:
        """Whether other machines can connect, which they do with TLS only."""
        return self.port != 0


def is_address(host: str) -> bool:
    """Whether a host is an IP address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _check_word(word: str) -> None:
    if not WORD.fullmatch(word):
        raise UsageError(f"name {word[:80]!r} must be 1 to 64 of A-Z a-z 0-9 _ . -")
