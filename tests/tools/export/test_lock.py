"""Locks say exactly what an exporter's environment has."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version

import pytest

from edgert_tools.export.lock import Lock, read_lock
from edgert_tools.packages import PinnedPackage

HASH = "a" * 64


@pytest.mark.parametrize("name", ["optimum", "genai"])
def test_every_package_of_a_lock_that_comes_along_is_exact_and_all_but_torch_have_hashes(name: str) -> None:
    lock = read_lock(name)
    assert all(re.match(r"[\w.-]+==[\w.]+( |$)", line) for line in lock.lines)
    assert lock.unhashed == ("torch==2.13.0",)
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", line) for line in lock.hashed)
    assert lock.pythons is not None
    assert lock.pythons[0] <= sys.version_info[:2] <= lock.pythons[1]


@pytest.mark.parametrize("name", ["optimum", "genai"])
def test_a_lock_has_what_decides_at_the_versions_that_were_asked_for_and_no_cuda(name: str) -> None:
    lock = read_lock(name)
    assert set(lock.deciding) <= set(lock.versions)
    assert {"torch", "transformers", "onnx", "numpy"} <= set(lock.decides)
    assert not [name for name in lock.versions if name.startswith(("nvidia", "cuda", "triton"))]


def test_lines_are_joined_and_a_marker_is_no_version() -> None:
    lock = Lock(
        "x", f"# Python 3.11 to 3.14\none==1.0 ; sys_platform == 'linux' \\\n    --hash=sha256:{HASH}\ntwo==2.0\n"
    )
    assert dict(lock.versions) == {"one": "1.0", "two": "2.0"}
    assert lock.hashed == (f"one==1.0 ; sys_platform == 'linux' --hash=sha256:{HASH}",)
    assert lock.pythons == ((3, 11), (3, 14))


def test_an_installed_set_is_known_by_its_deciding_packages() -> None:
    here = version("numpy").partition("+")[0]
    assert Lock("x", f"numpy=={here}\nnot-there==1\n", ("numpy",)).installed_here()
    assert not Lock("x", "numpy==0.1\n", ("numpy",)).installed_here()
    assert not Lock("x", "no-such-package-of-ours==1\n", ("no-such-package-of-ours",)).installed_here()


def test_another_text_is_another_lock() -> None:
    assert Lock("x", "one==1\n").sha256 != Lock("x", "one==2\n").sha256
    assert PinnedPackage("one", "1", HASH).requirement in Lock("x", "one==1\n").lines
