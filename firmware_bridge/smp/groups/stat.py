"""Group 2: what the server has counted."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.smp.fields import Word
from firmware_bridge.smp.group import Body, Group, reads
from firmware_bridge.smp.hub import Hub
from firmware_bridge.smp.message import READ, Rc
from firmware_bridge.smp.refusals import Refused

NUMBER = 2
SHOW, LIST = 0, 1
NAME = "edgert_smp"
_INVALID_GROUP = 2


@dataclass(frozen=True)
class Show:
    """Which statistics."""

    name: Word


def stat_group(hub: Hub) -> Group:
    """The group."""

    def show(asked: Show) -> Body:
        if asked.name != NAME:
            said = f"no statistics {asked.name[:64]!r}, there are {NAME!r}"
            raise Refused(Rc.ENOENT, said, NUMBER, _INVALID_GROUP)
        return {"name": NAME, "fields": hub.statistics.all()}

    return Group(
        NUMBER,
        "stat mgmt",
        {
            (READ, SHOW): reads(Show, lambda asked, session: show(asked)),
            (READ, LIST): lambda body, session: {"stat_list": [NAME]},
        },
    )
