"""Requests and replies <-> MQTT messages: reader and writer of the contract in docs/mqtt.md. No I/O, no clock."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edge_runtime.errors import (
    BadRequest,
    Busy,
    EdgertError,
    PayloadTooLarge,
    ReplyTopicRefused,
    UnsupportedMediaType,
)
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics

JSON = "application/json"
MAX_CORRELATION_BYTES = 64
MAX_ID_CHARS = 64

Form = Literal["text", "texts", "tensors"]


@dataclass(frozen=True)
class Address:
    """Where and how a reply goes. `enveloped`: for clients without MQTT 5 properties, all is in the JSON."""

    topic: str
    qos: int
    enveloped: bool
    correlation: bytes | None = None
    id: str | None = None
    transaction: object = None


@dataclass(frozen=True)
class Request:
    """One inference asked for. `deadline_s` is the time left, in seconds, when the message arrived."""

    model: str
    texts: tuple[str, ...]
    form: Form
    truncate: bool
    address: Address
    id: str | None = None
    user: str = ""
    deadline_s: float | None = None
    size_bytes: int = 0


class Refused(Exception):
    """A message that is not a request we take: the reason, and where to say so (None: nowhere)."""

    def __init__(self, error: EdgertError, address: Address | None) -> None:
        super().__init__(str(error))
        self.error, self.address = error, address


def parse_request(message: Message, topics: Topics, max_payload_bytes: int) -> Request:
    """Read a message that arrived on a request topic.

    Raises:
        Refused: with the `EdgertError` and, whenever there is one, the address for the error reply.
    """
    if message.retain:  # a retained request would run again at each reconnect
        raise Refused(BadRequest("retained requests are never run: publish it without retain"), None)
    try:
        model = topics.model_of(message.topic)
    except BadRequest as error:
        raise Refused(error, _any_address(message, topics, max_payload_bytes)) from error
    fallback = Address(topics.shared_reply(model), message.qos, enveloped=True)
    try:
        address = _property_address(message, topics) or fallback
    except ReplyTopicRefused as error:
        raise Refused(error, fallback) from error
    try:
        body = _read_body(message, max_payload_bytes)
        if address.enveloped:
            address = _envelope_address(body, address, topics)
        return _request(model, body, message, address, topics)
    except EdgertError as error:
        raise Refused(error, address) from error


def encode_answer(address: Address, body: bytes, timing: Mapping[str, int]) -> Message:
    """A 200 reply.

    Args:
        body: the answer as JSON text, from `answer_body` or `tensor_body`; a repeat sends the same bytes again.
        timing: `queue-us`, `infer-us`: microseconds, sent as user properties (or in the envelope).
    """
    if not address.enveloped:
        return _message(address, 200, body, timing)
    head = _json({**_envelope(address), "status": "ok", "code": 200, **_underscored(timing)})
    return _message(address, 200, head[:-1] + b',"data":' + body + b"}", timing)


def encode_error(address: Address, error: EdgertError, timing: Mapping[str, int] | None = None) -> Message:
    """The error reply: `{"error": {"code": 429, "reason": "busy", "message": ..., "retry_after_ms": ...}}`."""
    detail: dict[str, object] = {"code": error.status, "reason": error.code, "message": str(error)}
    if isinstance(error, Busy):
        detail["retry_after_ms"] = error.retry_after_ms
    body: dict[str, object] = {"error": detail}
    if address.enveloped:
        body = {**_envelope(address), "status": "error", "code": error.status, **body}
    return _message(address, error.status, _json(body), timing or {})


def answer_body(
    request: Request, version: str, rows: Sequence[Mapping[str, object]], truncated: Sequence[bool]
) -> bytes:
    """Body for the shorthand forms: one text gives its answer flat, a list gives `{"results": [...]}`."""
    marked = [{**row, "truncated": True} if cut else dict(row) for row, cut in zip(rows, truncated, strict=True)]
    head = {"model": request.model, "version": version}
    return _json({**head, **marked[0]} if request.form == "text" else {**head, "results": marked})


def tensor_body(request: Request, version: str, outputs: Sequence[Mapping[str, object]]) -> bytes:
    """Body for the Open Inference Protocol form."""
    head: dict[str, object] = {"model_name": request.model, "model_version": version}
    if request.id is not None:
        head["id"] = request.id
    return _json({**head, "outputs": list(outputs)})


# --- reading ---------------------------------------------------------------------------------------------------------


def _property_address(message: Message, topics: Topics) -> Address | None:
    topic, correlation = message.response_topic, message.correlation
    if topic is None:
        return None
    topics.checked_reply_topic(topic)
    if correlation is not None and len(correlation) > MAX_CORRELATION_BYTES:
        correlation = None  # _request refuses it; an error reply must not echo it
    return Address(topic, message.qos, enveloped=False, correlation=correlation)


def _any_address(message: Message, topics: Topics, max_payload_bytes: int) -> Address | None:
    """Where to say what is wrong with a request whose topic names no shared reply topic."""
    nowhere = Address("", message.qos, enveloped=True)
    try:
        address = _property_address(message, topics)
        return address or _envelope_address(_read_body(message, max_payload_bytes), nowhere, topics, needed=True)
    except EdgertError:
        return None


def _envelope_address(
    body: Mapping[str, object], fallback: Address, topics: Topics, *, needed: bool = False
) -> Address:
    reply_to = body.get("reply_to")
    if (needed or reply_to is not None) and not isinstance(reply_to, str):
        raise ReplyTopicRefused("reply_to must be a text")
    topic = fallback.topic if reply_to is None else topics.checked_reply_topic(reply_to)
    transaction = body.get("transaction")
    if not isinstance(transaction, str | int | None) or not _is_short_text(str(transaction)):
        raise BadRequest(f"transaction must be a number or a printable text of up to {MAX_ID_CHARS} characters")
    return Address(topic, fallback.qos, enveloped=True, id=_checked_id(body.get("id")), transaction=transaction)


def _read_body(message: Message, max_payload_bytes: int) -> dict[str, object]:
    if len(message.payload) > max_payload_bytes:
        raise PayloadTooLarge(len(message.payload), max_payload_bytes)
    kind = (message.content_type or JSON).split(";")[0].strip().lower()
    if kind != JSON:
        raise UnsupportedMediaType(f"content type {kind[:80]!r} is not read here: send {JSON}")
    try:
        body = _DECODER.decode(message.payload.decode())
    except (ValueError, RecursionError) as error:
        raise BadRequest(f'payload is not JSON ({str(error)[:80]}): send {{"text": "..."}}') from error
    if not isinstance(body, dict):
        raise BadRequest(f'payload is a JSON {type(body).__name__}, not an object: send {{"text": "..."}}')
    return body


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


# Made once: json.loads and json.dumps make a new one at each call that has options.
_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _request(model: str, body: Mapping[str, object], message: Message, address: Address, topics: Topics) -> Request:
    if message.correlation is not None and len(message.correlation) > MAX_CORRELATION_BYTES:
        raise BadRequest(f"correlation data is over {MAX_CORRELATION_BYTES} bytes")
    user = dict(message.user)
    texts, form = _texts(body)
    parameters = body.get("parameters", {})
    if not isinstance(parameters, dict):
        raise BadRequest("parameters must be an object")
    truncate = parameters.get("truncate", body.get("truncate", False))
    if not isinstance(truncate, bool):
        raise BadRequest("truncate must be true or false")
    deadlines = [_deadline_s(user.get("deadline-ms", body.get("deadline_ms"))), message.expiry_s]
    return Request(
        model=model,
        texts=texts,
        form=form,
        truncate=truncate,
        address=address,
        id=_checked_id(user.get("id", body.get("id"))),
        user=topics.user_of(address.topic),
        deadline_s=min((d for d in deadlines if d is not None), default=None),
        size_bytes=len(message.payload),
    )


def _texts(body: Mapping[str, object]) -> tuple[tuple[str, ...], Form]:
    if "inputs" in body:
        return _tensor_texts(body["inputs"]), "tensors"
    text = body.get("text")
    if isinstance(text, str):
        return (text,), "text"
    if isinstance(text, list) and all(isinstance(item, str) for item in text):
        return tuple(text), "texts"
    found = f"text is a {type(text).__name__}" if "text" in body else "there is neither text nor inputs"
    raise BadRequest(f'{found}: send {{"text": "..."}}, {{"text": ["...", "..."]}} or Open Inference Protocol inputs')


def _tensor_texts(inputs: object) -> tuple[str, ...]:
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise BadRequest("inputs must be a list of one tensor for a text model")
    tensor = inputs[0]
    shape, data = tensor.get("shape"), tensor.get("data")
    if tensor.get("datatype") != "BYTES":
        raise BadRequest(f"datatype is {repr(tensor.get('datatype'))[:40]}, a text model takes BYTES")
    if not isinstance(data, list) or not all(isinstance(item, str) for item in data):
        raise BadRequest("data must be a flat list of texts")
    if not isinstance(shape, list) or shape not in ([len(data)], [len(data), 1]):
        raise BadRequest(f"shape is {repr(shape)[:80]}, but data holds {len(data)} texts: expected [{len(data)}]")
    return tuple(data)


def _checked_id(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value or not _is_short_text(value):
        raise BadRequest(f"id must be a printable text of 1 to {MAX_ID_CHARS} characters")
    return value


def _is_short_text(value: str) -> bool:
    return len(value) <= MAX_ID_CHARS and value.isprintable()  # a lone surrogate could not be sent back


def _deadline_s(value: object) -> float | None:
    if value is None:
        return None
    try:
        budget_ms = float(value) if isinstance(value, str | int | float) else -1.0
    except (ValueError, OverflowError):
        budget_ms = -1.0
    if not 0 <= budget_ms < 1e10:
        raise BadRequest(f"deadline {str(value)[:40]!r} is not a number of milliseconds")
    return budget_ms / 1000


# --- writing ---------------------------------------------------------------------------------------------------------


def _json(body: Mapping[str, object]) -> bytes:
    return _ENCODER.encode(body).encode()


def _message(address: Address, status: int, payload: bytes, timing: Mapping[str, int]) -> Message:
    if address.enveloped:
        return Message(address.topic, payload, qos=address.qos)
    user = (("status", str(status)), *((name, str(value)) for name, value in timing.items()))
    return Message(
        address.topic, payload, qos=address.qos, correlation=address.correlation, content_type=JSON, user=user
    )


def _envelope(address: Address) -> dict[str, object]:
    known = {"id": address.id, "transaction": address.transaction}
    return {name: value for name, value in known.items() if value is not None}


def _underscored(timing: Mapping[str, int]) -> dict[str, int]:
    return {name.replace("-", "_"): value for name, value in timing.items()}
