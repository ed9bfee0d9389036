"""What there is of memory is read as it stands on boards, in services and in containers."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from edge_runtime.engine.memory import available_mb, default_budget_mb, process_rss_mb

# A Raspberry Pi with 1 GB, as /proc/meminfo begins there.
PI_MEMINFO = """MemTotal:         948280 kB
MemFree:          202752 kB
MemAvailable:     614400 kB
HugePages_Total:       0
"""
V1_UNLIMITED = str(2**63 - 4096)


def lay_out(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("files", "expected_mb"),
    [
        ({}, 600.0),
        ({"proc/meminfo": "MemTotal: 524288 kB\n"}, 512.0),  # a kernel before 3.14
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 600.0),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "268435456\n"}, 256.0),  # in a container
        (  # a systemd service: its own limit, its slice's, and one that slows instead of killing
            {
                "proc/self/cgroup": "0::/system.slice/edgert.service\n",
                "sys/fs/cgroup/system.slice/edgert.service/memory.max": "max\n",
                "sys/fs/cgroup/system.slice/edgert.service/memory.high": "314572800\n",
                "sys/fs/cgroup/system.slice/memory.max": "419430400\n",
            },
            300.0,
        ),
        (
            {
                "proc/self/cgroup": "0::/system.slice/edgert.service\n",
                "sys/fs/cgroup/system.slice/memory.max": "104857600\n",
            },
            100.0,
        ),
        (  # v1, beside other controllers
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/user/7\n0::/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": V1_UNLIMITED,
                "sys/fs/cgroup/memory/user/7/memory.limit_in_bytes": "209715200\n",
            },
            200.0,
        ),
        (  # v1 in a container: the path is the host's
            {
                "proc/self/cgroup": "4:memory:/docker/abc\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "134217728\n",
            },
            128.0,
        ),
        (  # outside of its namespace's root
            {"proc/self/cgroup": "0::/../../other\n", "sys/fs/cgroup/memory.max": "268435456\n"},
            256.0,
        ),
        ({"proc/self/cgroup": "nonsense\n\n:::\n4:memory\n", "sys/fs/cgroup/memory.max": "1"}, 600.0),
    ],
)
def test_the_smallest_limit_counts(tmp_path: Path, files: dict[str, str], expected_mb: float) -> None:
    root = lay_out(tmp_path, {"proc/meminfo": PI_MEMINFO, **files})
    assert available_mb(root) == pytest.approx(expected_mb)
    assert default_budget_mb(root) == pytest.approx(expected_mb * 0.75)


def test_a_system_that_says_nothing_has_no_limit_but_a_default(tmp_path: Path) -> None:
    assert available_mb(tmp_path) is None
    assert default_budget_mb(tmp_path) == 768.0
    assert process_rss_mb(tmp_path) == 0.0


def test_the_process_is_read_whatever_the_size_of_a_page(tmp_path: Path) -> None:
    lay_out(tmp_path, {"proc/self/status": "Name:\tedgert\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\nThreads:\t7\n"})
    assert process_rss_mb(tmp_path) == 100.0


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_this_process_and_machine_are_read() -> None:
    pages = int(re.split(r"\s", Path("/proc/self/statm").read_text())[1])
    assert process_rss_mb() == pytest.approx(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, rel=0.2)
    available = available_mb()
    assert available is not None
    assert available > 100
