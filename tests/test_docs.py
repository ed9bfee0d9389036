"""The documents tell the truth: every command, option, config key, error word, link and number in them is checked."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import get_args

import click
import pytest

from edge_runtime import errors
from edge_runtime.bundle.manifest import Manifest, Role
from edge_runtime.cli import COMMANDS, edgert
from edge_runtime.config import keys

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "models/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
CONTEXT = click.Context(edgert)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def command(name: str) -> click.Command:
    found = edgert.get_command(CONTEXT, name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_and_says_what_it_does(name: str) -> None:
    assert f"| `edgert {name}" in read("docs/commands.md")
    assert len((command(name).help or "").strip()) > 20


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    for parameter in command(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"edgert {name} {parameter.opts}"


def test_the_table_of_commands_holds_no_other() -> None:
    assert set(re.findall(r"^\| `edgert ([\w-]+)", read("docs/commands.md"), re.M)) == set(COMMANDS)


def test_every_config_key_is_documented_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \|", read("docs/config.md"), re.M))
    assert set(rows) == set(keys())
    for key, default in keys().items():
        if isinstance(default, int) or (key in ("broker.url", "broker.root", "runtime.log_level")):
            assert rows[key].strip().strip("`") == (
                str(default).lower() if isinstance(default, bool) else str(default)
            ), key


def test_every_manifest_key_and_role_is_documented() -> None:
    text = read("docs/bundle.md")
    for field in dataclasses.fields(Manifest):
        assert f"`{field.name}`" in text
    for role in get_args(Role):
        assert f"`{role}`" in text


def test_every_error_word_is_used_by_one_class_only() -> None:
    words = [
        kind.__dict__["code"] for _, kind in inspect.getmembers(errors, inspect.isclass) if "code" in kind.__dict__
    ]
    assert len(words) == len(set(words))


# Errors with a request's status that never go over the wire: of the command line, the client, the serial cable.
_LOCAL = {"usage", "missing_extra", "bad_config", "no_broker", "bad_recipe", "broker_unreachable", "bad_frame"}


def test_the_contract_lists_the_reasons_of_error_replies_and_no_other() -> None:
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", read("docs/mqtt.md"), re.M)
    listed = {(int(status), reason) for status, reasons in rows for reason in re.findall(r"`(\w+)`", reasons)}
    known = {
        (kind.status, kind.code)
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.EdgertError) and kind.code not in _LOCAL
    }
    to_requests = {400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 499, 503}
    # What loading a bundle over MQTT can run into, besides a model that fails.
    loading = {
        kind.code for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.BundleError)
    }
    loading |= {"internal", "unsupported_model", "unsupported_tokenizer"}
    assert listed == {(status, code) for status, code in known if status in to_requests or code in loading}


def test_every_reason_to_refuse_a_bundle_is_documented() -> None:
    words = [
        kind.code
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.BundleError) and kind is not errors.GoldenMismatch
    ]
    refused = read("docs/bundle.md").partition("## What the reader refuses")[2]
    assert set(re.findall(r"`((?:bad_|unknown_|bundle_)\w+)`", refused)) == set(words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_a_document_names_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for name in re.findall(r"(?:docs|edge_runtime|firmware_bridge|tools|tests|models|benchmarks)/[\w./-]+\.\w+", text):
        assert (ROOT / name).exists(), name
    for module in re.findall(r"python -m (benchmarks\.[a-z_]+)", text):
        assert (ROOT / (module.replace(".", "/") + ".py")).exists(), module


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_that_a_document_shows_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for name in re.findall(r"(?:^|[`$ ])edgert ([a-z]{2,})\b", text, re.M):
        assert name in COMMANDS or name in _PROSE, f"{document.name}: edgert {name}"


_PROSE = {
    "is",
    "and",
    "on",
    "runs",
    "meet",
    "does",
    "the",
    "or",
    "needs",
    "as",
    "reads",
    "maintainers",
    "itself",
    "comes",
}


def test_the_readme_opens_with_the_two_commands() -> None:
    readme = read("README.md")
    assert readme.index("make demo") < readme.index("make test") < 2500


def test_the_changelog_has_unreleased_on_top() -> None:
    assert re.search(r"^## (.+)$", read("CHANGELOG.md"), re.M).group(1) == "Unreleased"  # type: ignore[union-attr]


def test_every_fault_of_the_table_has_a_test_that_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", read("docs/faults.md"))
    assert len(named) == len(re.findall(r"^\| [^-]", read("docs/faults.md"), re.M)) - 1  # one row is the head
    for file, test in named:
        assert f"def {test}(" in read(file), f"{file}::{test}"
