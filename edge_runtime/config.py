"""One TOML file and the environment -> one frozen Config. An unknown key is an error that names it (docs/config.md)."""

from __future__ import annotations

import dataclasses
import os
import re
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edge_runtime.errors import ConfigError
from edge_runtime.strict import StrictError, decode

ENVIRONMENT = "EDGERT_"
MAX_NUMBER = (1 << 31) - 1
MAX_PAYLOAD_BYTES = 268_435_455 - 4096  # the largest packet of MQTT, without its topic and properties
MAX_THREADS = 1024
# Variables of other parts of edgert that share the prefix.
_NOT_CONFIG = {"EDGERT_CACHE"}


@dataclass(frozen=True)
class BrokerConfig:
    """Which broker, and as whom."""

    url: str = "mqtt://127.0.0.1:1883"
    username: str = ""
    password: str = field(default="", repr=False)
    password_file: str = ""
    ca_file: str = ""
    root: str = "edgert/v1"
    reply_prefixes: tuple[str, ...] = ()
    keepalive_s: int = 30


@dataclass(frozen=True)
class LimitsConfig:
    """What the daemon takes at once; over it a request is refused with the limit in the reply."""

    queue_requests: int = 32
    queue_bytes: int = 32 << 20
    payload_bytes: int = 4 << 20
    text_chars: int = 65536
    remembered_ids: int = 1024
    remembered_bytes: int = 8 << 20
    remembered_s: int = 60


@dataclass(frozen=True)
class RuntimeConfig:
    """How models run. `threads` 0 lets the engine choose."""

    threads: int = 0
    log_level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True)
class Config:
    """All settings of `edgert serve`."""

    device: str = ""
    bundles: tuple[str, ...] = ()
    broker: BrokerConfig = BrokerConfig()
    limits: LimitsConfig = LimitsConfig()
    runtime: RuntimeConfig = RuntimeConfig()


def load_config(file: Path | None, environment: Mapping[str, str] = os.environ) -> Config:
    """Read the file, then lay the environment over it.

    A variable is `EDGERT_<KEY>` or `EDGERT_<TABLE>_<KEY>`, as `EDGERT_BROKER_URL`; lists are split at commas.

    Raises:
        ConfigError: no such file, not TOML, an unknown key or variable, a value of the wrong kind or out of range.
    """
    data = _read_file(file) if file else {}
    for name, value in environment.items():
        if name.startswith(ENVIRONMENT) and name not in _NOT_CONFIG:
            _lay_over(data, name, value)
    try:
        config = decode(Config, data)
    except StrictError as error:
        raise ConfigError(f"{file or 'config'}: {error}") from error
    return _completed(config)


def overridden(
    config: Config, *, bundles: tuple[str, ...] = (), url: str | None = None, device: str | None = None
) -> Config:
    """The config with what was given on the command line laid over it."""
    broker = dataclasses.replace(config.broker, url=url) if url else config.broker
    changed = dataclasses.replace(
        config, bundles=bundles or config.bundles, broker=broker, device=device or config.device
    )
    return _completed(changed)


def keys() -> dict[str, object]:
    """Every key as `table.key` with its default, for the docs and their test."""
    found: dict[str, object] = {}
    for entry in dataclasses.fields(Config):
        if dataclasses.is_dataclass(entry.default):
            table = entry.default
            found.update({f"{entry.name}.{key.name}": key.default for key in dataclasses.fields(table)})
        else:
            found[entry.name] = entry.default
    return found


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read config {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error


def _lay_over(data: dict[str, Any], variable: str, value: str) -> None:
    known = keys()
    wanted = variable.removeprefix(ENVIRONMENT).lower()
    key = next((key for key in known if key.replace(".", "_") == wanted), None)
    if key is None:
        names = ", ".join(ENVIRONMENT + key.replace(".", "_").upper() for key in known)
        raise ConfigError(f"unknown variable {variable}, expected one of {names}")
    table, _, leaf = key.rpartition(".")
    target = data.setdefault(table, {}) if table else data
    if not isinstance(target, dict):
        raise ConfigError(f"{table} must be a table")
    target[leaf] = _parsed(variable, value, known[key])


def _parsed(variable: str, value: str, default: object) -> object:
    if isinstance(default, tuple):
        return [item.strip() for item in value.split(",") if item.strip()]
    if isinstance(default, int):
        try:
            return int(value)
        except ValueError as error:
            raise ConfigError(f"{variable} is {value[:40]!r}, expected a whole number") from error
    return value


def _completed(config: Config) -> Config:
    device = config.device or re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())[:64] or "edgert"
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", device):
        raise ConfigError(f"device {device[:80]!r} must be 1 to 64 of A-Z a-z 0-9 _ . -")
    if not re.fullmatch(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", config.broker.root):
        raise ConfigError(f"broker.root {config.broker.root[:80]!r} must be topic words joined by /")
    for name, value in dataclasses.asdict(config.limits).items():
        most = MAX_PAYLOAD_BYTES if name == "payload_bytes" else MAX_NUMBER
        if not 1 <= value <= most:
            raise ConfigError(f"limits.{name} is {value}, must be 1 to {most}")
    if not 2 <= config.broker.keepalive_s <= 65535:
        raise ConfigError(f"broker.keepalive_s is {config.broker.keepalive_s}, must be 2 to 65535")
    if not 0 <= config.runtime.threads <= MAX_THREADS:
        raise ConfigError(f"runtime.threads is {config.runtime.threads}, must be 0 (engine's choice) to {MAX_THREADS}")
    return dataclasses.replace(config, device=device)
