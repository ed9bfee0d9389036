"""Payloads by content type: JSON, CBOR, the Open Inference Protocol's binary tensor extension, pictures and sound.

Source of the extension: "Binary tensor data" in the Open Inference Protocol of KServe, a JSON header followed by the
tensors' bytes, little-endian and row by row; an element of BYTES has its length in four bytes in front. What is an
HTTP header there, Inference-Header-Content-Length, is the user property `inference-header-content-length` here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edge_runtime.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType
from edge_runtime.mqtt.contract.cbor import read_cbor, write_cbor
from edge_runtime.mqtt.contract.tensors import BINARY_SIZE, split_binary
from edge_runtime.mqtt.message import Message
from edge_runtime.takes import TEXTS_ONLY, Takes

JSON = "application/json"
BINARY = "application/octet-stream"
CBOR = "application/cbor"
CONTENT_TYPES = (JSON, CBOR, BINARY)  # what every model takes
HEADER_LENGTH = "inference-header-content-length"
WANTS_BINARY = "binary_data_output"

# A megabyte of `[],[],[],` takes the reader of JSON half a second, in which nobody else is heard.
MAX_JSON_ITEMS = 200_000


class Body(NamedTuple):
    """A payload: its object; by tensor what came as bytes; or, without an object, one picture or sound."""

    fields: dict[str, object]
    binary: Mapping[str, memoryview] = {}
    cbor: bool = False
    media_type: str | None = None

    @property
    def wants_binary(self) -> bool:
        """Whether outputs are asked for as bytes, as CBOR always has them."""
        parameters = self.fields.get("parameters")
        return self.cbor or (isinstance(parameters, dict) and parameters.get(WANTS_BINARY) is True)


def read_body(message: Message, user: Mapping[str, str], max_payload_bytes: int, takes: Takes = TEXTS_ONLY) -> Body:
    """Read a payload.

    Raises:
        PayloadTooLarge, UnsupportedMediaType, BadRequest, BadTensor: it is not what its content type says.
    """
    if len(message.payload) > max_payload_bytes:
        raise PayloadTooLarge(len(message.payload), max_payload_bytes)
    if message.content_type is None or message.content_type == JSON:
        return Body(read_json(message.payload))
    kind = message.content_type.split(";")[0].strip().lower()
    if kind == JSON:
        return Body(read_json(message.payload))
    if kind == CBOR:
        return Body(_object(read_cbor(message.payload), "CBOR"), cbor=True)
    if kind == BINARY:
        return _read_binary(message.payload, user)
    if kind in takes.media:
        return Body(_media_fields(user), media_type=kind)
    expected = " or ".join((*CONTENT_TYPES, *sorted(takes.media)))
    raise UnsupportedMediaType(f"content type {kind[:80]!r} is not read here: send {expected}")


def _media_fields(user: Mapping[str, str]) -> dict[str, object]:
    """What else a request with a picture or sound says, in user properties: its parameters."""
    told = user.get("parameters")
    if told is None:
        return {}
    try:
        return {"parameters": read_json(told.encode(errors="surrogatepass"))}
    except BadRequest as error:
        raise BadRequest(f"user property parameters is not a JSON object: {told[:80]!r}") from error


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
    return _object(body, "JSON")


def _object(body: object, kind: str) -> dict[str, object]:
    if not isinstance(body, dict):
        raise BadRequest(f'payload is a {kind} {type(body).__name__}, not an object: send {{"text": "..."}}')
    return body


def _read_binary(payload: bytes, user: Mapping[str, str]) -> Body:
    told = user.get(HEADER_LENGTH, "")
    length = int(told) if told.isascii() and told.isdecimal() and len(told) < 10 else -1
    if not 0 < length <= len(payload):
        raise BadRequest(f"user property {HEADER_LENGTH} is {told[:20]!r}, expected the JSON's length in bytes")
    fields = read_json(payload[:length])
    return Body(fields, split_binary(fields, memoryview(payload)[length:]))


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


def cbor_body(body: bytes, header_bytes: int = 0) -> bytes:
    """An answer of `json_body` or `binary_body` as CBOR; what follows a header becomes the outputs' `data`."""
    if not header_bytes:
        return write_cbor(_DECODER.decode(body.decode()))
    fields, rest = _DECODER.decode(body[:header_bytes].decode()), memoryview(body)[header_bytes:]
    for output in fields["outputs"]:
        size = output.pop("parameters")[BINARY_SIZE]
        output["data"], rest = rest[:size], rest[size:]
    return write_cbor(fields)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


# Made once: json.loads and json.dumps make a new one at each call that has options.
_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
