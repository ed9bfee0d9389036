"""What the body of a request asks: texts, a text with others beside it, labels to choose from, tensors, a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edge_runtime.errors import BadRequest, BadTensor
from edge_runtime.mqtt.contract.bodies import Body
from edge_runtime.mqtt.contract.tensors import Tensor, is_text, read_named_texts, read_tensors, read_texts, read_values
from edge_runtime.takes import INPUTS, Takes, Words

Form = Literal["text", "texts", "tensors", "media"]
Parameter = str | int | float | bool

MAX_PARAMETERS, MAX_PARAMETER_CHARS = 16, 256
_PAIRED = ("question", "query", "labels")
_SHOWN: dict[Words, str] = {
    "text": '{"text": "..."}, {"text": ["...", "..."]} or Open Inference Protocol inputs',
    "question": '{"question": "...", "context": "..."}',
    "query": '{"query": "...", "documents": ["...", "..."]}',
    "labels": '{"text": "...", "labels": ["...", "..."]}',
}


@dataclass(frozen=True)
class Question:
    """What is asked. `form` says in which form the answer goes back."""

    form: Form
    texts: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    tensors: tuple[Tensor, ...] = ()


def read_question(body: Body, takes: Takes) -> Question:
    """Read what a body asks of a model that takes this. BadRequest, BadTensor: it asks for nothing of the kind."""
    fields = body.fields
    if body.media_type:
        return Question("media")
    if "inputs" in fields:
        return _of_tensors(fields["inputs"], body, takes)
    if takes.tensors and isinstance(values := fields.get("values"), list):
        return Question("text", tensors=(read_values(values),))
    if takes.words in _PAIRED:
        return _of_pair(fields, takes.words)
    text = fields.get("text")
    if takes.words == "text" and isinstance(text, str):
        return Question("text", (text,))
    if takes.words == "text" and isinstance(text, list) and all(isinstance(item, str) for item in text):
        return Question("texts", tuple(text))
    found = "this model reads no texts" if takes.words == "none" else _found(fields, "text")
    raise BadRequest(f"{found}: send {shown(takes)}")


def shown(takes: Takes) -> str:
    """What to send, for people."""
    ways = [_SHOWN[takes.words]] if takes.words != "none" else []
    if takes.tensors:
        ways.append('Open Inference Protocol inputs, or {"values": [...]} for a model with one input')
    return " or ".join([*ways, *(f"{media} as the payload, with its content type" for media in sorted(takes.media))])


def read_parameters(fields: Mapping[str, object]) -> dict[str, Parameter]:
    """Read `parameters`: what is said on how to answer. BadRequest: not a small object of plain values."""
    parameters = fields.get("parameters", {})
    if not isinstance(parameters, dict):
        raise BadRequest("parameters must be an object")
    if len(parameters) > MAX_PARAMETERS:
        raise BadRequest(f"there are {len(parameters)} parameters, at most {MAX_PARAMETERS} are read")
    for name, value in parameters.items():
        plain = isinstance(value, str | int | float | bool)
        if not plain or len(str(value)) > MAX_PARAMETER_CHARS or len(name) > MAX_PARAMETER_CHARS:
            raise BadRequest(f"parameter {str(name)[:40]!r} must be a number, true, false or a short text")
    return parameters


def _of_tensors(inputs: object, body: Body, takes: Takes) -> Question:
    if takes.tensors and not is_text(inputs):
        return Question("tensors", tensors=read_tensors(inputs, body.binary))
    if takes.words in _PAIRED:
        texts = read_named_texts(inputs, body.binary, INPUTS[takes.words])
        return _paired(takes.words, texts[0], texts[1], "tensors")
    if takes.words == "none":
        raise BadTensor(f"this model reads no texts: send {shown(takes)}")
    return Question("tensors", read_texts(inputs, body.binary))


def _of_pair(fields: Mapping[str, object], words: Words) -> Question:
    name, other = INPUTS[words]
    first, second = fields.get(name), fields.get(other)
    second = [second] if words == "question" and isinstance(second, str) else second
    if not isinstance(first, str) or not isinstance(second, list) or not all(isinstance(one, str) for one in second):
        raise BadRequest(f"{_found(fields, name)}, {_found(fields, other)}: send {_SHOWN[words]}")
    return _paired(words, (first,), tuple(second), "text")


def _paired(words: Words, first: tuple[str, ...], second: tuple[str, ...], form: Form) -> Question:
    if len(first) != 1 or not second or (words == "question" and len(second) != 1):
        raise BadRequest(f"{len(first)} and {len(second)} texts: send {_SHOWN[words]}")
    if words == "labels":
        return Question(form, first, labels=second)
    return Question(form, first, pairs=second)


def _found(fields: Mapping[str, object], name: str) -> str:
    return f"{name} is a {type(fields[name]).__name__}" if name in fields else f"there is no {name}"
