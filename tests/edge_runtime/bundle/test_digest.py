"""A bundle's digest: the same for what does the same, another for anything that changes an answer."""

from __future__ import annotations

import dataclasses

import pytest

from edge_runtime.bundle.digest import content_digest
from edge_runtime.bundle.generate_specs import CacheSpec, ChatSpec, GenerateSpec
from edge_runtime.bundle.manifest import FileEntry, Manifest, from_json, to_json
from edge_runtime.bundle.specs import Limits, ModelSpec, Source, TaskSpec
from edge_runtime.errors import BundleError, BundleFileMissing

SPEC = GenerateSpec(positions=64, cache=CacheSpec(layers=2, heads=3, width=8), end=(2,), words=50)
FILES = (
    FileEntry("model.onnx", "model", 10, "a" * 64),
    FileEntry("report.html", "report", 10, "b" * 64),
    FileEntry("golden.json", "golden", 10, "c" * 64),
)
MANIFEST = Manifest(
    name="m",
    version="1",
    counter=1,
    task=TaskSpec("generate", generate=SPEC),
    model=ModelSpec("model.onnx", "onnx", "nbits8-b32", True, (), ()),
    tokenizer=None,
    limits=Limits(32, 1),
    source=Source("up", "folder", "unknown", "d" * 64, "MIT"),
    targets=("cpu-x86_64",),
    lock={"edgert": "1"},
    measured={"speed": 1.5},
    files=FILES,
)


@pytest.mark.parametrize(
    "changes",
    [
        {"measured": {"speed": 2.5}},
        {"files": (FILES[0], FileEntry("report.html", "report", 11, "e" * 64), FILES[2])},
        {"files": tuple(reversed(FILES))},
    ],
)
def test_times_reports_and_the_order_of_files_are_left_out(changes: dict[str, object]) -> None:
    assert content_digest(dataclasses.replace(MANIFEST, **changes)) == content_digest(MANIFEST)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "n"},
        {"lock": {"edgert": "2"}},
        {"limits": Limits(33, 1)},
        {"task": TaskSpec("generate", generate=dataclasses.replace(SPEC, end=(3,)))},
        {"files": (FileEntry("model.onnx", "model", 10, "e" * 64), *FILES[1:])},
        {"files": (*FILES[:2], FileEntry("golden.json", "golden", 10, "e" * 64))},
    ],
)
def test_anything_that_changes_an_answer_is_in_it(changes: dict[str, object]) -> None:
    assert content_digest(dataclasses.replace(MANIFEST, **changes)) != content_digest(MANIFEST)  # type: ignore[arg-type]


def test_a_manifest_that_was_written_and_read_has_the_same_digest() -> None:
    again = from_json(to_json(MANIFEST))
    assert again == MANIFEST
    assert content_digest(again) == content_digest(MANIFEST)


def test_a_cache_names_its_tensors_layer_by_layer_keys_first() -> None:
    cache = SPEC.cache
    assert cache.names(cache.past)[:3] == (
        "past_key_values.0.key",
        "past_key_values.0.value",
        "past_key_values.1.key",
    )
    assert len(cache.names(cache.present)) == 4
    assert cache.bytes_per_token == 2 * 2 * 3 * 8 * 4


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (dataclasses.replace(SPEC, cache=CacheSpec(layers=10**9, heads=3, width=8)), "1000000000 layers"),
        (dataclasses.replace(SPEC, cache=CacheSpec(layers=2, heads=0, width=8)), "of 0 heads"),
        (dataclasses.replace(SPEC, cache=CacheSpec(2, 3, 8, parts=("key",))), "1 parts of a cache"),
        (dataclasses.replace(SPEC, end=()), r"end tokens \[\]"),
        (dataclasses.replace(SPEC, end=(50,)), r"end tokens \[50\] of 50"),
    ],
)
def test_a_description_that_no_model_has_is_refused(spec: GenerateSpec, told: str) -> None:
    with pytest.raises(BundleError, match=told):
        from_json(to_json(dataclasses.replace(MANIFEST, task=TaskSpec("generate", generate=spec))))


def test_a_chat_template_that_is_not_among_the_files_is_missing() -> None:
    spec = dataclasses.replace(SPEC, chat=ChatSpec("chat_template.jinja"))
    with pytest.raises(BundleFileMissing, match=r"names 'chat_template\.jinja' as its template"):
        from_json(to_json(dataclasses.replace(MANIFEST, task=TaskSpec("generate", generate=spec))))
