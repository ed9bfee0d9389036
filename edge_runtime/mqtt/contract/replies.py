"""Answers, errors and pieces of a stream as messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_runtime.errors import Busy, EdgertError
from edge_runtime.mqtt.contract.address import Address
from edge_runtime.mqtt.contract.bodies import BINARY, CBOR, HEADER_LENGTH, JSON, cbor_body, json_body
from edge_runtime.mqtt.contract.requests import Request
from edge_runtime.mqtt.message import Message

_NO_TIMING: Mapping[str, int] = {}


def encode_answer(address: Address, body: bytes, timing: Mapping[str, int], header_bytes: int = 0) -> Message:
    """A 200 reply.

    Args:
        body: the answer as JSON text, from `answer_body` or `tensor_body`; a repeat sends the same bytes again. Who
            asked in CBOR gets it so.
        timing: `queue-us`, `infer-us`: microseconds, sent as user properties (or in the envelope).
        header_bytes: of a body with binary tensors, how many bytes of JSON it begins with.
    """
    if address.cbor:
        return _message(address, 200, cbor_body(body, header_bytes), timing, CBOR)
    if header_bytes and not address.enveloped:
        return _message(address, 200, body, {**timing, HEADER_LENGTH: header_bytes}, BINARY)
    if not address.enveloped:
        return _message(address, 200, body, timing)
    head = json_body({**_envelope(address), "status": "ok", "code": 200, **_underscored(timing)})
    return _message(address, 200, head[:-1] + b',"data":' + body + b"}", timing)


def encode_chunk(address: Address, body: bytes, seq: int, *, last: bool) -> Message:
    """A piece of an answer that comes in several: counted from 0; the last one is marked."""
    return encode_answer(address, body, {"seq": seq, "last": 1} if last else {"seq": seq})


def encode_error(address: Address, error: EdgertError, timing: Mapping[str, int] | None = None) -> Message:
    """The error reply: `{"error": {"code": 429, "reason": "busy", "message": ..., "retry_after_ms": ...}}`."""
    detail: dict[str, object] = {"code": error.status, "reason": error.code, "message": str(error)}
    if isinstance(error, Busy):
        detail["retry_after_ms"] = error.retry_after_ms
    body: dict[str, object] = {"error": detail}
    if address.enveloped:
        body = {**_envelope(address), "status": "error", "code": error.status, **body}
    return _message(address, error.status, json_body(body), timing or _NO_TIMING)


def answer_body(
    request: Request, version: str, rows: Sequence[Mapping[str, object]], truncated: Sequence[bool]
) -> bytes:
    """Body for the shorthand forms: a list of texts gives `{"results": [...]}`, all else its one answer flat."""
    marked = [{**row, "truncated": True} if cut else dict(row) for row, cut in zip(rows, truncated, strict=True)]
    head = {"model": request.model, "version": version}
    return json_body({**head, "results": marked} if request.form == "texts" else {**head, **marked[0]})


def tensor_head(request: Request, version: str) -> dict[str, object]:
    """What stands beside the outputs in the Open Inference Protocol."""
    head: dict[str, object] = {"model_name": request.model, "model_version": version}
    return head if request.id is None else {**head, "id": request.id}


def tensor_body(request: Request, version: str, outputs: Sequence[Mapping[str, object]]) -> bytes:
    """Body for the Open Inference Protocol form."""
    return json_body({**tensor_head(request, version), "outputs": list(outputs)})


def _message(
    address: Address, status: int, payload: bytes, timing: Mapping[str, int], content_type: str = JSON
) -> Message:
    if address.enveloped:
        return Message(address.topic, payload, qos=address.qos)
    server = (("server", address.server),) if address.server else ()
    user = (("status", str(status)), *server, *((name, str(value)) for name, value in timing.items()))
    return Message(
        address.topic, payload, qos=address.qos, correlation=address.correlation, content_type=content_type, user=user
    )


def _envelope(address: Address) -> dict[str, object]:
    known = {"id": address.id, "transaction": address.transaction, "server": address.server or None}
    return {name: value for name, value in known.items() if value is not None}


def _underscored(timing: Mapping[str, int]) -> dict[str, int]:
    return {name.replace("-", "_"): value for name, value in timing.items()}
