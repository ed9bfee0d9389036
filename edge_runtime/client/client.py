"""Ask devices for inferences from Python: `Client(url).infer(model, text)`.

Retries carry the same request id, so a device answers a repeat from memory instead of running it twice; and they go to
another device if there is one, so that a board that goes down costs time and no answer.
"""

from __future__ import annotations

import contextlib
import json
import queue
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from edge_runtime.client.answer import Answer, Chunk, StreamOrder, json_object, read_answer
from edge_runtime.client.asking import Asking, Question
from edge_runtime.client.boards import Boards, FoundModel
from edge_runtime.client.post import Mailbox, Post
from edge_runtime.errors import RequestTimeout, StreamGap, UsageError
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.contract import JSON
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import ROOT, WORD, Topics


class Client:
    """A connection to the broker that devices answer on; use it as a context manager, from any thread.

    Args:
        broker: URL (`mqtt://user:password@host`) or address.
        device: whom to ask; by default an online device that offers the model and has little to do.
        root: first levels of all topics, as in the devices' config.
        timeout_s: for connecting.

    Raises:
        BrokerUnreachable: no connection in time; says why.
    """

    def __init__(
        self, broker: str | BrokerAddress, *, device: str | None = None, root: str = ROOT, timeout_s: float = 5.0
    ) -> None:
        address = BrokerAddress.parse(broker) if isinstance(broker, str) else broker
        self._device, self._root = device or "", root
        self._post, self._boards = Post(), Boards(root)
        self._under_way: dict[str, Asking] = {}  # by the request's id, for cancelling it
        name = f"client-{secrets.token_hex(6)}"
        everything = Topics("+", root)
        self._reply_topic = everything.reply(address.username or "anonymous", name)
        documents = (everything.model("+"), everything.load, everything.status)
        self._connection = Connection(
            address,
            client_id=name,
            subscriptions=[(self._reply_topic, 1), *((topic, 1) for topic in documents)],
            on_message=self._receive,
        )
        self._connection.start_within(timeout_s)

    def infer(
        self,
        model: str,
        text: str | Sequence[str],
        *,
        truncate: bool = False,
        timeout_s: float = 10.0,
        tries: int = 3,
        group: str | None = None,
        request_id: str | None = None,
    ) -> Answer:
        """Ask for one text or several.

        Args:
            model: its name.
            text: one text gives its answer as the body, a list gives `{"results": [...]}`.
            truncate: cut a text that is too long instead of refusing it.
            timeout_s: for all tries together.
            tries: how often to send, with the same id.
            group: let the broker choose among the devices of this group.
            request_id: for `cancel`; by default a random one.

        Raises:
            RemoteError: the device refused; with its code, status and message.
            RequestTimeout: no answer in time.
            ModelNotFound: no device offers this model.
            UsageError: the model's, device's or group's name cannot be in a topic.
        """
        body = {"text": text if isinstance(text, str) else list(text), **({"truncate": True} if truncate else {})}
        return self.request(model, body, timeout_s=timeout_s, tries=tries, group=group, request_id=request_id)

    def request(
        self,
        model: str,
        body: Mapping[str, Any] | bytes,
        *,
        media_type: str = JSON,
        parameters: Mapping[str, str | int | float | bool] | None = None,
        timeout_s: float = 10.0,
        tries: int = 3,
        group: str | None = None,
        request_id: str | None = None,
    ) -> Answer:
        """Ask with a body of any form that the model takes.

        Args:
            model, timeout_s, tries, group, request_id: as for `infer`.
            body: a JSON object, as `{"question": "...", "context": "..."}`; or a picture or sound, whole.
            media_type: what bytes are, as `audio/wav`.
            parameters: of a picture or sound; an object has its own.

        Raises:
            RemoteError, RequestTimeout, ModelNotFound, UsageError: as for `infer`.
        """
        user = (("parameters", json.dumps(parameters)),) if parameters else ()
        started = time.perf_counter_ns()
        with self._asking(model, body, group, request_id, media_type=media_type, user=user) as asking:
            reply = asking.first_reply(timeout_s, tries)
            return read_answer(reply, asking.whom, (time.perf_counter_ns() - started) // 1000)

    def stream(
        self,
        model: str,
        body: Mapping[str, Any],
        *,
        timeout_s: float = 30.0,
        tries: int = 3,
        group: str | None = None,
        request_id: str | None = None,
    ) -> Iterator[Chunk]:
        """Ask for an answer in pieces; leaving the loop early calls the request off.

        Args:
            model, group, request_id: as for `infer`.
            body: of the request, as `{"text": "..."}`.
            timeout_s: for the first piece, all tries together; then for each next one.
            tries: how often to send until the first piece came; after it nothing is repeated.

        Raises:
            StreamGap: a piece is missing, or no more came.
            RemoteError, RequestTimeout, ModelNotFound, UsageError: as for `infer`.
        """
        order = StreamOrder()
        with self._asking(model, body, group, request_id, stream=True) as asking:
            reply, last = asking.first_reply(timeout_s, tries), False
            try:
                while not last:
                    chunk = order.take(reply, asking.whom)
                    if chunk is not None:
                        asking.answered_by(chunk.device)
                        last = chunk.last
                        yield chunk
                    if not last:
                        reply = _next(asking, order, timeout_s)
            except (GeneratorExit, StreamGap):
                if not last:
                    self._call_off(asking.question.id, asking.asked)
                raise

    def cancel(self, request_id: str, *, timeout_s: float = 2.0) -> bool:
        """Call a request of this client off: who waits for it gets `RemoteError` 409.

        Args:
            request_id: as it was given to `infer` or `stream`, which run in another thread.
            timeout_s: for the devices' answers.

        Returns:
            Whether a device still had it.
        """
        asking = self._under_way.get(request_id)
        device = asking.asked if asking else self._device
        devices = [device] if device else self._boards.online()
        box, cancelled = Mailbox(), False
        deadline = time.monotonic() + timeout_s
        try:
            for each in devices:
                self._call_off(request_id, each, self._post.new_try(box, ""))
            for _ in devices:
                reply = box.inbox.get(timeout=max(0.0, deadline - time.monotonic()))
                cancelled |= isinstance(reply, Message) and json_object(reply.payload).get("cancelled") is True
        except queue.Empty:  # a device that does not answer has it no more, or will not say so
            pass
        finally:
            self._post.close(box)
        return cancelled

    def models(self, wait_s: float = 1.0) -> list[FoundModel]:
        """Every model that devices have announced.

        Waits up to `wait_s` seconds for the first retained document, then until no more come.
        """
        return self._boards.wait_found(wait_s)

    def wait_online(self, device: str, timeout_s: float) -> bool:
        """Wait until the device says `online`; False if it did not in time."""
        return self._boards.wait_online(device, timeout_s)

    def close(self) -> None:
        """Disconnect."""
        self._connection.stop()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @contextlib.contextmanager
    def _asking(
        self,
        model: str,
        body: Mapping[str, Any] | bytes,
        group: str | None,
        request_id: str | None,
        *,
        stream: bool = False,
        media_type: str = JSON,
        user: tuple[tuple[str, str], ...] = (),
    ) -> Iterator[Asking]:
        device = "" if group else self._device
        for kind, word in (("model", model), ("device", device), ("group", group or "")):
            if (word or kind == "model") and not WORD.fullmatch(word):
                raise UsageError(f"{kind} {word[:80]!r} must be 1 to 64 of A-Z a-z 0-9 _ . -")
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        question = Question(
            model, payload, request_id or secrets.token_hex(8), device, group or "", stream, media_type, user
        )
        asking = Asking(question, self._connection, self._post, self._boards, self._root, self._reply_topic)
        self._under_way[question.id] = asking
        try:
            with asking:
                yield asking
        finally:
            self._under_way.pop(question.id, None)

    def _call_off(self, request_id: str, device: str, correlation: bytes | None = None) -> None:
        """Send `cancel`, without waiting for the answer."""
        self._connection.publish(
            Message(
                Topics(device, self._root).control("cancel"),
                json.dumps({"id": request_id}).encode(),
                qos=1,
                response_topic=self._reply_topic,
                correlation=correlation or secrets.token_bytes(8),
                content_type=JSON,
            )
        )

    def _receive(self, message: Message) -> None:
        if message.topic == self._reply_topic:
            self._post.deliver(message)
            return
        device = self._boards.take(message.topic, message.payload)
        if device:
            self._post.tell(device, "online" if message.payload == b"online" else "offline")


def _next(asking: Asking, order: StreamOrder, timeout_s: float) -> Message:
    try:
        return asking.next_reply(timeout_s)
    except RequestTimeout as error:
        raise StreamGap(order.expected, f"no more came: {error}") from error
