"""Who may import whom, as data. A new module or outside package needs a line here: a decision, not an accident."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FILE = 400  # lines; most are under 300
VAGUE_NAMES = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}

# Where modules live, relative to the checkout: folder of the package -> folder that its names start from.
PACKAGES = {"edge_runtime": ".", "firmware_bridge": ".", "tools/edgert_tools": "tools"}
SCRIPTS = "tools/*.py"  # run before anything is installed

# Module or package -> what it may import inside the project; itself, always. The longest matching name counts.
# An imported package may be used with all its modules.
RUNTIME = "edge_runtime"
LEAVES = {"edge_runtime.errors", "edge_runtime.strict", "edge_runtime.takes"}
WIRE = {"edge_runtime.mqtt.contract", "edge_runtime.mqtt.message", "edge_runtime.mqtt.topics"}
MODEL_PATH = {
    "edge_runtime.bundle",
    "edge_runtime.engine",
    "edge_runtime.model",
    "edge_runtime.models",
    "edge_runtime.pipeline",
    "edge_runtime.tasks",
    "edge_runtime.tokenizer",
}
MAY_IMPORT: dict[str, set[str]] = {
    "edge_runtime": {"edge_runtime.model"},
    "edge_runtime.errors": set(),
    "edge_runtime.strict": {"edge_runtime.errors"},
    "edge_runtime.takes": set(),
    "edge_runtime.board": LEAVES,
    "edge_runtime.updates.board_store": LEAVES
    | {"edge_runtime.bundle", "edge_runtime.config", "edge_runtime.updates.this_board"},
    "edge_runtime.config": LEAVES | {"edge_runtime.rules"},
    "edge_runtime.rules": LEAVES | WIRE,
    "edge_runtime.bundle": LEAVES,
    "edge_runtime.tokenizer": LEAVES,
    "edge_runtime.engine": LEAVES | {"edge_runtime.bundle"},
    "edge_runtime.tasks": LEAVES | {"edge_runtime.bundle"},
    "edge_runtime.model": LEAVES  # kinds are imported on use
    | {"edge_runtime.bundle", "edge_runtime.engine", "edge_runtime.tasks"},
    "edge_runtime.models": LEAVES | MODEL_PATH,
    "edge_runtime.pipeline": LEAVES | MODEL_PATH,
    "edge_runtime.selftest": LEAVES | MODEL_PATH,
    "edge_runtime.mqtt": LEAVES,
    "edge_runtime.mqtt.message": set(),
    "edge_runtime.mqtt.topics": LEAVES,
    "edge_runtime.mqtt.address": LEAVES,
    "edge_runtime.mqtt.contract": LEAVES | WIRE,
    "edge_runtime.service": LEAVES | WIRE | {"edge_runtime.config", "edge_runtime.engine.cores", "edge_runtime.model"},
    "edge_runtime.client": LEAVES | {"edge_runtime.mqtt"},
    "edge_runtime.keeper": LEAVES
    | {"edge_runtime.bundle", "edge_runtime.engine", "edge_runtime.model", "edge_runtime.selftest"}
    | {"edge_runtime.service"},
    "edge_runtime.documents": LEAVES
    | WIRE
    | {"edge_runtime.bundle", "edge_runtime.config", "edge_runtime.model", "edge_runtime.tasks"},
    "edge_runtime.announcer": LEAVES
    | WIRE
    | {"edge_runtime.documents", "edge_runtime.bundle", "edge_runtime.config", "edge_runtime.model"}
    | {"edge_runtime.mqtt.homeassistant"},
    "edge_runtime.verbs": LEAVES
    | WIRE
    | {"edge_runtime.documents", "edge_runtime.bundle", "edge_runtime.config", "edge_runtime.keeper"}
    | {"edge_runtime.service"},
    "edge_runtime.systemd": LEAVES | {"edge_runtime.config"},
    "edge_runtime.systemd.notifier": set(),
    "edge_runtime.observing": LEAVES
    | WIRE
    | {"edge_runtime.documents", "edge_runtime.bundle", "edge_runtime.config", "edge_runtime.model"}
    | {"edge_runtime.service", "edge_runtime.systemd.notifier"},
    "edge_runtime.observing.log_lines": set(),
    "edge_runtime.observing.metrics": set(),
    "edge_runtime.housekeeping": set(),
    "edge_runtime.watching": LEAVES | {"edge_runtime.mqtt"},
    "edge_runtime.updates.this_board": {"edge_runtime.bundle", "edge_runtime.engine"},
    "edge_runtime.updates.trial": LEAVES | {"edge_runtime.bundle", "edge_runtime.model", "edge_runtime.selftest"},
    "edge_runtime.updates.following": LEAVES
    | {"edge_runtime.bundle", "edge_runtime.config", "edge_runtime.updates.trial"},
    "edge_runtime.daemon": LEAVES
    | {"edge_runtime.updates.board_store", "edge_runtime.updates.following"}
    | {"edge_runtime.announcer", "edge_runtime.bundle", "edge_runtime.config", "edge_runtime.engine"}
    | {"edge_runtime.housekeeping", "edge_runtime.keeper", "edge_runtime.mqtt", "edge_runtime.observing"}
    | {"edge_runtime.model", "edge_runtime.rules"}
    | {"edge_runtime.service", "edge_runtime.systemd", "edge_runtime.verbs"},
    "edge_runtime.running": LEAVES
    | {"edge_runtime.board", "edge_runtime.config", "edge_runtime.daemon"}
    | {"edge_runtime.observing.log_lines"}
    | {"edge_runtime.mqtt.address", "edge_runtime.systemd"},
    "edge_runtime.wyoming_agent": LEAVES,
    "edge_runtime.up": LEAVES | {"edge_runtime.mqtt"},
    "edge_runtime.commands": LEAVES
    | MODEL_PATH
    | {"edge_runtime.board", "edge_runtime.client", "edge_runtime.config", "edge_runtime.daemon", "edge_runtime.mqtt"}
    | {"edge_runtime.updates.board_store", "edge_runtime.updates.this_board"}
    | {"edge_runtime.running", "edge_runtime.selftest", "edge_runtime.systemd", "edge_runtime.up"}
    | {"edge_runtime.watching", "edge_runtime.wyoming_agent"},
    "edge_runtime.cli": {"edge_runtime.errors"},  # subcommands are named in a table and imported on use
    "edge_runtime.__main__": {"edge_runtime.cli"},
    "firmware_bridge": {"edge_runtime.errors", "edge_runtime.bundle", "edge_runtime.mqtt"},
    "firmware_bridge.commands": {
        "edge_runtime.bundle",
        "edge_runtime.errors",
        "edge_runtime.config",
        "edge_runtime.running",
        "firmware_bridge",
    },
    "firmware_bridge.flash.receive": {"edge_runtime.errors", "edge_runtime.config", "edge_runtime.updates.board_store"}
    | {"firmware_bridge"},
    "firmware_bridge.smp.service": {"edge_runtime.errors", "edge_runtime.bundle", "edge_runtime.config"}
    | {"edge_runtime.updates.board_store", "firmware_bridge"},
    "edgert_tools": LEAVES | MODEL_PATH,
    "edgert_tools.demo": LEAVES | MODEL_PATH | {"edge_runtime.client", "edge_runtime.mqtt", "edgert_tools"},
    "setup_pip": set(),
    "setup_venv": {"setup_pip"},
}

# Outside package -> the files and folders that may import it. What is not listed may be imported nowhere.
WORKSTATION = ["tools/edgert_tools/"]
OUTSIDE: dict[str, list[str]] = {
    "click": [
        "edge_runtime/cli.py",
        "edge_runtime/commands/",
        "firmware_bridge/commands/",
        "tools/edgert_tools/commands/",
    ],
    "cryptography": ["edge_runtime/bundle/container/keys.py"],
    "cyclonedx": WORKSTATION,
    "hassil": WORKSTATION,
    "huggingface_hub": WORKSTATION,
    "iotcore": ["edge_runtime/mqtt/broker/embedded.py"],
    "numpy": ["edge_runtime/", *WORKSTATION],
    "onnx": WORKSTATION,
    "onnxruntime": ["edge_runtime/engine/onnx.py", *WORKSTATION],
    "optimum": WORKSTATION,
    "packageurl": WORKSTATION,
    "PIL": ["edge_runtime/models/pictures/pictures.py", *WORKSTATION],
    "paho": ["edge_runtime/mqtt/client.py"],
    "prometheus_client": ["edge_runtime/observing/prometheus.py"],
    "serial": ["firmware_bridge/serial_link.py", "firmware_bridge/ports.py"],
    "sklearn": WORKSTATION,
    "threadpoolctl": WORKSTATION,
    "tokenizers": WORKSTATION,
    "torch": WORKSTATION,
    "tqdm": WORKSTATION,
    "transformers": WORKSTATION,
    "zstandard": ["firmware_bridge/smp/codecs.py"],
    "wyoming": ["edge_runtime/wyoming_agent.py"],
}

BOARD_DEPENDENCIES = {"click", "numpy", "onnxruntime", "paho-mqtt"}


def modules(root: Path) -> dict[str, Path]:
    """Dotted name -> file of every module that the tables speak of."""
    found = {path.stem: path for path in root.glob(SCRIPTS)}
    for folder, start in PACKAGES.items():
        for path in (root / folder).rglob("*.py"):
            parts = path.relative_to(root / start).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(tree: ast.AST, known: dict[str, Path]) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import, wherever it stands: in functions and for type checkers, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant):
                    yield node.lineno, str(argument.value)


def covers(package: str, module: str) -> bool:
    """Whether `module` is `package` or lies in it; the root package stands for its `__init__` alone."""
    return module == package or (package != RUNTIME and module.startswith(package + "."))


def problem(module: str, place: str, imported: str) -> str | None:
    """Why `module`, a file at `place`, must not import `imported`; None if it may."""
    if imported.startswith("."):
        return f"imports {imported}: write the whole name"
    top = imported.split(".")[0]
    if top in sys.stdlib_module_names:
        return None
    if top not in {row.split(".")[0] for row in MAY_IMPORT}:
        places = OUTSIDE.get(top)
        if places is None:
            return f"imports {top}, an outside package that OUTSIDE does not list"
        allowed = any(place == row or (row.endswith("/") and place.startswith(row)) for row in places)
        return None if allowed else f"imports {top}, which may only be imported in {', '.join(places)}"
    if imported == RUNTIME:  # its version
        return None
    row = max((name for name in MAY_IMPORT if covers(name, module)), key=len, default=None)
    if row is None:
        return "is a module that MAY_IMPORT does not list"
    if covers(row, imported) or any(covers(name, imported) for name in MAY_IMPORT[row]):
        return None
    return f"imports {imported}, but {row} may only import {', '.join(sorted(MAY_IMPORT[row])) or 'nothing of ours'}"


def violations(root: Path) -> list[str]:
    """Every import under `root` that breaks a table: file, line and rule."""
    known = modules(root)
    found = []
    for module, path in sorted(known.items()):
        place = path.relative_to(root).as_posix()
        for line, imported in imports(ast.parse(path.read_text(encoding="utf-8")), known):
            if reason := problem(module, place, imported):
                found.append(f"{place}:{line}: {module} {reason}")
    return found


def python_files() -> list[Path]:
    """All our Python files."""
    folders = ["edge_runtime", "firmware_bridge", "tools", "benchmarks", "tests"]
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_every_import_is_one_that_the_tables_allow() -> None:
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("place", "source", "complaint"),
    [
        ("edge_runtime/service.py", "import torch", "edge_runtime/service.py:1: .* imports torch, which may only"),
        ("edge_runtime/tasks/embed.py", "def f():\n    import onnxruntime", "embed.py:2: .* imports onnxruntime"),
        ("edge_runtime/daemon.py", "from paho.mqtt import client", "daemon.py:1: .* imports paho"),
        ("edge_runtime/pipeline.py", "import edgert_tools.convert", "edge_runtime.pipeline imports edgert_tools"),
        ("edge_runtime/pipeline.py", "from firmware_bridge import framing", "imports firmware_bridge"),
        ("edge_runtime/pipeline.py", "from edge_runtime import service", "imports edge_runtime.service, but"),
        ("edge_runtime/tokenizer/unicode.py", "import edge_runtime.engine", "imports edge_runtime.engine, but"),
        ("edge_runtime/mqtt/contract.py", "from edge_runtime.mqtt.client import X", "edge_runtime.mqtt.contract"),
        ("edge_runtime/mqtt/client.py", "import requests", "an outside package that OUTSIDE does not list"),
        ("edge_runtime/client.py", "import importlib\nimportlib.import_module('torch')", "client.py:2: .* torch"),
        ("edge_runtime/client.py", "from . import mqtt", "write the whole name"),
        ("edge_runtime/novelty.py", "import edge_runtime.errors", "is a module that MAY_IMPORT does not list"),
        ("firmware_bridge/framing.py", "import edge_runtime.pipeline", "firmware_bridge may only import"),
        ("firmware_bridge/framing.py", "from serial import Serial", "serial, which may only be imported in"),
        ("tools/edgert_tools/recipe.py", "import edge_runtime.daemon", "edgert_tools may only import"),
        ("tools/setup_venv.py", "import edge_runtime.errors", "setup_venv may only import setup_pip"),
    ],
)
def test_the_checker_catches_a_planted_import(tmp_path: Path, place: str, source: str, complaint: str) -> None:
    for file in {place, "edge_runtime/service.py", "firmware_bridge/framing.py"}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("", encoding="utf-8")
    assert violations(tmp_path) == []
    (tmp_path / place).write_text(source, encoding="utf-8")
    (found,) = violations(tmp_path)
    assert re.search(complaint, found)


def test_every_row_of_the_tables_is_about_something_that_exists() -> None:
    names = set(modules(ROOT))
    rows = set(MAY_IMPORT).union(*MAY_IMPORT.values())
    assert rows - names == set()


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert {str(path): lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    parts = {part for path in python_files() for part in path.relative_to(ROOT).with_suffix("").parts}
    assert parts & VAGUE_NAMES == set()


def test_a_board_installs_exactly_these_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.match(r"[\w.-]+", line)[0] for line in project["dependencies"]}  # type: ignore[index]
    assert names == BOARD_DEPENDENCIES
