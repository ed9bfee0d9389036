"""An exporter's environment is made once, whole or not at all, and says what stood in the way."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edgert_tools.export import environment as made_here
from edgert_tools.export.environment import EnvironmentFailed, environment, folder_of, is_made
from edgert_tools.export.installer import _reason
from edgert_tools.export.lock import Lock

TINY = Lock("tiny", f"idna==3.20 --hash=sha256:{'0' * 64}\n")
NOWHERE = "http://127.0.0.1:9/simple"  # the port of "discard": nobody listens


def unheard(line: str) -> None:
    """Progress that nobody reads."""


def wheel(folder: Path, version: str = "1.0", name: str = "tinything") -> Path:
    """A package of one module, as an index would have it; files of a wheel are all that pip needs."""
    import zipfile

    file = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in {
            f"{name}.py": f"VERSION = {version!r}\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": "",
        }.items():
            entry = zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0))
            archive.writestr(entry, text)
    return file


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def lock_of(index: Path, version: str = "1.0") -> Lock:
    import hashlib

    digest = hashlib.sha256(wheel(index, version).read_bytes()).hexdigest()
    return Lock("tiny", f"tinything=={version} \\\n    --hash=sha256:{digest}\n")


def test_a_lock_becomes_an_environment_with_its_packages_and_no_others(index: Path, own_cache: Path) -> None:
    said: list[str] = []
    with environment(lock_of(index), said.append) as python:
        told = subprocess.run(
            [python, "-I", "-c", "import tinything, sys; print(tinything.VERSION, 'numpy' in sys.modules)"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert told == "1.0 False\n"
        assert subprocess.run([python, "-I", "-c", "import numpy"], capture_output=True, check=False).returncode == 1
    assert "1 packages of its own" in said[0]
    assert python.is_relative_to(own_cache)
    said.clear()
    with environment(lock_of(index), said.append):
        assert said == []  # the second time there is nothing to do


def test_a_changed_lock_makes_another_environment_and_removes_the_old_one(index: Path, own_cache: Path) -> None:
    first, second = lock_of(index), lock_of(index, "2.0")
    with environment(first, unheard):
        pass
    with environment(second, unheard) as python:
        assert python.is_file()
    assert not folder_of(first).exists()
    assert is_made(second)


def test_an_environment_in_use_is_not_removed(index: Path, own_cache: Path) -> None:
    first, second = lock_of(index), lock_of(index, "2.0")
    with environment(first, unheard) as python, environment(second, unheard):
        assert python.is_file()


def test_two_at_once_make_it_once(index: Path, own_cache: Path) -> None:
    lock, said = lock_of(index), list[str]()

    def enter() -> None:
        with environment(lock, said.append):
            pass

    threads = [threading.Thread(target=enter) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum("making an environment" in line for line in said) == 1
    assert is_made(lock)


def test_another_hash_than_the_locked_one_is_refused_and_nothing_is_left(index: Path, own_cache: Path) -> None:
    lock = lock_of(index)
    wheel(index).write_bytes(wheel(index, "1.0").read_bytes() + b"\0")
    with pytest.raises(EnvironmentFailed, match="another hash than the locked one"), environment(lock, unheard):
        pass
    assert not folder_of(lock).exists()
    assert not list((own_cache / "environments").glob("*.new"))


def test_a_package_that_no_index_has_is_named(index: Path, own_cache: Path) -> None:
    lock = Lock("tiny", f"no-such-thing==9.9 --hash=sha256:{'0' * 64}\n")
    told = r"pip's index has no no-such-thing==9\.9 for Python"
    with pytest.raises(EnvironmentFailed, match=told), environment(lock, unheard):
        pass


def test_without_a_network_it_says_so_with_the_remedy(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"PIP_INDEX_URL": NOWHERE, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    told = "no package index answered: check the network"
    with pytest.raises(EnvironmentFailed, match=told), environment(TINY, unheard):
        pass


def test_another_python_than_the_lock_is_for_is_refused_before_anything_is_made(own_cache: Path) -> None:
    lock, told = Lock("tiny", "# Python 3.5 to 3.6\nidna==1\n"), r"locked for Python 3\.5 to 3\.6, this is 3"
    with pytest.raises(EnvironmentFailed, match=told), environment(lock, unheard):
        pass
    assert not list((own_cache / "environments").glob("*.new"))


def test_a_full_disk_is_said_and_nothing_is_left(index: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(made_here.venv.EnvBuilder, "create", full)
    with pytest.raises(EnvironmentFailed, match="is full: free some gigabytes"), environment(lock_of(index), unheard):
        pass
    assert not list((own_cache / "environments").glob("*.new"))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
        ("WARNING: Retrying (Retry(total=1)) after connection broken", "no package index answered"),
        ("/usr/bin/python: No module named pip", "python -m ensurepip"),
        ("ERROR: something else", "pip stopped at one==1 or after it: ERROR: something else"),
    ],
)
def test_what_pip_says_becomes_one_line_with_a_remedy(said: str, told: str) -> None:
    assert told in _reason(said.splitlines(), ["one==1"])


SLOW_PIP = """
import sys, pathlib, signal, time
pathlib.Path({mark!r}).write_text("begun")
signal.pause()
"""


def test_ctrl_c_while_it_is_made_ends_pip_and_leaves_nothing(tmp_path: Path, own_cache: Path) -> None:
    # A pip that never ends stands for one that downloads.
    mark, package = tmp_path / "begun", tmp_path / "fake" / "pip"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(SLOW_PIP.format(mark=str(mark)))
    program = (
        # Whoever runs the tests in the background may have made Ctrl-C a signal that is ignored.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from edgert_tools.export.environment import environment\n"
        "from edgert_tools.export.lock import Lock\n"
        "with environment(Lock('tiny', 'idna==3.20 --hash=sha256:00\\n'), print): pass\n"
    )
    path = os.pathsep.join([str(package.parent), *filter(None, sys.path)])
    process = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True
    )
    limit = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < limit and process.poll() is None:
        time.sleep(0.02)
    assert mark.exists()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in told
    assert not [path for path in (own_cache / "environments").iterdir() if path.is_dir()]
