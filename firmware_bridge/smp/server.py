"""The server: one message in, at most one answer out. What a message comes over, it does not know.

A message that is damaged is never answered: the client sends it again, and an error that it did not ask for would only
make it give up.
"""

from __future__ import annotations

import logging

from edge_runtime.errors import EdgertError
from firmware_bridge.smp.group import Body, Group
from firmware_bridge.smp.groups.edgert import edgert_group
from firmware_bridge.smp.groups.enum import enum_group
from firmware_bridge.smp.groups.fs import fs_group
from firmware_bridge.smp.groups.image import image_group
from firmware_bridge.smp.groups.os import os_group
from firmware_bridge.smp.groups.settings import settings_group
from firmware_bridge.smp.groups.stat import stat_group
from firmware_bridge.smp.hub import Hub
from firmware_bridge.smp.limits import BUF_SIZE
from firmware_bridge.smp.message import (
    VERSION_2,
    BadMessage,
    Header,
    Message,
    Rc,
    read_body,
    read_header,
)
from firmware_bridge.smp.refusals import Refused
from firmware_bridge.smp.session import Session

log = logging.getLogger("edgert.smp")


class Server:
    """Answers for a hub; any number of threads may ask at once."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        others = [
            os_group(hub),
            image_group(hub),
            stat_group(hub),
            settings_group(hub),
            fs_group(hub),
            edgert_group(hub),
        ]
        self.groups: dict[int, Group] = {group.number: group for group in (*others, enum_group(others))}

    def answer(self, data: bytes, session: Session) -> bytes | None:
        """Do what a message asks.

        Args:
            data: header and body, without framing.
            session: of the client; `after` and `baud` in it are to be seen to when the answer has left.

        Returns:
            The answer as it travels; None: it is no request, or damaged.
        """
        count = self.hub.statistics.add
        count("bytes_in", len(data))
        try:
            header = read_header(data)
        except BadMessage:
            count("damaged")
            return None
        if not header.is_request:
            count("ignored")
            return None
        count("requests")
        answer = _bytes_of(header, self._body(header, data, session))
        count("bytes_out", len(answer))
        return answer

    def _body(self, header: Header, data: bytes, session: Session) -> Body:
        try:
            return self._done(header, data, session)
        except Refused as refused:
            error: EdgertError = refused
            body = refused.body(header.version)
        except BadMessage as bad:
            error = bad
            body = {"rc": int(Rc.EINVAL), "rsn": str(bad)}
        except EdgertError as other:
            error = other
            body = {"rc": int(Rc.EUNKNOWN), "rsn": str(other)}
        except OSError as broken:
            error = EdgertError(f"{broken.filename or 'disk'}: {broken.strerror or broken}")
            body = {"rc": int(Rc.EUNKNOWN), "rsn": str(error)}
        except Exception:  # whatever a message does, the next one must be answered
            log.exception("a message of group %d, command %d broke the server", header.group, header.command)
            self.hub.statistics.add("broken")
            error, body = EdgertError("it broke"), {"rc": int(Rc.EUNKNOWN)}
        self.hub.statistics.add("refused")
        log.debug("%s: group %d, command %d: %s", session.link, header.group, header.command, error)
        return body

    def _done(self, header: Header, data: bytes, session: Session) -> Body:
        if header.version > VERSION_2:
            raise Refused(Rc.UNSUPPORTED_TOO_NEW, f"SMP version {header.version + 1} is not known, 2 is the newest")
        if len(data) > BUF_SIZE:
            raise Refused(Rc.EMSGSIZE, f"message has {len(data)} bytes, {BUF_SIZE} are the most")
        group = self.groups.get(header.group)
        handler = group.handlers.get((header.op, header.command)) if group else None
        if handler is None:
            raise Refused(Rc.ENOTSUP, f"there is no command {header.command} of group {header.group} for that here")
        return handler(read_body(data), session)


def _bytes_of(header: Header, body: Body) -> bytes:
    version = min(header.version, VERSION_2)
    request = Message(header.op, header.group, header.command, {}, header.sequence, version)
    try:
        return request.answer(body).to_bytes()
    except BadMessage:
        return request.answer({"rc": int(Rc.EMSGSIZE)}).to_bytes()
