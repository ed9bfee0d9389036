"""Which boards a bundle is for."""

from __future__ import annotations

import dataclasses

import pytest

from edge_runtime.bundle.errors import BadContainer, WrongTarget
from edge_runtime.bundle.target import Here, Target, check_target, target_from_bytes, target_to_bytes

PI = Here(frozenset({"cpu-aarch64", "cpu-aarch64-dotprod"}), frozenset({"raspberrypi,5-model-b"}), "0.4.0", 900.0)


@pytest.mark.parametrize(
    "target",
    [
        Target(),
        Target(("cpu",)),
        Target(("cpu-x86_64", "cpu-aarch64-dotprod"), ("other", "raspberrypi,5-model-b"), "0.4", 900),
        Target(runtime="0.3.9"),
    ],
)
def test_a_board_that_is_what_is_asked_for_takes_it(target: Target) -> None:
    check_target(target, PI)
    assert target_from_bytes(target_to_bytes(target)) == target


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        (Target(("cpu-x86_64",)), "for cpu-x86_64, this processor is cpu-aarch64, cpu-aarch64-dotprod"),
        (Target(("cpu-aarch64-i8mm",)), "for cpu-aarch64-i8mm"),
        (Target(boards=("jetson",)), "for jetson, this board is raspberrypi,5-model-b"),
        (Target(runtime="0.4.1"), "needs edgert 0.4.1, this is 0.4.0"),
        (Target(runtime="0.10"), "needs edgert 0.10"),
        (Target(runtime="1"), "needs edgert 1"),
        (Target(memory_mb=901), "needs 901 MB"),
    ],
)
def test_another_board_says_what_it_lacks(target: Target, complaint: str) -> None:
    with pytest.raises(WrongTarget, match=complaint):
        check_target(target, PI)


def test_a_board_without_a_device_tree_is_none_that_is_asked_for() -> None:
    with pytest.raises(WrongTarget, match="none that it knows"):
        check_target(Target(boards=("x",)), dataclasses.replace(PI, boards=frozenset()))


@pytest.mark.parametrize("data", [b"", b"[]", b'{"targets": "cpu"}', b'{"new": 1}', b"[" * 100_000, b"\xff"])
def test_a_target_that_cannot_be_read_is_no_target(data: bytes) -> None:
    with pytest.raises(BadContainer, match="target"):
        target_from_bytes(data)
