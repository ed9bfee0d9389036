"""Our own group: see `edgert_group.py` for its messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from edge_runtime.errors import EdgertError
from firmware_bridge.smp.codecs import codecs_here
from firmware_bridge.smp.edgert_group import (
    GROUP,
    NAME,
    REFUSALS,
    VERSION,
    Command,
    CommitRequest,
    HelloAnswer,
    HelloRequest,
    OfferRequest,
    PutRequest,
    StatusAnswer,
    StatusRequest,
)
from firmware_bridge.smp.fields import write_fields
from firmware_bridge.smp.group import Body, Group, Handler, reads
from firmware_bridge.smp.hub import Hub
from firmware_bridge.smp.limits import BUF_COUNT, BUF_SIZE
from firmware_bridge.smp.message import READ, WRITE, BadMessage, Rc
from firmware_bridge.smp.refusals import Refused
from firmware_bridge.smp.session import Session

FRAMINGS = ("cobs", "console")
LEAST_BAUD = 1200
# The nearest of SMP's own list, for clients of its first version.
_PLAIN = {"no_space": Rc.ENOMEM, "store_busy": Rc.EBUSY, "not_offered": Rc.ENOENT, "not_complete": Rc.EBADSTATE}

Asked = TypeVar("Asked")


def edgert_group(hub: Hub) -> Group:
    """The group."""
    hello = _handler(HelloRequest, lambda asked, session: _hello(hub, asked, session))
    status = _handler(StatusRequest, lambda asked, session: _status(hub, asked))
    return Group(
        GROUP,
        NAME,
        {
            (READ, Command.HELLO): hello,
            (WRITE, Command.HELLO): hello,
            (WRITE, Command.OFFER): _handler(OfferRequest, lambda asked, session: hub.offers.offer(asked)),
            (WRITE, Command.PUT): _handler(PutRequest, lambda asked, session: hub.offers.put(asked)),
            (WRITE, Command.COMMIT): _handler(
                CommitRequest, lambda asked, session: hub.offers.commit(asked.bundle, test=asked.test)
            ),
            (READ, Command.STATUS): status,
            (WRITE, Command.STATUS): status,
        },
    )


def _hello(hub: Hub, asked: HelloRequest, session: Session) -> HelloAnswer:
    baud = asked.baud if session.can_change_baud and asked.baud >= LEAST_BAUD else 0
    session.baud = baud
    return HelloAnswer(
        version=min(asked.version, VERSION),
        device=hub.device,
        edgert=hub.edgert,
        boot=hub.boot,
        buf_size=BUF_SIZE,
        buf_count=BUF_COUNT,
        framings=FRAMINGS,
        codecs=codecs_here(),
        free=hub.disk.free_bytes(),
        baud=baud,
    )


def _status(hub: Hub, asked: StatusRequest) -> StatusAnswer:
    if asked.bundle is not None:
        return hub.offers.bundle_status(asked.bundle)
    if asked.object is not None:
        return hub.offers.object_status(asked.object)
    return StatusAnswer("active")


def _handler(kind: type[Asked], handle: Callable[[Asked, Session], object]) -> Handler:
    def answer(asked: Asked, session: Session) -> Body:
        with _our_words():
            return write_fields(handle(asked, session))

    return reads(kind, answer)


@contextmanager
def _our_words() -> Iterator[None]:
    """Refuse with the error's own word, too."""
    try:
        yield
    except (Refused, BadMessage):
        raise
    except EdgertError as error:
        rc = _PLAIN.get(error.code, Rc.EUNKNOWN)
        raise Refused(rc, str(error), GROUP, REFUSALS.get(error.code, 1), error.code) from error
