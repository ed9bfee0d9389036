"""Which licences somebody allows: a TOML file with SPDX ids, and its verdict on a model."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from edge_runtime.bundle.errors import LicenceDenied
from edge_runtime.errors import ConfigError
from edge_runtime.strict import decode

Answer = Literal["allowed", "denied", "not checked"]
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Policy:
    """SPDX ids, `*` as in shells, upper and lower case alike; `denied` goes before `allowed`.

    `unlisted` and `unknown`: what holds for an id that neither list names, and for a model that states no licence.
    """

    allowed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    unlisted: Literal["allow", "deny"] = "deny"
    unknown: Literal["allow", "deny"] = "deny"


@dataclass(frozen=True)
class LicenceVerdict:
    """The answer on one licence, and what decided it."""

    license: str
    answer: Answer
    reason: str


def read_policy(file: Path) -> Policy:
    """Read a policy file.

    Raises:
        ConfigError: it cannot be read, is not TOML, or has an unknown key or a bad value.
    """
    try:
        return decode(Policy, tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file.name}: {error}") from error


def judge(license_id: str, policy: Policy | None) -> LicenceVerdict:
    """Say whether a licence is allowed; of `A OR B` one must be, of `A AND B` both."""
    if policy is None:
        return LicenceVerdict(license_id, "not checked", _caution(license_id))
    if license_id == UNKNOWN:
        answer: Answer = "allowed" if policy.unknown == "allow" else "denied"
        return LicenceVerdict(
            license_id, answer, f'the source states none, the policy says unknown = "{policy.unknown}"'
        )
    choices = [[_one(part, policy) for part in _split(choice, "AND")] for choice in _split(license_id, "OR")]
    good = next((parts for parts in choices if all(holds for holds, _ in parts)), None)
    if good is not None:
        return LicenceVerdict(license_id, "allowed", "; ".join(reason for _, reason in good))
    reasons = [reason for parts in choices for holds, reason in parts if not holds]
    return LicenceVerdict(license_id, "denied", "; ".join(reasons))


def check_licence(license_id: str, policy: Policy | None) -> None:
    """Raise LicenceDenied if a policy forbids a licence."""
    verdict = judge(license_id, policy)
    if verdict.answer == "denied":
        raise LicenceDenied(f"licence {license_id} is not allowed: {verdict.reason}")


def _one(license_id: str, policy: Policy) -> tuple[bool, str]:
    for holds, patterns, word in ((False, policy.denied, "denied"), (True, policy.allowed, "allowed")):
        match = next((pattern for pattern in patterns if fnmatchcase(license_id.lower(), pattern.lower())), None)
        if match is not None:
            return holds, f"{license_id} is {word} by {match!r}"
    return policy.unlisted == "allow", f'{license_id} is not listed, the policy says unlisted = "{policy.unlisted}"'


def _split(expression: str, operator: str) -> list[str]:
    return [part.strip(" ()") for part in re.split(rf"\s+{operator}\s+", expression)]


def _caution(license_id: str) -> str:
    if license_id == UNKNOWN:
        return "the source states none: ask its author; --policy FILE makes this a rule"
    if re.search(r"(^|-)nc(-|$)|noncommercial|research", license_id, re.I):
        return "not for commercial use, by its name; --policy FILE makes this a rule"
    return "no policy was given (--policy FILE)"
