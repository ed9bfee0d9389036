"""Group 3: what the board is, to be read. Nothing can be set: the config file says what holds (docs/config.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from firmware_bridge.smp.fields import Limits
from firmware_bridge.smp.group import Body, Group, Handler, reads
from firmware_bridge.smp.hub import Hub
from firmware_bridge.smp.message import READ, WRITE, Rc
from firmware_bridge.smp.refusals import Refused
from firmware_bridge.smp.session import Session

NUMBER = 3
SETTING, DELETE, COMMIT, LOAD_SAVE = 0, 1, 2, 3
MOST_NAME_CHARS = 64
MOST_VALUE_BYTES = 1024
_KEY_TOO_LONG, _KEY_NOT_FOUND, _WRITE_NOT_SUPPORTED, _DELETE_NOT_SUPPORTED = 2, 3, 6, 7


@dataclass(frozen=True)
class Named:
    """Which setting, and how much of it the client can take; 0: all."""

    name: Annotated[str, Limits(0, 4096)]
    max_size: Annotated[int, Limits(0, 1 << 32)] = 0


def settings_group(hub: Hub) -> Group:
    """The group."""
    return Group(
        NUMBER,
        "settings mgmt",
        {
            (READ, SETTING): reads(Named, lambda asked, session: _read(hub, asked)),
            (WRITE, SETTING): _refuse(_WRITE_NOT_SUPPORTED),
            (WRITE, DELETE): _refuse(_DELETE_NOT_SUPPORTED),
            (WRITE, COMMIT): _refuse(_WRITE_NOT_SUPPORTED),
            (WRITE, LOAD_SAVE): _refuse(_WRITE_NOT_SUPPORTED),
            (READ, LOAD_SAVE): lambda body, session: {},  # there is nothing that is not loaded
        },
    )


def values(hub: Hub) -> Mapping[str, Callable[[], str]]:
    """All settings, as text."""
    return {
        "edgert/device": lambda: hub.device,
        "edgert/version": lambda: hub.edgert,
        "edgert/models": lambda: ",".join(hub.slots.names()),
        "edgert/refused": lambda: "".join(hub.last_refusal),
    }


def _read(hub: Hub, asked: Named) -> Body:
    if len(asked.name) > MOST_NAME_CHARS:
        said = f"name has {len(asked.name)} characters, {MOST_NAME_CHARS} are the most"
        raise Refused(Rc.EINVAL, said, NUMBER, _KEY_TOO_LONG)
    value = values(hub).get(asked.name)
    if value is None:
        said = f"no setting {asked.name!r}, there are {', '.join(values(hub))}"
        raise Refused(Rc.ENOENT, said, NUMBER, _KEY_NOT_FOUND)
    most = min(asked.max_size or MOST_VALUE_BYTES, MOST_VALUE_BYTES)
    body: dict[str, object] = {"val": value().encode()[:most]}
    if asked.max_size > MOST_VALUE_BYTES:
        body["max_size"] = MOST_VALUE_BYTES
    return body


def _refuse(group_rc: int) -> Handler:
    def handler(body: Body, session: Session) -> Body:
        said = "settings can only be read here: change the config file, and start the daemon anew"
        raise Refused(Rc.ENOTSUP, said, NUMBER, group_rc)

    return handler
