"""The emulated boards' root, real where its programs are."""

from __future__ import annotations

import os

import pytest

from edgert_tools.arm.programs import ArmUnavailable
from edgert_tools.arm.root import ArmRoot, arm_root


@pytest.fixture(scope="session")
def root() -> ArmRoot:
    """Made once and kept in edgert's cache; without its programs or a network the test skips, but not on CI."""
    try:
        return arm_root(print)
    except ArmUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
