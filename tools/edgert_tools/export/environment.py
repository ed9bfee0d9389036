"""A virtual environment for an exporter, made of its lock on first use and kept in the cache.

Whole or not there: it is made beside its place and renamed; nothing in it is run by its path but `bin/python`, so it
may be moved. Two processes do not make the same one, and one that is in use is not removed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import platform
import shutil
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.errors import EdgertError
from edgert_tools.cache import cache_folder
from edgert_tools.export.installer import install
from edgert_tools.export.lock import Lock
from edgert_tools.progress import Say, to_stderr

_FOLDER, _MARK, _NEW = "environments", "edgert-lock-sha256", ".new"


class EnvironmentFailed(EdgertError):
    """An exporter's environment cannot be made; says what stood in the way and what helps."""

    code = "environment_failed"


@contextmanager
def environment(lock: Lock, say: Say = to_stderr) -> Iterator[Path]:
    """The Python of the lock's environment, which stays as it is while this is open; it is made if it is not there.

    Raises:
        EnvironmentFailed: no network, a full disk, another Python than the lock is for; nothing is left behind.
    """
    folder = folder_of(lock)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _held(_lock_file(folder), fcntl.LOCK_SH):
        _make(lock, folder, say)
        yield folder / "bin" / "python"


def folder_of(lock: Lock) -> Path:
    """Where the environment is: another lock, Python or processor has another place."""
    facts = f"{lock.sha256} {platform.python_implementation()} {sys.version_info[:2]} {platform.machine()}"
    return cache_folder() / _FOLDER / f"{lock.name}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"


def is_made(lock: Lock) -> bool:
    """Whether nothing has to be installed."""
    mark = folder_of(lock) / _MARK
    return mark.is_file() and mark.read_text(encoding="utf-8") == lock.sha256


def _make(lock: Lock, folder: Path, say: Say) -> None:
    if is_made(lock):
        return
    _check_python(lock)
    making = folder.parent / f"{lock.name}.making"
    with _held(making, fcntl.LOCK_EX, lambda: say(f"waiting for another edgert that makes the {lock.name} exporter")):
        if is_made(lock):
            return
        beside = folder.with_name(f".{folder.name}.{os.getpid()}{_NEW}")
        for left in folder.parent.glob(f".{lock.name}-*{_NEW}"):  # of a process that was killed: we hold the lock
            shutil.rmtree(left, ignore_errors=True)
        try:
            _fill(lock, beside, say)
            shutil.rmtree(folder, ignore_errors=True)
            beside.rename(folder)
        except OSError as error:
            raise _of_disk(lock, folder, error) from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        _remove_others(lock, folder, say)


def _fill(lock: Lock, beside: Path, say: Say) -> None:
    say(f"the {lock.name} exporter needs {len(lock.versions)} packages of its own: making an environment, once")
    venv.EnvBuilder(symlinks=True, with_pip=False).create(beside)
    reason = install(lock, beside / "bin" / "python", say)
    if reason:
        raise EnvironmentFailed(f"cannot make the environment of the {lock.name} exporter: {reason}")
    (beside / _MARK).write_text(lock.sha256, encoding="utf-8")


def _check_python(lock: Lock) -> None:
    found, known = sys.version_info[:2], lock.pythons
    if known is not None and not known[0] <= found <= known[1]:
        first, last = (".".join(map(str, one)) for one in known)
        raise EnvironmentFailed(
            f"the {lock.name} exporter's packages are locked for Python {first} to {last}, this is "
            f"{found[0]}.{found[1]}: run edgert with one of those"
        )


def _of_disk(lock: Lock, folder: Path, error: OSError) -> EnvironmentFailed:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = f"the disk of {folder.parent} is full: free some gigabytes there, or set EDGERT_CACHE to another disk"
    else:
        reason = f"{error.strerror or error}: check {folder.parent}, or set EDGERT_CACHE to another folder"
    return EnvironmentFailed(f"cannot make the environment of the {lock.name} exporter: {reason}")


def _remove_others(lock: Lock, folder: Path, say: Say) -> None:
    """Remove environments of older locks of this exporter that no process uses."""
    for other in folder.parent.glob(f"{lock.name}-*"):
        if other == folder or not other.is_dir():
            continue
        with _lock_file(other).open("a") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue  # in use
            shutil.rmtree(other, ignore_errors=True)
            _lock_file(other).unlink(missing_ok=True)
            say(f"removed the environment of an older lock, {other.name}")


def _lock_file(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.used")


@contextmanager
def _held(file: Path, kind: int, waiting: object = None) -> Iterator[None]:
    with file.open("a") as stream:
        try:
            fcntl.flock(stream, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if callable(waiting):
                waiting()
            fcntl.flock(stream, kind)
        yield
