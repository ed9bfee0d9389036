"""Which reply belongs to which request that is under way, and what its device says of itself meanwhile."""

from __future__ import annotations

import queue
import secrets
from dataclasses import dataclass, field
from typing import Literal

from edge_runtime.mqtt.message import Message

Event = Literal["online", "offline"]


@dataclass
class Mailbox:
    """All that comes for one request: replies to any of its tries, and news of the device that it was sent to.

    Attributes:
        asked: the device that is asked now; empty if that is not known, as in a group.
        correlation: of the newest try.
    """

    asked: str = ""
    correlation: bytes = b""
    inbox: queue.SimpleQueue[Message | Event] = field(default_factory=queue.SimpleQueue)
    _correlations: list[bytes] = field(default_factory=list)


class Post:
    """Puts what arrives into the mailboxes; filled by the network thread, used by any."""

    def __init__(self) -> None:
        self._boxes: dict[bytes, Mailbox] = {}

    def new_try(self, box: Mailbox, asked: str) -> bytes:
        """Listen for the answer to another try; its correlation data."""
        correlation = secrets.token_bytes(8)
        box.asked, box.correlation = asked, correlation
        box._correlations.append(correlation)
        self._boxes[correlation] = box
        return correlation

    def close(self, box: Mailbox) -> None:
        """The request is over: what comes later is dropped."""
        for correlation in box._correlations:
            self._boxes.pop(correlation, None)

    def deliver(self, reply: Message) -> None:
        """A reply came; without a mailbox its request is over."""
        box = self._boxes.get(reply.correlation or b"")
        if box is not None:
            box.inbox.put(reply)

    def tell(self, device: str, event: Event) -> None:
        """A device came or went: whoever waits for it learns that."""
        for box in {id(box): box for box in list(self._boxes.values())}.values():  # one may have several tries
            if box.asked == device:
                box.inbox.put(event)
