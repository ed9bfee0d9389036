"""What runs on an emulated board: Debian's arm64 Python and the aarch64 wheels, made once and kept in the cache.

Nothing is executed while it is made: Debian's packages are only unpacked, the wheels are taken for another platform by
pip. So binfmt_misc is not needed, and the host's dpkg learns of no foreign architecture.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path

from edgert_tools.arm.boards import EmulatedBoard, emulated_boards, write_board
from edgert_tools.arm.programs import QEMU, ArmUnavailable, check_programs, last_words, qemu_version, run
from edgert_tools.cache import cache_folder, keep, work_folder
from edgert_tools.progress import Say

LIMIT_S = 3600.0  # of one run on a board: a hundred times MiniLM's
_LAYOUT = "1"  # another one makes another root
SHOWN = "/edgert"  # where a program finds its files
_ENVIRONMENT = {"HOME": "/nonexistent", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "0"}
_DEBIAN = "python3,libstdc++6,libgcc-s1,zlib1g"
_OLDEST_GLIBC = 17  # that a wheel's name says; pip has to be told of every one up to the suite's


@dataclass(frozen=True)
class Suite:
    """A Debian release: its Python, and the newest glibc 2.x that wheels may want."""

    name: str
    python: str
    glibc: int


_SUITES = (Suite("bookworm", "3.11", 36), Suite("trixie", "3.13", 41))


@dataclass(frozen=True)
class ArmRoot:
    """A finished root: `base` is Debian's files, `site` the wheels, `plugin` the counter, `python` as 3.11."""

    base: Path
    site: Path
    plugin: Path
    python: str

    def run(
        self,
        board: EmulatedBoard,
        arguments: Sequence[str],
        shown: Mapping[str, Path] | None = None,
        counts: Path | None = None,
    ) -> str:
        """Run the board's Python and give what it printed.

        The program sees the same names and environment wherever the cache and its files are: a longer path would move
        its memory, and with it the counts by 0.2 %.

        Args:
            board: which one.
            arguments: the interpreter's.
            shown: files that the program finds as `/edgert/NAME`; what it writes to has to be there.
            counts: where the counter writes its marks.

        Raises:
            ArmUnavailable: it failed, with its last words, or took longer than an hour.
        """
        environment = {"PYTHONPATH": f"{SHOWN}/site", "PYTHONDONTWRITEBYTECODE": "1", **_ENVIRONMENT}
        return self._run(board, arguments, {**(shown or {}), "site": self.site}, environment, counts)

    def warm_up(self, board: EmulatedBoard) -> str:
        """Import what programs need, so that its bytecode is kept; the version of onnxruntime that was found."""
        # By its real names, else it would be written beside the host's Python.
        environment = {"PYTHONHOME": str(self.base / "usr"), "PYTHONPATH": str(self.site), **_ENVIRONMENT}
        imports = ["-c", "import contextlib, gc, numpy, onnxruntime; print(onnxruntime.__version__)"]
        return self._run(board, imports, {}, environment, None).strip()

    def _run(
        self,
        board: EmulatedBoard,
        arguments: Sequence[str],
        shown: Mapping[str, Path],
        environment: Mapping[str, str],
        counts: Path | None,
    ) -> str:
        plugin = [] if counts is None else ["-plugin", f"{self.plugin},out={counts}"]
        python = f"usr/bin/python{self.python}"
        with tempfile.TemporaryDirectory(prefix=f"edgert-{board.name}-") as name:
            folder = write_board(board, self.base, Path(name), shown)
            # No randomness in addresses: it would show in the counts.
            command = [_found("setarch"), "-R", _found(QEMU), "-cpu", board.cpu, "-L", name, *plugin]
            command += ["-0", f"/{python}", python, "-s", *arguments]
            try:
                done = subprocess.run(
                    command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
                )
            except subprocess.TimeoutExpired as error:
                raise ArmUnavailable(f"the emulated {board.name} did not finish within {LIMIT_S:.0f} s") from error
        if done.returncode != 0:
            ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
            raise ArmUnavailable(f"the emulated {board.name} stopped: {last_words(done.stderr) or ended}")
        return done.stdout


def arm_root(note: Say) -> ArmRoot:
    """The root for this machine's onnxruntime, made on first use: half a minute and 250 MB.

    Two processes may ask at once: the second waits and takes what the first has made.

    Raises:
        ArmUnavailable: something is missing here, or Debian's archive or the package index cannot be reached.
    """
    check_programs()
    suite, wanted = _suite(), _wanted()
    folder = cache_folder() / "arm"
    folder.mkdir(exist_ok=True)
    with _alone(folder):
        base = _once(folder / f"{suite.name}-{_LAYOUT}", lambda made: _extract(suite, made, note))
        site = _once(folder / _named("wheels", [suite.name, *wanted]), lambda made: _wheels(suite, wanted, made, note))
        plugin = _once(folder / _named("counter", [_source(), *map(str, qemu_version())]), _compile)
        root = ArmRoot(base, site / "site", plugin / "counter.so", suite.python)
        _once(folder / f"{site.name}-ran", lambda made: _first_run(root, note))
    return root


def _suite() -> Suite:
    """The newest one whose Python is not newer than this one: there are wheels for both."""
    here = sys.version_info[:2]
    fitting = [suite for suite in _SUITES if tuple(map(int, suite.python.split("."))) <= here]
    return (fitting or list(_SUITES[:1]))[-1]


def _wanted() -> tuple[str, ...]:
    """onnxruntime as it is here: its kernels are counted. numpy's release here may have no wheel for that Python."""
    return (f"onnxruntime=={version('onnxruntime')}", "numpy")


def _named(kind: str, parts: Sequence[str]) -> str:
    return f"{kind}-{hashlib.sha256(json.dumps([_LAYOUT, *parts]).encode()).hexdigest()[:12]}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process in at a time; the kernel lets go when it dies."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _once(place: Path, make: Callable[[Path], None]) -> Path:
    """The folder at `place`, filled by `make` if it is not there: all of it, or nothing."""
    if place.is_dir():
        return place
    with work_folder() as work:
        made = work / place.name
        made.mkdir()
        make(made)
        return keep(made, place)


def _extract(suite: Suite, made: Path, note: Say) -> None:
    """Debian's packages, unpacked; not those that only matter when something is installed."""
    note(f"Debian {suite.name} for arm64, first use only")
    archive = made.with_name("root.tar")
    command = ["mmdebstrap", "--quiet", "--arch=arm64", "--variant=extract", "--skip=check/qemu", "--components=main"]
    run([*command, f"--include={_DEBIAN}", suite.name, str(archive)], f"get Debian {suite.name} for arm64")
    # By tar, so that all of it belongs to whoever asked; device files are for no one.
    run(["tar", "-xf", str(archive), "-C", str(made), "--no-same-owner", "--exclude=./dev"], "unpack Debian for arm64")
    archive.unlink()
    for name in ("bin", "sbin", "lib"):  # from Debian 13 on all files are below /usr
        (made / "usr" / name).mkdir(parents=True, exist_ok=True)
        if not (made / name).exists():
            (made / name).symlink_to(f"usr/{name}")


def _wheels(suite: Suite, wanted: Sequence[str], made: Path, note: Say) -> None:
    note(f"aarch64 wheels of {', '.join(wanted)}, first use only")
    platforms = ["manylinux2014_aarch64", *(f"manylinux_2_{n}_aarch64" for n in range(_OLDEST_GLIBC, suite.glibc + 1))]
    kind = [f"--platform={name}" for name in reversed(platforms)]  # in the order that pip prefers them
    kind += ["--implementation=cp", f"--python-version={suite.python}", "--only-binary=:all:"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
    files_of = made.with_name("downloads")
    # Two steps: `pip install --python-version` weighs Requires-Python by the Python that runs it, `download` does not.
    run([*pip, "download", "--dest", str(files_of), *kind, *wanted], "get the aarch64 wheels")
    install = ["--no-deps", "--no-index", "--no-compile", "--ignore-requires-python", "--target", str(made / "site")]
    run([*pip, "install", *install, *kind, *map(str, sorted(files_of.glob("*.whl")))], "unpack the aarch64 wheels")


def _source() -> str:
    return files("edgert_tools.arm").joinpath("counter.c").read_text(encoding="utf-8")


def _compile(made: Path) -> None:
    """The counter, for this QEMU's plugin interface."""
    interface = 1 if qemu_version()[0] < 9 else 2
    with as_file(files("edgert_tools.arm").joinpath("counter.c")) as source:
        command = ["gcc", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", f"-DPLUGIN_API={interface}"]
        run([*command, "-o", str(made / "counter.so"), str(source)], "compile the instruction counter")


def _first_run(root: ArmRoot, note: Say) -> None:
    """Prove that it runs before anything relies on it."""
    found, here = root.warm_up(emulated_boards()[0]), version("onnxruntime")
    if found != here:
        raise ArmUnavailable(f"the emulated board has onnxruntime {found!r}, this machine {here}: remove {root.site}")
    note(f"ready: onnxruntime {found} on emulated aarch64")


def _found(program: str) -> str:
    place = shutil.which(program)
    if place is None:
        raise ArmUnavailable(f"{program} is gone: it was here a moment ago")
    return place
