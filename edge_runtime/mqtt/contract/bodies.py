"""Payloads by content type: JSON, and the Open Inference Protocol with its binary tensor extension.

Source of the extension: "Binary tensor data" in the Open Inference Protocol of KServe, a JSON header followed by the
tensors' bytes, little-endian and row by row; an element of BYTES has its length in four bytes in front. What is an
HTTP header there, Inference-Header-Content-Length, is the user property `inference-header-content-length` here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edge_runtime.errors import BadRequest, BadTensor, PayloadTooLarge, UnsupportedMediaType
from edge_runtime.mqtt.message import Message

JSON = "application/json"
BINARY = "application/octet-stream"
CONTENT_TYPES = (JSON, BINARY)
HEADER_LENGTH = "inference-header-content-length"
BINARY_SIZE, WANTS_BINARY = "binary_data_size", "binary_data_output"

# A megabyte of `[],[],[],` takes the reader of JSON half a second, in which nobody else is heard.
MAX_JSON_ITEMS = 200_000
_LENGTH_BYTES = 4


class Body(NamedTuple):
    """A payload: its JSON object, and for tensors by name what the binary part held of them."""

    fields: dict[str, object]
    binary: Mapping[str, Sequence[str]] = {}

    @property
    def wants_binary(self) -> bool:
        """Whether outputs are asked for as bytes."""
        parameters = self.fields.get("parameters")
        return isinstance(parameters, dict) and parameters.get(WANTS_BINARY) is True


def read_body(message: Message, user: Mapping[str, str], max_payload_bytes: int) -> Body:
    """Read a payload.

    Raises:
        PayloadTooLarge, UnsupportedMediaType, BadRequest, BadTensor: it is not what its content type says.
    """
    if len(message.payload) > max_payload_bytes:
        raise PayloadTooLarge(len(message.payload), max_payload_bytes)
    kind = message.content_type
    if kind is not None and kind != JSON:
        kind = kind.split(";")[0].strip().lower()
        if kind == BINARY:
            return _read_binary(message.payload, user)
        if kind != JSON:
            raise UnsupportedMediaType(
                f"content type {kind[:80]!r} is not read here: send {' or '.join(CONTENT_TYPES)}"
            )
    return Body(read_json(message.payload))


def read_json(payload: bytes) -> dict[str, object]:
    """Read a JSON object. BadRequest: it is none, or has too many parts."""
    if len(payload) > MAX_JSON_ITEMS:  # a shorter one cannot have as many
        items = sum(map(payload.count, (b",", b"[", b"{")))
        if items > MAX_JSON_ITEMS:
            raise BadRequest(f"payload has {items} parts, at most {MAX_JSON_ITEMS} are read: send tensors as {BINARY}")
    try:
        body = _DECODER.decode(payload.decode())
    except (ValueError, RecursionError) as error:
        raise BadRequest(f'payload is not JSON ({str(error)[:80]}): send {{"text": "..."}}') from error
    if not isinstance(body, dict):
        raise BadRequest(f'payload is a JSON {type(body).__name__}, not an object: send {{"text": "..."}}')
    return body


def _read_binary(payload: bytes, user: Mapping[str, str]) -> Body:
    told = user.get(HEADER_LENGTH, "")
    length = int(told) if told.isascii() and told.isdecimal() and len(told) < 10 else -1
    if not 0 < length <= len(payload):
        raise BadRequest(f"user property {HEADER_LENGTH} is {told[:20]!r}, expected the JSON's length in bytes")
    fields, rest = read_json(payload[:length]), memoryview(payload)[length:]
    binary: dict[str, Sequence[str]] = {}
    inputs = fields.get("inputs")
    for tensor in inputs if isinstance(inputs, list) else []:
        parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
        size = parameters.get(BINARY_SIZE) if isinstance(parameters, dict) else None
        if size is None:
            continue
        name = tensor.get("name")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(rest):
            raise BadTensor(f"{BINARY_SIZE} is {repr(size)[:20]}, but {len(rest)} bytes are left")
        if not isinstance(name, str) or name in binary:
            raise BadTensor("a tensor with binary data needs a name of its own")
        if tensor.get("datatype") != "BYTES":
            raise BadTensor(f"datatype is {repr(tensor.get('datatype'))[:40]}, a text model takes BYTES")
        binary[name], rest = _texts_of(rest[:size]), rest[size:]
    if rest:
        raise BadTensor(f"{len(rest)} bytes follow the last tensor")
    return Body(fields, binary)


def _texts_of(data: memoryview) -> list[str]:
    texts, at = [], 0
    while at < len(data):
        begin = at + _LENGTH_BYTES
        end = begin + int.from_bytes(data[at:begin], "little")
        if begin > len(data) or end > len(data):
            raise BadTensor(f"an element of BYTES at byte {at} claims more than the {len(data)} bytes there are")
        try:
            texts.append(str(data[begin:end], "utf-8"))
        except UnicodeDecodeError as error:
            raise BadTensor(f"an element of BYTES at byte {at} is not UTF-8") from error
        at = end
    return texts


def json_body(body: Mapping[str, object]) -> bytes:
    """A JSON object as bytes."""
    return _ENCODER.encode(body).encode()


def binary_body(head: Mapping[str, object], outputs: Sequence[tuple[Mapping[str, object], bytes]]) -> tuple[bytes, int]:
    """Tensors as the binary extension: the bytes, and the length of the JSON in front.

    Args:
        head: what stands beside the outputs.
        outputs: for each its fields without `data`, and its data.
    """
    described = [{**fields, "parameters": {BINARY_SIZE: len(data)}} for fields, data in outputs]
    header = json_body({**head, "outputs": described})
    return b"".join([header, *(data for _, data in outputs)]), len(header)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


# Made once: json.loads and json.dumps make a new one at each call that has options.
_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
