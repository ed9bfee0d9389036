"""From a daemon's config to the unit that can run it: refused here is what would only fail once systemd starts it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_runtime.config import Config
from edge_runtime.errors import ConfigError
from edge_runtime.systemd.unit_text import GIVEN_FOLDERS, UnitSettings, is_home


def settings_for(
    config: Config, config_file: Path | None, *, per_user: bool, user: str = "", memory_max_mb: int = 0
) -> UnitSettings:
    """What the unit of a daemon with this config must say.

    Args:
        config, config_file: of the daemon.
        per_user: the unit is for a user's own systemd.
        user: the account to run as; "": one that systemd makes up, which owns nothing and is in nobody's group.
        memory_max_mb: 0: no limit.

    Raises:
        ConfigError: there is no bundle and no store; a path is relative, and a service has no current folder; or the
            account that systemd makes up could not read or write what is named.
    """
    if not config.bundles and not config.store:
        raise ConfigError('the config has no bundle to serve: write bundles = ["/path/of/a/bundle"] and --config FILE')
    command = [*program_of(), "serve", *(["--config", str(config_file.absolute())] if config_file else [])]
    named = [path for _, path in _named(config)]
    read = [*named, Path(command[0]), Path(sys.executable), *([config_file.absolute()] if config_file else [])]
    written = list(_written(config))
    if not per_user and not user:
        for path in read:
            _check_readable(path)
        for key, place, folder in written:
            if str(folder) not in GIVEN_FOLDERS:
                raise ConfigError(
                    f"{key} {place} cannot be written by the account that systemd makes up: "
                    f"let it lie in {' or '.join(GIVEN_FOLDERS)}, or name an account with --account"
                )
    return UnitSettings(
        command,
        per_user=per_user,
        user=user,
        memory_max_mb=memory_max_mb,
        writable=[str(folder) for _, _, folder in written],
        sees_home=any(map(is_home, [*read, *(folder for _, _, folder in written)])),
    )


def program_of(python: Path = Path(sys.executable)) -> Sequence[str]:
    """The command `edgert` of this installation by its whole path."""
    script = python.absolute().parent / "edgert"
    return [str(script)] if os.access(script, os.X_OK) else [str(python.absolute()), "-m", "edge_runtime"]


def closed_to_others(path: Path) -> Path | None:
    """The first part of a path that not every account may read or pass; None if there is none.

    A part that is not there, or that we may not see ourselves, closes nothing: the daemon will name it.
    """
    whole = Path(os.path.realpath(path))
    for part in [*reversed(whole.parents), whole]:
        try:
            mode = part.stat().st_mode
        except OSError:
            return None
        needed = (stat.S_IXOTH if stat.S_ISDIR(mode) else 0) | (stat.S_IROTH if part == whole else 0)
        if mode & needed != needed:
            return part
    return None


def _written(config: Config) -> Iterator[tuple[str, str, Path]]:
    """Key and path of what the daemon writes, and the folder that it must be allowed to write in."""
    if config.audit.file:
        yield "audit.file", config.audit.file, Path(config.audit.file).parent
    if config.store:
        store = Path(config.store)
        yield (
            "store",
            config.store,
            next((path for path in (store, *store.parents) if str(path) in GIVEN_FOLDERS), store),
        )


def _named(config: Config) -> Iterator[tuple[str, Path]]:
    """Key and path of all that the config names; the audit file is not read, and the store is the daemon's own."""
    broker = config.broker
    rows = [
        *(("bundles", path) for path in config.bundles),
        *(("control.folders", path) for path in config.control.folders),
        *((f"updates.{key}", getattr(config.updates, key)) for key in ("trust", "policy") if config.store),
        *((f"broker.{key}", getattr(broker, key)) for key in ("password_file", "ca_file", "cert_file", "key_file")),
    ]
    for key, path in [*rows, ("audit.file", config.audit.file), ("store", config.store)]:
        if path and not Path(path).is_absolute():
            raise ConfigError(f"{key} {path} is relative, but a service has no current folder: write the whole path")
    yield from ((key, Path(path)) for key, path in rows if path)


def _check_readable(path: Path) -> None:
    closed = closed_to_others(path)
    if closed is not None:
        raise ConfigError(
            f"{path} cannot be read by the account that systemd makes up, because of the rights of {closed}: "
            "name an account that can with --account, or let all read it"
        )
