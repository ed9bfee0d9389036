"""Group 10: which groups there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from firmware_bridge.smp.fields import Limits
from firmware_bridge.smp.group import Body, Group, reads
from firmware_bridge.smp.message import READ, Rc
from firmware_bridge.smp.refusals import Refused

NUMBER = 10
COUNT, LIST, SINGLE, DETAILS = range(4)
_INDEX_TOO_LARGE = 4
_HANDLERS = 4  # this group's own


@dataclass(frozen=True)
class Single:
    """Which one, counted from 0."""

    index: Annotated[int, Limits(0, 65535)] = 0


@dataclass(frozen=True)
class Details:
    """Of which groups; None: of all."""

    groups: Annotated[tuple[int, ...], Limits(0, 256)] | None = None


def enum_group(others: Sequence[Group]) -> Group:
    """The group, which lists `others` and itself."""
    listed = sorted([*((one.number, one.name, one.commands) for one in others), (NUMBER, "enum mgmt", _HANDLERS)])
    numbers = [number for number, _, _ in listed]

    def single(asked: Single) -> Body:
        if asked.index >= len(numbers):
            said = f"index is {asked.index}, there are {len(numbers)} groups"
            raise Refused(Rc.EINVAL, said, NUMBER, _INDEX_TOO_LARGE)
        body: dict[str, object] = {"group": numbers[asked.index]}
        return body | {"end": True} if asked.index == len(numbers) - 1 else body

    def details(asked: Details) -> Body:
        wanted = numbers if asked.groups is None else asked.groups
        found = [one for one in listed if one[0] in wanted]
        return {"groups": [{"group": number, "name": name, "handlers": count} for number, name, count in found]}

    return Group(
        NUMBER,
        "enum mgmt",
        {
            (READ, COUNT): lambda body, session: {"count": len(numbers)},
            (READ, LIST): lambda body, session: {"groups": numbers},
            (READ, SINGLE): reads(Single, lambda asked, session: single(asked)),
            (READ, DETAILS): reads(Details, lambda asked, session: details(asked)),
        },
    )
