"""What is shipped: the wheel's contents, and that it runs in an empty environment without any extra."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from edge_runtime import __version__

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {"edge_runtime": ROOT, "firmware_bridge": ROOT, "edgert_tools": ROOT / "tools"}
NOT_ON_A_BOARD = {
    "hassil",
    "huggingface-hub",
    "iotcore",
    "onnx",
    "optimum",
    "optimum-onnx",
    "scikit-learn",
    "tokenizers",
}
NOT_ON_A_BOARD |= {"torch", "transformers", "triton"}
WHEEL_LIMIT_BYTES = 2_000_000  # code, recipes and tables; never a model
DIST_INFO = f"edgert-{__version__}.dist-info"
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


def run(*command: str | Path, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a program with nothing of this interpreter's paths; its output is text."""
    arguments = [str(word) for word in command]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=timeout_s, env=CLEAN, check=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and with the wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    done = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """The wheel file."""
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel and its dependencies, no extras."""
    folder = tmp_path_factory.mktemp("board") / "venv"
    venv.create(folder, with_pip=False)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        folder / "bin" / "python",
        "--disable-pip-version-check",
    ]
    done = run(*pip, "install", "--quiet", wheel, timeout_s=280)
    if done.returncode:
        missing = [line for line in done.stderr.splitlines() if "No matching distribution" in line]
        if missing and not os.environ.get("CI"):
            pytest.skip(f"needs the package index, which did not give: {missing[-1]}")
        pytest.fail(done.stderr)
    return folder


def test_the_wheel_holds_every_module_of_the_three_packages_and_nothing_beside_them(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    expected = {
        path.relative_to(start).as_posix()
        for package, start in SOURCES.items()
        for path in (start / package).rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == expected
    assert {name.split("/")[0] for name in names} == {*SOURCES, DIST_INFO}


def test_the_wheel_holds_the_recipes_the_character_tables_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = archive.read(f"{DIST_INFO}/entry_points.txt").decode()
    recipes = {f"edgert_tools/recipes/{path.name}" for path in (ROOT / "models").glob("*.toml")}
    assert recipes
    assert recipes <= names
    assert "edge_runtime/tokenizer/unicode/tables.txt" in names
    assert {"edgert_tools/planning/boards.toml", "edgert_tools/planning/exporters.toml"} <= names
    assert {
        f"edgert_tools/export/locks/{name}.{kind}" for name in ("optimum", "genai") for kind in ("in", "txt")
    } <= names
    assert {"edgert_tools/export/child/serve.py", "edgert_tools/arm/boards.toml", "edgert_tools/arm/counter.c"} <= names
    assert f"{DIST_INFO}/licenses/LICENSE" in names
    assert "edgert = edge_runtime.__main__:run" in entry_points


def test_the_wheel_is_small_and_names_no_folder_of_the_machine_that_built_it(wheel: Path) -> None:
    assert wheel.stat().st_size < WHEEL_LIMIT_BYTES
    with zipfile.ZipFile(wheel) as archive:
        naming = [name for name in archive.namelist() if os.fsencode(ROOT) + b"/" in archive.read(name)]
    assert naming == []


def test_the_sdist_can_be_set_up_and_tested(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert {"Makefile", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "pyproject.toml"} <= names
    assert {"tools/setup_venv.py", "tools/setup_pip.py", "tests/test_wheel.py"} <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith((".onnx", ".safetensors"))]


def test_a_board_gets_no_workstation_package(environment: Path) -> None:
    folders = environment.glob("lib/python*/site-packages/*.dist-info")
    names = {folder.name.split("-")[0].lower().replace("_", "-") for folder in folders}
    assert {"edgert", "onnxruntime", "numpy", "paho-mqtt", "click"} <= names
    assert names & NOT_ON_A_BOARD == set()
    assert [name for name in names if name.startswith("nvidia")] == []


def test_the_installed_command_runs(environment: Path) -> None:
    done = run(environment / "bin" / "edgert", "--help")
    assert done.returncode == 0, done.stderr
    assert "serve" in done.stdout
    assert run(environment / "bin" / "edgert", "--version").stdout == f"edgert, version {__version__}\n"


def test_the_installed_recipes_are_found(environment: Path) -> None:
    done = run(environment / "bin" / "edgert", "recipes")
    assert done.returncode == 0, done.stderr
    assert "all-minilm-l6-v2" in done.stdout


def test_the_daemon_loads_without_extras(environment: Path) -> None:
    modules = "edge_runtime.daemon, edge_runtime.service, edge_runtime.engine.onnx, firmware_bridge.framing"
    done = run(environment / "bin" / "python", "-I", "-c", f"import {modules}")
    assert done.returncode == 0, done.stderr


def test_a_command_that_needs_an_extra_names_it_and_exits_2(environment: Path, tmp_path: Path) -> None:
    done = run(environment / "bin" / "edgert", "convert", "all-minilm-l6-v2", "-o", tmp_path / "out")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "pip install 'edgert[convert]'" in done.stderr
