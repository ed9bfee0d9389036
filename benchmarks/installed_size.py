"""How many bytes `pip install edgert` puts on a board, distribution by distribution.

    python -m benchmarks.installed_size [--platform manylinux_2_28_aarch64|host] [--extras NAMES] [--json]

The wheels of the asked platform are downloaded (nothing is installed) and measured: their unpacked files, and
the bytecode that pip compiles beside every module. Sizes are sums of file lengths; a file system that
allocates whole blocks needs a few percent more.
"""

from __future__ import annotations

import argparse
import json
import marshal
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AIM_BYTES = 160_000_000  # for the board on aarch64, without extras
_PYC_HEADER_BYTES = 16


@dataclass(frozen=True)
class Distribution:
    """One wheel: what is downloaded and what it becomes on disk, in bytes."""

    name: str
    version: str
    download_bytes: int
    files_bytes: int
    bytecode_bytes: int

    @property
    def installed_bytes(self) -> int:
        """Files and the bytecode that pip compiles from them."""
        return self.files_bytes + self.bytecode_bytes


def requirements(pyproject: Path, extras: list[str]) -> list[str]:
    """The requirement strings of edgert itself and of `extras`, as pyproject.toml has them."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    chosen = [project["optional-dependencies"][extra] for extra in extras]
    return [*project["dependencies"], *(line for lines in chosen for line in lines)]


def platform_options(platform: str) -> list[str]:
    """Options that make pip choose wheels for `platform` instead of this machine.

    pip takes a platform tag literally, so a board with glibc 2.28 needs every older tag named, too.
    """
    if platform == "host":
        return []
    prefix, minor, machine = platform.split("_", 3)[1:]
    tags = [f"manylinux_{prefix}_{older}_{machine}" for older in range(int(minor), 4, -1)]
    tags += [f"{name}_{machine}" for name in ("manylinux2014", "manylinux2010", "manylinux1", "linux")]
    return [option for tag in tags for option in ("--platform", tag)]


def download(wanted: list[str], target: Path, platform: str) -> None:
    """Put the wheels of `wanted` and all they need into `target`; exit with pip's words if that fails."""
    _pip("download", "--only-binary=:all:", f"--dest={target}", *platform_options(platform), *wanted)
    _pip("wheel", "--no-deps", f"--wheel-dir={target}", str(ROOT))


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith(("ERROR", "error"))]
        sys.exit(f"could not get the wheels to measure: {(errors or [done.stderr.strip()])[-1]}")


def measure(wheel: Path) -> Distribution:
    """Add up what `wheel` holds and what its modules compile to on this Python version."""
    name, version = wheel.name.split("-")[:2]
    with zipfile.ZipFile(wheel) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        modules = [archive.read(member) for member in members if member.filename.endswith(".py")]
    return Distribution(
        name=name.replace("_", "-").lower(),
        version=version,
        download_bytes=wheel.stat().st_size,
        files_bytes=sum(member.file_size for member in members),
        bytecode_bytes=sum(map(_bytecode_bytes, modules)),
    )


def _bytecode_bytes(source: bytes) -> int:
    try:
        code = compile(source, "module", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):  # templates and tests of other Python versions: pip skips them, too
        return 0
    return _PYC_HEADER_BYTES + len(marshal.dumps(code))


def table(sizes: list[Distribution], title: str) -> str:
    """A table for people, largest first, in MB of 1,000,000 bytes."""
    rows = [(f"{size.name} {size.version}", size.download_bytes, size.installed_bytes) for size in sizes]
    rows.append(("total", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    lines = [title, f"{'':<40}{'download MB':>12}{'installed MB':>14}"]
    return "\n".join([*lines, *(f"{name:<40}{down / 1e6:>12.1f}{disk / 1e6:>14.1f}" for name, down, disk in rows)])


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; the exit status is 1 if the board misses its aim."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--platform", default="manylinux_2_28_aarch64", help="a wheel platform tag, or host")
    parser.add_argument("--extras", default="", help="comma-separated extras to measure as well")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args(arguments)
    extras = [extra for extra in options.extras.split(",") if extra]
    with tempfile.TemporaryDirectory() as folder:
        download(requirements(ROOT / "pyproject.toml", extras), Path(folder), options.platform)
        sizes = [measure(wheel) for wheel in Path(folder).glob("*.whl")]
    sizes.sort(key=lambda size: size.installed_bytes, reverse=True)
    total_bytes = sum(size.installed_bytes for size in sizes)
    what = f"edgert[{','.join(extras)}]" if extras else "edgert"
    title = f"pip install '{what}' on {options.platform}, Python {sys.version_info[0]}.{sys.version_info[1]}"
    if options.json:
        rows = [{**asdict(size), "installed_bytes": size.installed_bytes} for size in sizes]
        print(json.dumps({"what": title, "total_bytes": total_bytes, "distributions": rows}, indent=2))
    else:
        print(table(sizes, title))
    if extras:
        return 0
    verdict = "within" if total_bytes <= AIM_BYTES else "OVER"
    print(f"{verdict} the aim of {AIM_BYTES / 1e6:.0f} MB without extras", file=sys.stderr)
    return int(total_bytes > AIM_BYTES)


if __name__ == "__main__":
    sys.exit(main())
