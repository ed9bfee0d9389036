"""The bill of materials of a bundle: complete, of the standard's form, and the same for the same lock."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from edge_runtime.bundle.manifest import Manifest
from edgert_tools.bill import bill_of_materials
from tests import tiny

LOCK = {
    "edgert": "0.1.0",
    "edgert_tools_sha256": "a" * 64,
    "python": "3.11.7",
    "torch": "2.13.0+cpu",
    "onnx": "1.23.2",
    "sentencepiece": "not installed",
}


def manifest(licence: str = "Apache-2.0") -> Manifest:
    made = tiny.manifest("classify", "tiny")
    source = dataclasses.replace(made.source, license=licence, sha256="b" * 64)
    return dataclasses.replace(made, lock=LOCK, source=source)


def bill(made: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bill_of_materials(made))
    return found


def test_the_standard_s_own_schema_takes_it() -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    for licence in ("Apache-2.0", "unknown", "Llama 3 Community License"):
        assert validator.validate_str(bill_of_materials(manifest(licence))) is None


def test_it_names_the_bundle_the_weights_and_every_tool_of_the_lock() -> None:
    found = bill(manifest())
    parts = {part["bom-ref"]: part for part in found["components"]}
    assert found["metadata"]["component"]["name"] == "tiny"
    assert parts["upstream"]["hashes"] == [{"alg": "SHA-256", "content": "b" * 64}]
    assert parts["upstream"]["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert {name for name in parts if name != "upstream"} == {"tool-edgert", "tool-python", "tool-torch", "tool-onnx"}
    assert parts["tool-torch"]["purl"] == "pkg:pypi/torch@2.13.0%2Bcpu"
    (whole,) = [one for one in found["dependencies"] if one["ref"] == "bundle"]
    assert set(whole["dependsOn"]) == set(parts)


def test_a_licence_that_is_no_known_one_keeps_its_name() -> None:
    (upstream,) = [one for one in bill(manifest("Llama 3"))["components"] if one["bom-ref"] == "upstream"]
    assert upstream["licenses"] == [{"license": {"name": "Llama 3"}}]


def test_the_same_lock_gives_the_same_bytes_at_any_time_and_another_lock_another_number() -> None:
    first = bill_of_materials(manifest())
    time.sleep(1.01)  # a time stamp of whole seconds would show
    assert bill_of_materials(manifest()) == first
    other = dataclasses.replace(manifest(), lock={**LOCK, "onnx": "1.23.3"})
    assert bill(other)["serialNumber"] != json.loads(first)["serialNumber"]
