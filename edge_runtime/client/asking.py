"""One request on its way: tries on one device or on several, with the same id, until a reply counts."""

from __future__ import annotations

import contextlib
import queue
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from edge_runtime.client.answer import read_answer
from edge_runtime.client.boards import Boards
from edge_runtime.client.post import Event, Mailbox, Post
from edge_runtime.errors import ModelNotFound, RemoteError, RequestTimeout
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.contract import JSON
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics

_ELSEWHERE = (408, 429, 503)  # too late, busy, draining or no memory there: another device may do it
_FULL_PAUSE_S = 0.05  # our own outbox is full: it empties in moments
_FIND_WITHIN_S = 1.0


@dataclass(frozen=True)
class Question:
    """What to ask, and of whom: of `device`, else of any of `group`, else of any that offers the model.

    `user` are MQTT user properties besides those that every request has.
    """

    model: str
    payload: bytes
    id: str
    device: str = ""
    group: str = ""
    stream: bool = False
    media_type: str = JSON
    user: tuple[tuple[str, str], ...] = ()

    @property
    def whom(self) -> str:
        """Whom it goes to, for people."""
        return f"group {self.group!r}" if self.group and not self.device else f"device {self.device!r}"


class Asking:
    """A question under way; a context manager, for its mailbox.

    Args:
        question: what and whom.
        connection, post, boards: the client's.
        root: first levels of all topics.
        reply_topic: where the client listens.
    """

    def __init__(
        self, question: Question, connection: Connection, post: Post, boards: Boards, root: str, reply_topic: str
    ) -> None:
        self.question = question
        self._connection, self._post, self._boards, self._root = connection, post, boards, root
        self._reply_topic = reply_topic
        self._box = Mailbox()
        self._refused: set[str] = set()

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *_: object) -> None:
        self._post.close(self._box)

    @property
    def asked(self) -> str:
        """The device that was asked last; empty if that is not known."""
        return self._box.asked

    @property
    def whom(self) -> str:
        """Who answers, if the reply itself does not say so."""
        return self._box.asked or self.question.group

    def first_reply(self, timeout_s: float, tries: int) -> Message:
        """Send until a reply is no refusal that another try could heal.

        Raises:
            RemoteError: the device refused.
            RequestTimeout: no answer in time.
            ModelNotFound: no device offers this model.
        """
        deadline = time.monotonic() + timeout_s
        error: RemoteError | RequestTimeout | None = None
        for attempt in range(tries):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                break
            device = self._choose(min(_FIND_WITHIN_S, left_s), again=attempt > 0)
            try:
                with self._counted(device):
                    return self._attempt(device, left_s / (tries - attempt))
            except RequestTimeout as timeout:
                error = timeout
                self._refused.add(device)
            except RemoteError as refusal:
                if refusal.status not in _ELSEWHERE:
                    raise
                error = refusal
                self._pause(device, refusal, deadline)
        if isinstance(error, RemoteError):
            raise error
        raise RequestTimeout(f"no answer from {self._described()} in {timeout_s:g} s, asked {tries} times")

    def next_reply(self, wait_s: float) -> Message:
        """The next reply to the same try. RequestTimeout: none came in time, or the device is gone."""
        deadline = time.monotonic() + wait_s
        while True:
            reply = self._take(deadline)
            if reply == "offline":
                raise RequestTimeout(f"device {self._box.asked!r} went offline")
            if isinstance(reply, Message) and reply.correlation == self._box.correlation:
                return reply

    def answered_by(self, device: str) -> None:
        """From here on this device is the one whose news count."""
        self._box.asked = device

    def _choose(self, wait_s: float, *, again: bool) -> str:
        question = self.question
        if question.device or question.group:
            return question.device
        device = self._boards.pick(question.model, self._refused, wait_s)
        if device is None and not again:
            known = sorted({found.name for found in self._boards.found() if found.online})
            raise ModelNotFound(question.model, known)
        return device or self._box.asked

    @contextlib.contextmanager
    def _counted(self, device: str) -> Iterator[None]:
        self._boards.count(device, 1)
        try:
            yield
        finally:
            self._boards.count(device, -1)

    def _attempt(self, device: str, wait_s: float) -> Message:
        deadline = time.monotonic() + wait_s
        message = self._message(device, wait_s)
        self._send(message, deadline)
        while True:
            reply = self._take(deadline)
            if isinstance(reply, Message):
                if self._counts(reply):
                    return reply
            elif reply == "online":  # it was connected anew: what we sent may have been lost
                self._send(message, deadline)
            elif not self.question.device:
                raise RequestTimeout(f"device {device!r} went offline")

    def _counts(self, reply: Message) -> bool:
        """Whether a reply ends the question; an error of an earlier try does not."""
        try:
            read_answer(reply, self.whom)
        except RemoteError:
            if reply.correlation == self._box.correlation:
                raise
            return False
        self._box.correlation = reply.correlation or b""  # pieces of a stream come by the same one
        return True

    def _take(self, deadline: float) -> Message | Event:
        try:
            return self._box.inbox.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise RequestTimeout(f"no answer from {self.question.whom}") from None

    def _send(self, message: Message, deadline: float) -> None:
        """Hand over; while our own connection is away, wait for it, as no device can be asked then."""
        while not self._connection.publish(message):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise RequestTimeout(f"no connection to the broker: {self._connection.last_error}")
            if self._connection.ready:
                time.sleep(min(_FULL_PAUSE_S, left_s))
            else:
                self._connection.wait_ready(left_s)

    def _message(self, device: str, wait_s: float) -> Message:
        question, topics = self.question, Topics(device, self._root)
        topic = topics.infer(question.model) if device else topics.group_infer(question.group, question.model)
        stream = (("stream", "1"),) if question.stream else ()
        return Message(
            topic,
            question.payload,
            qos=1,
            response_topic=self._reply_topic,
            correlation=self._post.new_try(self._box, device),
            content_type=question.media_type,
            user=(("id", question.id), ("deadline-ms", str(round(wait_s * 1000))), *stream, *question.user),
        )

    def _pause(self, device: str, refusal: RemoteError, deadline: float) -> None:
        """Before the next try: not at all if another device can be asked, else as long as the refusal says."""
        self._refused.add(device)
        if not (self.question.device or self.question.group) and self._boards.has_other(
            self.question.model, self._refused
        ):
            return
        pause_s = (refusal.retry_after_ms or 100) / 1000 * random.uniform(1.0, 1.5)
        time.sleep(max(0.0, min(pause_s, deadline - time.monotonic())))

    def _described(self) -> str:
        device = self._box.asked
        if not device:
            return self.question.whom
        return f"device {device!r} ({'online' if self._boards.is_online(device) else 'offline'})"
