"""The asking side of SMP: one request, its answer, and what the answer may be instead. Any server.

An answer is known by its sequence number, group and command, whenever it comes: one that comes after its request was
given up is never taken for the next one's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from firmware_bridge.errors import BadTarget, LinkLost, NotThere, PeerRefused
from firmware_bridge.framing import LINE_LIMIT, CobsDecoder, ConsoleDecoder, encode_cobs, encode_console
from firmware_bridge.link import Link
from firmware_bridge.smp.message import HEADER_BYTES, READ, WRITE, BadMessage, Message, Rc, read_message

FramingName = Literal["console", "cobs", "raw", "datagram"]
OS_GROUP = 0
ECHO, RESET, PARAMS = 0, 5, 6
CONSOLE_OVERHEAD_BYTES = 4  # Zephyr's `buf_size` counts the length and the CRC of a console packet, too
UNKNOWN_BUFFER_BYTES = 256  # of a server that does not tell; Zephyr's default is 384
MOST_DATAGRAM_BYTES = 1400  # Zephyr cuts off what is longer than a packet on Ethernet, whatever its buffers are
_MOST_ANSWER_BYTES = 70000
_SEQUENCES = 256


class Framing(Protocol):
    """Messages on a stream of bytes."""

    name: FramingName

    def encode(self, message: bytes) -> bytes:
        """As it is sent."""

    def feed(self, data: bytes) -> list[bytes]:
        """The whole, checked messages that these bytes complete."""


class ConsoleFraming:
    """Base64 lines with a CRC: what every SMP server on a serial port understands."""

    name: FramingName = "console"

    def __init__(self, line_limit: int = LINE_LIMIT) -> None:
        self._decoder, self._line_limit = ConsoleDecoder(), line_limit
        self.feed = self._decoder.feed

    def encode(self, message: bytes) -> bytes:
        """See `Framing`."""
        return b"".join(encode_console(message, self._line_limit))


class CobsFraming:
    """COBS with a CRC: a quarter less on the wire. A 00 before each frame keeps what was torn before it apart."""

    name: FramingName = "cobs"

    def __init__(self) -> None:
        self._decoder = CobsDecoder()
        self.feed = self._decoder.feed

    def encode(self, message: bytes) -> bytes:
        """See `Framing`."""
        return b"\0" + encode_cobs(message)


class RawFraming:
    """Bare messages one after the other: only for links that lose nothing, as USB."""

    name: FramingName = "raw"

    def __init__(self) -> None:
        self._partial = bytearray()

    def encode(self, message: bytes) -> bytes:
        """See `Framing`."""
        return message

    def feed(self, data: bytes) -> list[bytes]:
        """See `Framing`."""
        self._partial += data
        messages = []
        while len(self._partial) >= HEADER_BYTES:
            size = HEADER_BYTES + int.from_bytes(self._partial[2:4], "big")
            if len(self._partial) < size:
                break
            messages.append(bytes(self._partial[:size]))
            del self._partial[:size]
        return messages


class DatagramFraming:
    """None: the network keeps messages apart."""

    name: FramingName = "datagram"

    def encode(self, message: bytes) -> bytes:
        """See `Framing`."""
        return message

    def feed(self, data: bytes) -> list[bytes]:
        """See `Framing`."""
        return [data]


def framing_named(name: str) -> Framing:
    """A framing by its name. BadTarget: there is none of that name."""
    kinds: dict[str, type[Framing]] = {
        "console": ConsoleFraming,
        "cobs": CobsFraming,
        "raw": RawFraming,
        "datagram": DatagramFraming,
    }
    if name not in kinds:
        raise BadTarget(f"framing {name[:20]!r} is none of {', '.join(kinds)}")
    return kinds[name]()


@dataclass(frozen=True)
class Params:
    """How much a server takes at once.

    Attributes:
        message_bytes: of the longest message, header and body.
        requests: that may be under way.
    """

    message_bytes: int = UNKNOWN_BUFFER_BYTES
    requests: int = 1


@dataclass
class Counts:
    """What a channel has sent: messages, and bytes on the wire."""

    messages: int = 0
    wire_bytes: int = 0
    lost: int = 0


class Channel:
    """Messages over a link, without waiting for any: what is sent gets a number, what comes is read.

    Args:
        link: open.
        framing: None takes what every server on such a link understands.
    """

    def __init__(self, link: Link, framing: Framing | None = None) -> None:
        self.link = link
        self.framing: Framing = framing or (DatagramFraming() if link.datagrams else ConsoleFraming())
        self.counts = Counts()
        self._sequence = int(time.monotonic() * 16) % _SEQUENCES  # answers to a process before us are not for us

    def send(self, message: Message) -> int:
        """Send; its number. LinkLost: the link is over."""
        sequence = self._sequence
        self._sequence = (sequence + 1) % _SEQUENCES
        data = self.framing.encode(numbered(message, sequence).to_bytes())
        self.counts.messages += 1
        self.counts.wire_bytes += len(data)
        self.link.write(data)
        return sequence

    def receive(self, timeout_s: float) -> list[Message]:
        """The answers that have come; what is damaged or no answer is passed over. LinkLost: the link is over."""
        answers = []
        data = self.link.read(timeout_s)
        for raw in self.framing.feed(data) if data else ():
            if len(raw) > _MOST_ANSWER_BYTES:
                continue
            try:
                message = read_message(raw)
            except BadMessage:
                continue
            if message.op in (READ + 1, WRITE + 1):
                answers.append(message)
        return answers


class Client:
    """Requests one after the other; those that get no answer are sent again.

    Args:
        channel: of messages.
        timeout_s: for an answer.
        tries: how often a request is sent.
    """

    def __init__(self, channel: Channel, timeout_s: float = 1.0, tries: int = 5) -> None:
        self.channel, self._timeout_s, self._tries = channel, timeout_s, tries

    def request(
        self, op: int, group: int, command: int, body: Mapping[str, object], *, timeout_s: float = 0, tries: int = 0
    ) -> Mapping[str, object]:
        """Ask, and return the answer's map.

        Raises:
            PeerRefused: the board said no.
            NotThere: it has no such command.
            LinkLost: it said nothing, however often it was asked, or the link is over.
        """
        message = Message(op, group, command, body)
        sent: set[int] = set()
        tries, wait_s = tries or self._tries, timeout_s or self._timeout_s
        for attempt in range(tries):
            sent.add(self.channel.send(message))
            answer = self._answer(message, sent, wait_s * min(1 + attempt, 4))
            if answer is not None:
                return checked(answer)
            self.channel.counts.lost += 1
        raise LinkLost(f"no answer from the board: asked {tries} times, group {group}, command {command}")

    def _answer(self, message: Message, sent: set[int], wait_s: float) -> Message | None:
        end_s = time.monotonic() + wait_s
        while (left_s := end_s - time.monotonic()) > 0:
            for answer in self.channel.receive(left_s):
                if answers(answer, message) and answer.sequence in sent:
                    return answer
        return None

    def read(self, group: int, command: int, **body: object) -> Mapping[str, object]:
        """A read request; raises as `request`."""
        return self.request(READ, group, command, body)

    def write(self, group: int, command: int, **body: object) -> Mapping[str, object]:
        """A write request; raises as `request`."""
        return self.request(WRITE, group, command, body)

    def echo(self, text: str) -> str:
        """What comes back. Raises as `request`."""
        return str(self.write(OS_GROUP, ECHO, d=text).get("r", ""))

    def reset(self) -> None:
        """Restart what answers; a board that restarts before it has answered is no error."""
        self.request(WRITE, OS_GROUP, RESET, {}, tries=2)

    def params(self) -> Params:
        """How much the server takes; the least that any takes, if it does not tell."""
        try:
            said = self.read(OS_GROUP, PARAMS)
        except (NotThere, PeerRefused):
            return Params()
        size, count = said.get("buf_size"), said.get("buf_count")
        if not isinstance(size, int) or not isinstance(count, int) or size < 64 or count < 1:
            return Params()
        overhead = CONSOLE_OVERHEAD_BYTES if self.channel.framing.name == "console" else 0
        most = MOST_DATAGRAM_BYTES if self.channel.framing.name == "datagram" else 65535
        return Params(min(size - overhead, most), min(count, _SEQUENCES // 4))


def numbered(message: Message, sequence: int) -> Message:
    """The same message under another number."""
    return Message(message.op, message.group, message.command, message.body, sequence, message.version)


def answers(answer: Message, request: Message) -> bool:
    """Whether an answer is of the kind that a request asks for."""
    return (answer.op, answer.group, answer.command) == (request.op + 1, request.group, request.command)


def checked(answer: Message) -> Mapping[str, object]:
    """The map of an answer that is no refusal. NotThere, PeerRefused: it is one."""
    body, what = answer.body, f"group {answer.group}, command {answer.command}"
    refused = body.get("err")
    if isinstance(refused, dict):
        group, rc = refused.get("group"), refused.get("rc")
        if isinstance(rc, int) and rc != 0:
            word = body.get("word", "")
            raise PeerRefused(
                what, group if isinstance(group, int) else -1, rc, _reason(body), word if isinstance(word, str) else ""
            )
    rc = body.get("rc", 0)
    if isinstance(rc, int) and rc != 0:
        if rc == Rc.ENOTSUP:
            raise NotThere(f"the board has no {what}")
        raise PeerRefused(what, -1, rc, _reason(body) or _rc_name(rc))
    return body


def _reason(body: Mapping[str, object]) -> str:
    reason = body.get("rsn", "")
    return reason[:300] if isinstance(reason, str) else ""


def _rc_name(rc: int) -> str:
    return Rc(rc).name if rc in Rc.__members__.values() else ""
