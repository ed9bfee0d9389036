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
from edge_runtime.rules.checks import check_rules
from edge_runtime.rules.rule import Rule
from edge_runtime.strict import StrictError, decode

ENVIRONMENT = "EDGERT_"
MAX_NUMBER = (1 << 31) - 1
MAX_PAYLOAD_BYTES = 268_435_455 - 4096  # the largest packet of MQTT, without its topic and properties
MAX_THREADS = 1024
# Variables of other parts of edgert that share the prefix.
_NOT_CONFIG = {"EDGERT_CACHE", "EDGERT_EXPORT_APART", "EDGERT_TORCH_INDEX"}


@dataclass(frozen=True)
class BrokerConfig:
    """Which broker, and as whom."""

    url: str = "mqtt://127.0.0.1:1883"
    username: str = ""
    password: str = field(default="", repr=False)
    password_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
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
    """How models run. `threads` 0: by the board's cores and the model (`engine/cores.py`)."""

    threads: int = 0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"


@dataclass(frozen=True)
class SchedulerConfig:
    """How requests are put together and shared out. `batch_wait_ms` 0 batches only what is already waiting.

    `workers` and `per_model` 0: by the board's cores and the model (`engine/cores.py`).
    """

    workers: int = 0
    per_model: int = 0
    batch_tokens: int = 2048
    batch_wait_ms: int = 0


@dataclass(frozen=True)
class MemoryConfig:
    """What the process may take with its models; `budget_mb` 0: three quarters of what machine and cgroup allow."""

    budget_mb: int = 0
    on_demand: bool = False


@dataclass(frozen=True)
class ControlConfig:
    """Whether models may be loaded and unloaded over MQTT, and the folders that their bundles may lie in."""

    load: bool = False
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class HomeAssistantConfig:
    """Whether Home Assistant finds this device by itself, and where it looks."""

    discovery: bool = True
    prefix: str = "homeassistant"


@dataclass(frozen=True)
class MetricsConfig:
    """Where Prometheus may read (`port` 0: nowhere), and every how many seconds `stats` is published (0: never)."""

    port: int = 0
    host: str = "127.0.0.1"
    stats_s: int = 10


@dataclass(frozen=True)
class AuditConfig:
    """The file that says who asked what of which model; empty: none. `content` keeps texts and answers, too."""

    file: str = ""
    content: bool = False
    most_mb: int = 8
    sync_s: int = 60


@dataclass(frozen=True)
class UpdatesConfig:
    """Which bundles the store takes, and how they are tried (docs/updates.md).

    `trust` is the folder of trusted keys, `boards` what this board is called besides its name in the device tree,
    `policy` a file of licences. A trial is begun `tries` times at most, its golden rows have `trial_s`, and it is kept
    after `settle_s` of serving, or with `confirm` "manual" when somebody says so.
    """

    trust: str = "/etc/edgert/trust"
    dev_keys: bool = False
    boards: tuple[str, ...] = ()
    policy: str = ""
    tries: int = 3
    trial_s: int = 120
    settle_s: int = 30
    confirm: Literal["auto", "manual"] = "auto"


@dataclass(frozen=True)
class SmpConfig:
    """Where SMP tools reach the store (docs/smp.md): a port of 0 is not listened on, `serial` names devices.

    `files_mb` is what the folder of files may hold, `on_reset` a program with its arguments that a reset runs besides.
    """

    host: str = "127.0.0.1"
    udp_port: int = 0
    tcp_port: int = 0
    serial: tuple[str, ...] = ()
    files_mb: int = 64
    on_reset: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether there is any way in."""
        return bool(self.udp_port or self.tcp_port or self.serial)


@dataclass(frozen=True)
class Config:
    """All settings of `edgert serve`."""

    device: str = ""
    group: str = ""
    bundles: tuple[str, ...] = ()
    store: str = ""
    broker: BrokerConfig = BrokerConfig()
    limits: LimitsConfig = LimitsConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    scheduler: SchedulerConfig = SchedulerConfig()
    memory: MemoryConfig = MemoryConfig()
    control: ControlConfig = ControlConfig()
    home_assistant: HomeAssistantConfig = HomeAssistantConfig()
    metrics: MetricsConfig = MetricsConfig()
    audit: AuditConfig = AuditConfig()
    updates: UpdatesConfig = UpdatesConfig()
    smp: SmpConfig = SmpConfig()
    rules: tuple[Rule, ...] = ()


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
    if isinstance(default, bool):
        if value.lower() not in ("true", "false"):
            raise ConfigError(f"{variable} is {value[:40]!r}, expected true or false")
        return value.lower() == "true"
    if isinstance(default, int):
        try:
            return int(value)
        except ValueError as error:
            raise ConfigError(f"{variable} is {value[:40]!r}, expected a whole number") from error
    return value


_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TOPIC = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
# Key -> least and most.
_RANGES: dict[str, tuple[int, int]] = {
    "broker.keepalive_s": (2, 65535),
    "limits.payload_bytes": (1, MAX_PAYLOAD_BYTES),
    "runtime.threads": (0, MAX_THREADS),
    "scheduler.workers": (0, 64),
    "scheduler.per_model": (0, 64),
    "scheduler.batch_tokens": (1, MAX_NUMBER),
    "scheduler.batch_wait_ms": (0, 1000),
    "memory.budget_mb": (0, MAX_NUMBER),
    "metrics.port": (0, 65535),
    "metrics.stats_s": (0, 3600),
    "audit.most_mb": (1, MAX_NUMBER),
    "audit.sync_s": (1, 3600),
    "updates.tries": (1, 100),
    "updates.trial_s": (1, 3600),
    "updates.settle_s": (0, 86400),
    "smp.udp_port": (0, 65535),
    "smp.tcp_port": (0, 65535),
    "smp.files_mb": (0, MAX_NUMBER),
}


def _completed(config: Config) -> Config:
    device = config.device or re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())[:64] or "edgert"
    if not _WORD.fullmatch(device):
        raise ConfigError(f"device {device[:80]!r} must be 1 to 64 of A-Z a-z 0-9 _ . -")
    if config.group and not _WORD.fullmatch(config.group):
        raise ConfigError(f"group {config.group[:80]!r} must be 1 to 64 of A-Z a-z 0-9 _ . -")
    for name, topic in (("broker.root", config.broker.root), ("home_assistant.prefix", config.home_assistant.prefix)):
        if not _TOPIC.fullmatch(topic):
            raise ConfigError(f"{name} {topic[:80]!r} must be topic words joined by /")
    if bool(config.broker.cert_file) != bool(config.broker.key_file):
        raise ConfigError("broker.cert_file and broker.key_file belong together: give both or none")
    limits = {f"limits.{entry.name}": (1, MAX_NUMBER) for entry in dataclasses.fields(LimitsConfig)}
    for name, (least, most) in (limits | _RANGES).items():
        table, _, key = name.partition(".")
        value = getattr(getattr(config, table), key)
        if not least <= value <= most:
            raise ConfigError(f"{name} is {value}, must be {least} to {most}")
    check_rules(config.rules, config.broker.root, device)
    return dataclasses.replace(config, device=device)
