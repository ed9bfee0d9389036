"""Requests and replies <-> MQTT messages: reader and writer of the contract in docs/mqtt.md. No I/O, no clock.

| file | what |
|---|---|
| `requests.py` | a message that arrived -> `Request` or `Control`, or why not |
| `questions.py` | what a body asks: texts, pairs, labels, tensors, a picture |
| `address.py` | where and how a reply goes |
| `bodies.py` | payloads by content type, with limits before anything is allocated |
| `tensors.py` | Open Inference Protocol tensors, in text or bytes |
| `cbor.py` | strict CBOR |
| `replies.py` | answers, errors and pieces of a stream -> messages |
"""

from edge_runtime.mqtt.contract.address import Address
from edge_runtime.mqtt.contract.bodies import (
    BINARY,
    CBOR,
    CONTENT_TYPES,
    JSON,
    Body,
    binary_body,
    json_body,
)
from edge_runtime.mqtt.contract.replies import (
    answer_body,
    encode_answer,
    encode_chunk,
    encode_error,
    tensor_body,
    tensor_head,
)
from edge_runtime.mqtt.contract.requests import Control, Refused, Request, parse, parse_request
from edge_runtime.mqtt.contract.tensors import Tensor

__all__ = [
    "BINARY",
    "CBOR",
    "CONTENT_TYPES",
    "JSON",
    "Address",
    "Body",
    "Control",
    "Refused",
    "Request",
    "Tensor",
    "answer_body",
    "binary_body",
    "encode_answer",
    "encode_chunk",
    "encode_error",
    "json_body",
    "parse",
    "parse_request",
    "tensor_body",
    "tensor_head",
]
