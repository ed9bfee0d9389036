"""Ask a device for an inference from Python: `Client(url).infer(model, text)`.

Retries carry the same request id, so the device answers a repeat from memory instead of running it twice.
"""

from __future__ import annotations

import json
import queue
import random
import re
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from edge_runtime.errors import BrokerUnreachable, ModelNotFound, RemoteError, RequestTimeout, UsageError
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.contract import JSON
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import ROOT, WORD, Topics

_BUSY = (429, 503)
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
_MAX_PAUSE_MS = 1e9
_QUIET_S = 0.1  # a broker sends retained messages in one go; after such a pause no more come


@dataclass(frozen=True)
class Answer:
    """A device's answer: its body, and durations in microseconds (`round_trip_us` is measured here)."""

    body: dict[str, Any]
    device: str
    queue_us: int
    infer_us: int
    round_trip_us: int


@dataclass(frozen=True)
class FoundModel:
    """A model that some device offers, with its retained description."""

    device: str
    name: str
    document: dict[str, Any]
    online: bool


class Client:
    """A connection to the broker that devices answer on; use it as a context manager, from any thread.

    Args:
        broker: URL (`mqtt://user:password@host`) or address.
        device: whom to ask; by default whichever online device offers the model.
        root: first levels of all topics, as in the devices' config.
        timeout_s: for connecting.

    Raises:
        BrokerUnreachable: no connection in time; says why.
    """

    def __init__(
        self, broker: str | BrokerAddress, *, device: str | None = None, root: str = ROOT, timeout_s: float = 5.0
    ) -> None:
        address = BrokerAddress.parse(broker) if isinstance(broker, str) else broker
        self._device, self._root = device, root
        self._waiting: dict[bytes, queue.SimpleQueue[Message]] = {}
        self._documents: dict[str, bytes] = {}
        self._documents_changed = threading.Condition()
        name = f"client-{secrets.token_hex(6)}"
        everything = Topics("+", root)
        self._reply_topic = everything.reply(address.username or "anonymous", name)
        self._connection = Connection(
            address,
            client_id=name,
            subscriptions=[(self._reply_topic, 1), (everything.model("+"), 1), (everything.status, 1)],
            on_message=self._receive,
        )
        self._connection.start()
        if not self._connection.wait_ready(timeout_s):
            reason = self._connection.last_error or "no answer"
            self._connection.stop()
            raise BrokerUnreachable(f"no connection to {address.display()} in {timeout_s:g} s: {reason}")

    def infer(
        self, model: str, text: str | Sequence[str], *, truncate: bool = False, timeout_s: float = 10.0, tries: int = 3
    ) -> Answer:
        """Ask for one text or several.

        Args:
            model: its name.
            text: one text gives its answer as the body, a list gives `{"results": [...]}`.
            truncate: cut a text that is too long instead of refusing it.
            timeout_s: for all tries together.
            tries: how often to send, with the same id.

        Raises:
            RemoteError: the device refused; with its code, status and message.
            RequestTimeout: no answer in time.
            ModelNotFound: no device offers this model.
            UsageError: the model's or device's name cannot be in a topic.
        """
        deadline = time.monotonic() + timeout_s
        for kind, word in (("model", model), ("device", self._device)):
            if word is not None and not WORD.fullmatch(word):
                raise UsageError(f"{kind} {word[:80]!r} must be 1 to 64 of A-Z a-z 0-9 _ . -")
        device = self._device or self._device_for(model, min(1.0, timeout_s))
        body = {"text": text if isinstance(text, str) else list(text), **({"truncate": True} if truncate else {})}
        request_id = secrets.token_hex(8)
        error: Exception | None = None
        for attempt in range(tries):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                break
            try:
                return self._attempt(device, model, body, request_id, left_s / (tries - attempt))
            except RequestTimeout as timeout:
                error = timeout
            except RemoteError as refusal:
                if refusal.status not in _BUSY:
                    raise
                error = refusal
                pause_s = (refusal.retry_after_ms or 100) / 1000 * random.uniform(1.0, 1.5)
                time.sleep(max(0.0, min(pause_s, deadline - time.monotonic())))
        if isinstance(error, RemoteError):
            raise error
        state = "online" if self._is_online(device) else "offline"
        raise RequestTimeout(f"no answer from device {device!r} ({state}) in {timeout_s:g} s, asked {tries} times")

    def models(self, wait_s: float = 1.0) -> list[FoundModel]:
        """Every model that devices have announced.

        Waits up to `wait_s` seconds for the first retained document, then until no more come.
        """
        deadline = time.monotonic() + wait_s
        with self._documents_changed:
            self._documents_changed.wait_for(lambda: bool(self._documents), wait_s)
            while time.monotonic() < deadline and self._documents_changed.wait(_QUIET_S):
                pass
            return self._found()

    def wait_online(self, device: str, timeout_s: float) -> bool:
        """Wait until the device says `online`; False if it did not in time."""
        with self._documents_changed:
            return self._documents_changed.wait_for(lambda: self._is_online(device), timeout_s)

    def close(self) -> None:
        """Disconnect."""
        self._connection.stop()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _attempt(self, device: str, model: str, body: dict[str, Any], request_id: str, wait_s: float) -> Answer:
        correlation = secrets.token_bytes(8)
        inbox = self._waiting[correlation] = queue.SimpleQueue()
        started = time.perf_counter_ns()
        try:
            self._connection.publish(
                Message(
                    Topics(device, self._root).infer(model),
                    json.dumps(body).encode(),
                    qos=1,
                    response_topic=self._reply_topic,
                    correlation=correlation,
                    content_type=JSON,
                    user=(("id", request_id), ("deadline-ms", str(round(wait_s * 1000)))),
                )
            )
            reply = inbox.get(timeout=wait_s)
        except queue.Empty:
            raise RequestTimeout(f"no answer in {wait_s:.1f} s") from None
        finally:
            del self._waiting[correlation]
        return _answer(reply, device, (time.perf_counter_ns() - started) // 1000)

    def _receive(self, message: Message) -> None:
        if message.topic != self._reply_topic:
            with self._documents_changed:
                self._documents[message.topic] = message.payload
                self._documents_changed.notify_all()
        elif message.correlation is not None:
            inbox = self._waiting.get(message.correlation)  # gone if the attempt has given up meanwhile
            if inbox is not None:
                inbox.put(message)

    def _device_for(self, model: str, wait_s: float) -> str:
        def offering() -> list[str]:
            return [found.device for found in self._found() if found.name == model and found.online]

        with self._documents_changed:
            self._documents_changed.wait_for(lambda: bool(offering()), wait_s)
            devices = offering()
            if devices:
                return devices[0]
            raise ModelNotFound(model, sorted({found.name for found in self._found() if found.online}))

    def _is_online(self, device: str) -> bool:
        return self._documents.get(Topics(device, self._root).status) == b"online"

    def _found(self) -> list[FoundModel]:
        found = []
        for topic, payload in self._documents.items():
            device, _, rest = topic.removeprefix(f"{self._root}/d/").partition("/")
            kind, _, name = rest.partition("/")
            if kind == "model" and payload and WORD.fullmatch(device) and WORD.fullmatch(name):
                document = _json_object(payload)
                found.append(FoundModel(device, name, document, self._is_online(device)))
        return sorted(found, key=lambda item: (item.device, item.name))


def _answer(reply: Message, device: str, round_trip_us: int) -> Answer:
    body, properties = _json_object(reply.payload), dict(reply.user)
    numbers = [properties.get(name, "0") for name in ("status", "queue-us", "infer-us")]
    readable = all(_NUMBER.fullmatch(number) for number in numbers)
    status, queue_us, infer_us = map(int, numbers) if readable else (0, 0, 0)
    error = body.get("error")
    if isinstance(error, dict) and status:
        pause_ms = error.get("retry_after_ms")
        pause_ms = pause_ms if isinstance(pause_ms, int) and 0 <= pause_ms < _MAX_PAUSE_MS else None
        raise RemoteError(status, str(error.get("reason")), str(error.get("message")), pause_ms)
    if status != 200 or not body:
        raise RemoteError(502, "bad_reply", f"device {device!r} sent a reply that is not as agreed in docs/mqtt.md")
    return Answer(body, device, queue_us, infer_us, round_trip_us)


def _json_object(payload: bytes) -> dict[str, Any]:
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError):
        data = None
    return data if isinstance(data, dict) else {}
