"""A group of commands: its number, its name, and what answers which command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from edge_runtime.errors import EdgertError
from firmware_bridge.smp.fields import read_fields
from firmware_bridge.smp.message import Rc
from firmware_bridge.smp.refusals import Refused
from firmware_bridge.smp.session import Session

Body = Mapping[str, object]
Handler = Callable[[Body, Session], Body]
Asked = TypeVar("Asked")


@dataclass(frozen=True)
class Group:
    """Handlers by op and command."""

    number: int
    name: str
    handlers: Mapping[tuple[int, int], Handler]

    @property
    def commands(self) -> int:
        """How many commands it has."""
        return len({command for _, command in self.handlers})


def reads(kind: type[Asked], handle: Callable[[Asked, Session], Body]) -> Handler:
    """A handler that gets its request as the dataclass `kind`."""

    def handler(body: Body, session: Session) -> Body:
        return handle(read_fields(kind, body), session)

    return handler


@contextmanager
def in_words_of(group: int, table: Mapping[str, tuple[int, Rc]], other: tuple[int, Rc]) -> Iterator[None]:
    """Refuse with the group's own numbers: `table` has them by the error's code, `other` for the rest."""
    try:
        yield
    except Refused:
        raise
    except EdgertError as error:
        group_rc, rc = table.get(error.code, other)
        raise Refused(rc, str(error), group, group_rc) from error
