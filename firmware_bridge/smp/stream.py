"""Messages over a stream of bytes, serial or TCP: console and COBS framing, told apart by themselves.

Every byte is shown to both decoders. A console frame is a line of printable characters with a CRC, a COBS frame ends
with the one byte that such a line never has: what is a frame of one kind is noise to the other. The answer goes out in
the framing of its request.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Literal

from firmware_bridge.framing import CobsDecoder, ConsoleDecoder, encode_cobs, encode_console
from firmware_bridge.link import Link
from firmware_bridge.smp.edgert_group import FALL_BACK_S
from firmware_bridge.smp.limits import BUF_SIZE
from firmware_bridge.smp.server import Server
from firmware_bridge.smp.session import Session

Framing = Literal["console", "cobs"]
_LINES = re.compile(rb"[^\n]*\n|[^\n]+")  # splitlines would cut at a CR, too
_LOOK_S = 0.25  # how often it is looked whether to stop
_HEARD_BYTES = BUF_SIZE * 2  # longer messages are told that they are too long, up to here


class Deframer:
    """Finds messages of either framing."""

    def __init__(self, most_bytes: int = _HEARD_BYTES) -> None:
        self._most_bytes = most_bytes
        self._console, self._cobs = ConsoleDecoder(most_bytes), CobsDecoder(most_bytes)

    def feed(self, data: bytes) -> list[tuple[Framing, bytes]]:
        """What was read, as the messages that it completes, in order."""
        found: list[tuple[Framing, bytes]] = []
        for piece in _LINES.findall(data):
            found += [("cobs", message) for message in self._cobs.feed(piece)]
            lines = self._console.feed(piece)
            found += [("console", message) for message in lines]
            if lines:  # what the other decoder has of them is no beginning of a frame
                self._cobs = CobsDecoder(self._most_bytes)
        return found


def framed(framing: Framing, message: bytes) -> bytes:
    """A message as it goes over a stream; a delimiter before a COBS frame parts it from whatever was there before."""
    return b"\0" + encode_cobs(message) if framing == "cobs" else b"".join(encode_console(message))


def serve_stream(
    server: Server,
    link: Link,
    session: Session,
    stopped: Callable[[], bool],
    baud: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Answer over a link until it ends or `stopped` says so. LinkLost: it has ended.

    Args:
        baud: that the link has at the beginning; 0: it has none.
    """
    deframer, speed = Deframer(), _Speed(link, baud, clock)
    while not stopped():
        for framing, message in deframer.feed(link.read(_LOOK_S)):
            speed.heard()
            answer = server.answer(message, session)
            if answer is not None:
                link.write(framed(framing, answer))
            speed.change(session)
            session.see_to_the_rest()
        speed.look()


class _Speed:
    """A link's baud: changed when a client asks, and back if after that no frame arrives whole."""

    def __init__(self, link: Link, baud: int, clock: Callable[[], float]) -> None:
        self._link, self._clock = link, clock
        self._proven = self._now = baud
        self._due_s: float | None = None

    def heard(self) -> None:
        """A whole frame has come: the speed is right."""
        self._proven, self._due_s = self._now, None

    def change(self, session: Session) -> None:
        """Change it if the session says so."""
        baud, session.baud = session.baud, 0
        if baud and baud != self._now and self._link.set_baud(baud):
            self._now, self._due_s = baud, self._clock() + FALL_BACK_S

    def look(self) -> None:
        """Go back if it is time to."""
        if self._due_s is not None and self._clock() >= self._due_s:
            self._link.set_baud(self._proven)
            self._now, self._due_s = self._proven, None
