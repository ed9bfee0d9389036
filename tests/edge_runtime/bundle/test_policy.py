"""Licence policies."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.bundle.policy import Policy, judge, read_policy
from edge_runtime.errors import ConfigError

POLICY = Policy(allowed=("Apache-2.0", "MIT", "BSD-*"), denied=("CC-BY-NC-*",))


@pytest.mark.parametrize(
    ("license_id", "answer"),
    [
        ("Apache-2.0", "allowed"),
        ("mit", "allowed"),
        ("BSD-3-Clause", "allowed"),
        ("CC-BY-NC-4.0", "denied"),
        ("cc-by-nc-sa-4.0", "denied"),
        ("AGPL-3.0", "denied"),
        ("unknown", "denied"),
        ("AGPL-3.0 OR MIT", "allowed"),
        ("MIT AND CC-BY-NC-4.0", "denied"),
        ("MIT AND BSD-2-Clause", "allowed"),
    ],
)
def test_a_licence_is_judged_by_the_lists(license_id: str, answer: str) -> None:
    verdict = judge(license_id, POLICY)
    assert verdict.answer == answer
    assert verdict.reason


def test_denied_goes_before_allowed() -> None:
    assert judge("MIT", Policy(allowed=("*",), denied=("MIT",))).answer == "denied"


def test_what_is_not_listed_or_not_stated_follows_the_policy() -> None:
    open_policy = Policy(denied=("AGPL-*",), unlisted="allow", unknown="allow")
    assert judge("EUPL-1.2", open_policy).answer == "allowed"
    assert judge("unknown", open_policy).answer == "allowed"


def test_without_a_policy_nothing_is_decided_but_a_non_commercial_licence_is_pointed_out() -> None:
    assert judge("MIT", None).answer == "not checked"
    assert "commercial" in judge("cc-by-nc-4.0", None).reason
    assert "states none" in judge("unknown", None).reason


def test_a_policy_is_read_from_toml(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text('allowed = ["MIT"]\nunlisted = "allow"\n')
    assert read_policy(file) == Policy(allowed=("MIT",), unlisted="allow")


@pytest.mark.parametrize("text", ['allow = ["MIT"]', "allowed = 'MIT'", "unlisted = 'perhaps'", "[", "allowed = [1]"])
def test_a_policy_with_a_mistake_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "p.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"p\.toml"):
        read_policy(file)
