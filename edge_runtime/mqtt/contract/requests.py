"""A message that arrived on a request topic: what it asks for, or why it is not taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from edge_runtime.errors import BadRequest, EdgertError, ReplyTopicRefused
from edge_runtime.mqtt.contract.address import (
    MAX_CORRELATION_BYTES,
    Address,
    address_of_envelope,
    address_of_properties,
    checked_id,
)
from edge_runtime.mqtt.contract.bodies import Body, read_body
from edge_runtime.mqtt.contract.questions import Form, Parameter, read_parameters, read_question
from edge_runtime.mqtt.contract.tensors import Tensor
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics, Verb
from edge_runtime.takes import TEXTS_ONLY, Takes

Priority = Literal["low", "normal", "high"]
PRIORITIES: tuple[Priority, ...] = get_args(Priority)


@dataclass(frozen=True)
class Request:
    """One inference asked for.

    Attributes:
        deadline_s: the time left, in seconds, when the message arrived; None for ever.
        stream: the answer may come in pieces.
        wants_binary: tensors of the answer are to be bytes.
        pairs, labels: what stands beside the text, what to choose from; for models that take them.
        parameters: what else is said on how to answer.
        tensors: numbers instead of texts, for models that take them; then `texts` is empty.
        raw: a picture or sound instead of texts, as it came, and its `media_type`.
    """

    model: str
    texts: tuple[str, ...]
    form: Form
    truncate: bool
    address: Address
    id: str | None = None
    user: str = ""
    deadline_s: float | None = None
    size_bytes: int = 0
    priority: Priority = "normal"
    stream: bool = False
    wants_binary: bool = False
    pairs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    tensors: tuple[Tensor, ...] = ()
    raw: bytes | None = None
    media_type: str | None = None

    @property
    def question(self) -> tuple[object, ...]:
        """What a repeat has in common with the first: all that decides the answer's bytes. It can be hashed."""
        how = tuple(sorted(self.parameters.items())) if self.parameters else ()
        asked = self.texts, self.form, self.truncate, self.wants_binary, self.stream, how, self.pairs, self.labels
        return asked if self.texts else (*asked, self.tensors, self.raw, self.media_type)


@dataclass(frozen=True)
class Control:
    """What a device is asked besides inferences; `folder` is a bundle's, for `load`."""

    verb: Verb
    address: Address
    user: str = ""
    model: str | None = None
    folder: str | None = None
    id: str | None = None


class Refused(Exception):
    """A message that is not a request we take: the reason, and where to say so (None: nowhere)."""

    def __init__(self, error: EdgertError, address: Address | None) -> None:
        super().__init__(str(error))
        self.error, self.address = error, address


TakesOf = Callable[[str], Takes]  # by a model's name


def texts_only(model: str) -> Takes:
    """Every model takes texts and nothing else."""
    return TEXTS_ONLY


def parse(message: Message, topics: Topics, max_payload_bytes: int, takes: TakesOf = texts_only) -> Request | Control:
    """Read a message that arrived on a request topic.

    Args:
        takes: what the model of a name can be asked with.

    Raises:
        Refused: with the `EdgertError` and, whenever there is one, the address for the error reply.
    """
    verb = topics.verb_of(message.topic)
    if verb is None:
        return parse_request(message, topics, max_payload_bytes, takes)
    body, address, user = _read(message, topics, max_payload_bytes, topics.shared_reply_to(verb), TEXTS_ONLY)
    try:
        fields = body.fields
        return Control(
            verb,
            address,
            user=topics.user_of(address.topic),
            model=_text_or_none(fields, "model"),
            folder=_text_or_none(fields, "folder"),
            id=checked_id(user.get("id", fields.get("id"))),
        )
    except EdgertError as error:
        raise Refused(error, address) from error


def parse_request(message: Message, topics: Topics, max_payload_bytes: int, takes: TakesOf = texts_only) -> Request:
    """Read a request for an inference; raises as `parse` does."""
    try:
        model = topics.model_of(message.topic)
    except BadRequest as error:
        raise Refused(error, _any_address(message, topics, max_payload_bytes)) from error
    taken = takes(model)
    body, address, user = _read(message, topics, max_payload_bytes, topics.shared_reply(model), taken)
    try:
        return _request(model, body, message, address, topics, user, taken)
    except EdgertError as error:
        raise Refused(error, address) from error


def _read(
    message: Message, topics: Topics, max_payload_bytes: int, shared_reply: str, takes: Takes
) -> tuple[Body, Address, dict[str, str]]:
    """Read what every request has: its body, where the reply goes, its user properties."""
    if message.retain:  # a retained request would run again at each reconnect
        raise Refused(BadRequest("retained requests are never run: publish it without retain"), None)
    fallback = Address(shared_reply, message.qos, enveloped=True, server=topics.device)
    try:
        address = address_of_properties(message, topics) or fallback
    except ReplyTopicRefused as error:
        raise Refused(error, fallback) from error
    user = dict(message.user)
    try:
        body = read_body(message, user, max_payload_bytes, takes)
        if address.enveloped:
            address = address_of_envelope(body.fields, address, topics)
        elif body.cbor:
            address = dataclasses.replace(address, cbor=True)
    except EdgertError as error:
        raise Refused(error, address) from error
    return body, address, user


def _any_address(message: Message, topics: Topics, max_payload_bytes: int) -> Address | None:
    """Where to say what is wrong with a request whose topic names no shared reply topic."""
    if message.retain:
        return None
    nowhere = Address("", message.qos, enveloped=True, server=topics.device)
    try:
        address = address_of_properties(message, topics)
        if address is not None:
            return address
        fields = read_body(message, dict(message.user), max_payload_bytes).fields
        return address_of_envelope(fields, nowhere, topics, needed=True)
    except EdgertError:
        return None


def _request(
    model: str,
    body: Body,
    message: Message,
    address: Address,
    topics: Topics,
    user: Mapping[str, str],
    takes: Takes,
) -> Request:
    if message.correlation is not None and len(message.correlation) > MAX_CORRELATION_BYTES:
        raise BadRequest(f"correlation data is over {MAX_CORRELATION_BYTES} bytes")
    fields = body.fields
    question, parameters = read_question(body, takes), read_parameters(fields)
    deadlines = [_deadline_s(user.get("deadline-ms", fields.get("deadline_ms"))), message.expiry_s]
    return Request(
        model=model,
        texts=question.texts,
        form=question.form,
        truncate=_flag("truncate", parameters.get("truncate", fields.get("truncate", False))),
        address=address,
        id=checked_id(user.get("id", fields.get("id"))),
        user=topics.user_of(address.topic),
        deadline_s=min((d for d in deadlines if d is not None), default=None),
        size_bytes=len(message.payload),
        priority=_priority(user.get("priority", fields.get("priority", "normal"))),
        stream=_flag("stream", STREAM_WORDS.get(user["stream"]) if "stream" in user else fields.get("stream", False)),
        wants_binary=body.wants_binary and not address.enveloped,
        pairs=question.pairs,
        labels=question.labels,
        parameters=parameters,
        tensors=question.tensors,
        raw=message.payload if body.media_type else None,
        media_type=body.media_type,
    )


STREAM_WORDS = {"1": True, "0": False, "true": True, "false": False}


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise BadRequest(f"{name} must be true or false")
    return value


def _priority(value: object) -> Priority:
    for priority in PRIORITIES:
        if value == priority:
            return priority
    raise BadRequest(f"priority is {repr(value)[:40]}, expected one of {', '.join(PRIORITIES)}")


def _text_or_none(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    if not isinstance(value, str | None):
        raise BadRequest(f"{name} must be a text")
    return value


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
