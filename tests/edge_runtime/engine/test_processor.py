"""What a processor is, from /proc/cpuinfo of boards."""

from __future__ import annotations

import pytest

from edge_runtime.engine.processor import targets_here, targets_of

# "Features" lines as Linux prints them for these cores; the flags are those of the ARM ARM's ID registers.
A72 = "Features\t: fp asimd evtstrm crc32 cpuid\n"  # Raspberry Pi 4
A76 = "Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp\n"
V86 = A76.rstrip() + " i8mm bf16\n"
ZEN4 = "flags\t\t: fpu sse2 avx2 avx512f avx512_vnni\nprocessor : 1\nflags\t\t: fpu sse2 avx2 avx512f avx512_vnni\n"


@pytest.mark.parametrize(
    ("machine", "cpu_info", "targets"),
    [
        ("aarch64", 4 * A72, {"cpu-aarch64"}),
        ("aarch64", 4 * A76, {"cpu-aarch64", "cpu-aarch64-dotprod"}),
        ("arm64", 4 * V86, {"cpu-aarch64", "cpu-aarch64-dotprod", "cpu-aarch64-i8mm"}),
        ("aarch64", 4 * A76 + 2 * A72, {"cpu-aarch64"}),
        ("x86_64", ZEN4, {"cpu-x86_64", "cpu-x86_64-avx2", "cpu-x86_64-vnni"}),
        ("AMD64", "", {"cpu-x86_64"}),
        ("riscv64", "isa : rv64imafdc\n", {"cpu-riscv64"}),
    ],
    ids=["pi4", "pi5", "v8.6", "one core lacks it", "x86", "no cpuinfo", "unknown"],
)
def test_a_board_is_what_all_its_cores_are(machine: str, cpu_info: str, targets: set[str]) -> None:
    assert targets_of(machine, cpu_info) == targets


def test_this_machine_is_something() -> None:
    assert any(target.count("-") == 1 for target in targets_here())
