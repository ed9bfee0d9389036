"""Bodies besides JSON texts: CBOR, tensors of numbers, pictures and sound; honest ones, and those that lie."""

from __future__ import annotations

import json
import struct
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import BadRequest
from edge_runtime.mqtt.contract import (
    BINARY,
    CBOR,
    Refused,
    Request,
    Tensor,
    binary_body,
    encode_answer,
    encode_chunk,
    encode_error,
    json_body,
    parse,
)
from edge_runtime.mqtt.contract.cbor import MAX_DEPTH, MAX_ITEMS, read_cbor, write_cbor
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.takes import MEDIA_TYPES, Takes

TOPICS = Topics("hub")
REPLY = "edgert/v1/r/ann/phone"
ALL = Takes(frozenset(MEDIA_TYPES), tensors=True)
HEADER = "inference-header-content-length"

# RFC 8949, appendix A.
VECTORS: list[tuple[str, object]] = [
    ("00", 0), ("17", 23), ("1818", 24), ("1903e8", 1000), ("1a000f4240", 1_000_000),
    ("1bffffffffffffffff", 18446744073709551615), ("3bffffffffffffffff", -18446744073709551616), ("20", -1),
    ("3863", -100), ("3903e7", -1000), ("fb3ff199999999999a", 1.1), ("fa47c35000", 100000.0),
    ("fa7f7fffff", 3.4028234663852886e38), ("fb7e37e43c8800759c", 1e300), ("fbc010666666666666", -4.1), ("f4", False),
    ("f5", True), ("f6", None), ("40", b""), ("4401020304", b"\1\2\3\4"), ("60", ""), ("6161", "a"), ("62c3bc", "ü"),
    ("64f0908591", "𐅑"), ("80", []), ("83010203", [1, 2, 3]), ("8301820203820405", [1, [2, 3], [4, 5]]), ("a0", {}),
    ("a26161016162820203", {"a": 1, "b": [2, 3]}), ("826161a161626163", ["a", {"b": "c"}]),
]  # fmt: skip


def message(payload: bytes, kind: str | None = None, user: tuple[tuple[str, str], ...] = ()) -> Message:
    return Message(TOPICS.infer("tiny"), payload, 1, response_topic=REPLY, content_type=kind, user=user)


def asked(sent: Message, takes: Takes = ALL) -> Request:
    request = parse(sent, TOPICS, 8 << 20, lambda _: takes)
    assert isinstance(request, Request)
    return request


def refusal(sent: Message, takes: Takes = ALL) -> str:
    with pytest.raises(Refused) as caught:
        parse(sent, TOPICS, 8 << 20, lambda _: takes)
    return caught.value.error.code


def tensor(datatype: str, shape: object, data: object = None, **more: object) -> dict[str, Any]:
    held = {} if data is None else {"data": data}
    return {"name": "x", "datatype": datatype, "shape": shape, **held, **more}


def as_json(*inputs: object) -> Message:
    return message(json.dumps({"inputs": list(inputs)}).encode())


# --- CBOR ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wire", "value"), VECTORS)
def test_cbor_is_that_of_the_rfc_both_ways(wire: str, value: object) -> None:
    assert read_cbor(bytes.fromhex(wire)) == value
    assert type(read_cbor(bytes.fromhex(wire))) is type(value)
    assert write_cbor(value).hex() == wire


def test_half_floats_are_read() -> None:
    assert read_cbor(bytes.fromhex("f93e00")) == 1.5


@pytest.mark.parametrize(
    "wire",
    [
        "", "18", "1c", "1f", "5f4101ff", "9f01ff", "bf616101ff", "ff", "f7", "f8ff", "f97e00", "fa7f800000",
        "fbfff0000000000000", "c249010000000000000000", "c5821a7fffffff01", "d81c80", "5bffffffffffffffff",
        "9bffffffffffffffff", "bbffffffffffffffff", "9a00ffffff00", "62ff00", "a10101", "a2616101616102", "0000",
        "81" * (MAX_DEPTH + 1) + "00",
    ],
)  # fmt: skip
def test_other_cbor_is_refused(wire: str) -> None:
    with pytest.raises(BadRequest):
        read_cbor(bytes.fromhex(wire))


@pytest.mark.parametrize(
    "bomb",
    [b"\x9a\x00\x20\x00\x00" + b"\x80" * (1 << 21), b"\x81" * 4_000_000, (b"\x99\x4e\x00" + b"\x00" * 0x4E00) * 2],
)
def test_a_cbor_bomb_is_refused_at_once(bomb: bytes) -> None:
    started = time.process_time()
    with pytest.raises(BadRequest):
        read_cbor(bomb)
    assert time.process_time() - started < 0.2


def test_many_small_lists_together_are_over_the_limit_too() -> None:
    inner = write_cbor([0] * 100)
    whole = b"\x99" + struct.pack(">H", 300) + inner * 300
    with pytest.raises(BadRequest, match=str(MAX_ITEMS)):
        read_cbor(whole)


@given(st.binary(max_size=80))
def test_any_bytes_are_cbor_or_refused(payload: bytes) -> None:
    try:
        value = read_cbor(payload)
    except BadRequest:
        return
    assert read_cbor(write_cbor(value)) == value


def test_a_cbor_request_is_answered_in_cbor() -> None:
    request = asked(message(write_cbor({"text": "turn on", "truncate": True}), CBOR))
    assert (request.texts, request.truncate, request.address.cbor) == (("turn on",), True, True)
    reply = encode_answer(request.address, json_body({"label": "on", "score": 0.25}), {"queue-us": 3})
    assert (reply.content_type, read_cbor(reply.payload)) == (CBOR, {"label": "on", "score": 0.25})
    piece = encode_chunk(request.address, b'{"t":1}', 2, last=True)
    assert (piece.content_type, read_cbor(piece.payload)) == (CBOR, {"t": 1})


def test_an_error_is_json_for_who_asks_in_cbor_too() -> None:
    with pytest.raises(Refused) as caught:
        parse(message(write_cbor([1]), CBOR), TOPICS, 1000)
    address = asked(message(write_cbor({"text": "x"}), CBOR)).address
    reply = encode_error(address, caught.value.error)
    assert reply.content_type == "application/json"
    assert json.loads(reply.payload)["error"]["reason"] == "bad_request"


def test_outputs_in_cbor_are_byte_strings() -> None:
    text = tensor("BYTES", [2], struct.pack("<I", 1) + b"a" + struct.pack("<I", 0))
    request = asked(message(write_cbor({"inputs": [text]}), CBOR))
    assert (request.texts, request.wants_binary) == (("a", ""), True)
    values = np.array([0.5, -1.0], "<f4").tobytes()
    fields = {"name": "embedding", "datatype": "FP32", "shape": [1, 2]}
    body, header_bytes = binary_body({"model_name": "tiny"}, [(fields, values), ({**fields, "name": "b"}, b"")])
    reply = encode_answer(request.address, body, {}, header_bytes)
    assert read_cbor(reply.payload) == {
        "model_name": "tiny",
        "outputs": [{**fields, "data": values}, {**fields, "name": "b", "data": b""}],
    }
    assert HEADER not in dict(reply.user)


def test_cbor_without_a_response_topic_is_answered_in_json() -> None:
    sent = Message(TOPICS.infer("tiny"), write_cbor({"text": "x", "id": "7"}), content_type=CBOR)
    request = asked(sent)
    assert not request.address.cbor
    assert json.loads(encode_answer(request.address, b"{}", {}).payload)["id"] == "7"


# --- tensors ---------------------------------------------------------------------------------------------------------

NUMBERS = ["UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP32", "FP64"]


@pytest.mark.parametrize("datatype", NUMBERS)
@pytest.mark.parametrize("nested", [False, True])
def test_numbers_come_as_json_flat_or_nested(datatype: str, nested: bool) -> None:
    data: list[Any] = [[1, 2, 3], [4, 5, 6]] if nested else [1, 2, 3, 4, 5, 6]
    request = asked(as_json(tensor(datatype, [2, 3], data)))
    (found,) = request.tensors
    assert (found.name, found.datatype, found.shape, request.texts) == ("x", datatype, (2, 3), ())
    assert found.array().tolist() == [[1, 2, 3], [4, 5, 6]]
    names = datatype.lower().replace("fp", "float")
    assert found.array().dtype == np.dtype(names)


def test_truths_and_empty_and_scalar_tensors_are_read() -> None:
    truths, empty, scalar = asked(
        as_json(
            tensor("BOOL", [2], [True, False], name="a"), tensor("FP32", [0, 4], [], name="b"), tensor("INT8", [], [-5])
        )
    ).tensors
    assert truths.array().tolist() == [True, False]
    assert empty.array().shape == (0, 4)
    assert scalar.array() == -5


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "INT64"])
def test_numbers_come_as_bytes(datatype: str) -> None:
    kind = {"FP16": "<f2", "FP32": "<f4", "INT64": "<i8"}[datatype]
    data = np.array([[1, 2], [3, 4]], kind).tobytes()
    header = json.dumps({"inputs": [tensor(datatype, [2, 2], parameters={"binary_data_size": len(data)})]}).encode()
    request = asked(message(header + data, BINARY, ((HEADER, str(len(header))),)))
    assert request.tensors == (Tensor("x", datatype, (2, 2), data),)
    assert request.tensors[0].array().tolist() == [[1, 2], [3, 4]]
    in_cbor = asked(message(write_cbor({"inputs": [tensor(datatype, [2, 2], data)]}), CBOR))
    assert in_cbor.tensors == request.tensors


@pytest.mark.parametrize(
    "lie",
    [
        tensor("FP32", [1 << 31, 1 << 31, 1 << 31], [1]),
        tensor("FP32", [1 << 32], [1]),
        tensor("FP32", [-1, -1], [1]),
        tensor("FP32", [True], [1]),
        tensor("FP32", [1.0], [1]),
        tensor("FP32", [1] * 9, [1]),
        tensor("FP32", "1", [1]),
        tensor("FP32", [2], [1]),
        tensor("FP32", [1], [1, 2]),
        tensor("FP32", [1], [True]),
        tensor("FP32", [1], ["1"]),
        tensor("FP32", [1], [None]),
        tensor("FP32", [1], [1e300]),
        tensor("FP32", [1], [10**400]),
        tensor("FP16", [1], [1.0]),
        tensor("INT8", [1], [128]),
        tensor("UINT8", [1], [-1]),
        tensor("INT32", [1], [1.5]),
        tensor("BOOL", [1], [1]),
        tensor("FP8", [1], [1]),
        tensor("BYTES", [1], [1]),
        tensor("FP32", [2, 2], [[1, 2], [3]]),
        tensor("FP32", [2, 2], [[1, 2], 3, 4]),
        tensor("FP32", [4], [[1, 2], [3, 4]]),
        tensor("FP32", [1]),
        {"datatype": "FP32", "shape": [1], "data": [1]},
        5,
    ],
)
def test_a_tensor_that_lies_is_refused(lie: object) -> None:
    assert refusal(as_json(lie)) == "bad_tensor"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_is_refused(number: str) -> None:
    body = f'{{"inputs": [{{"name": "x", "datatype": "FP32", "shape": [1], "data": [{number}]}}]}}'
    assert refusal(message(body.encode())) == "bad_request"


@pytest.mark.parametrize("size", [3, 5, 0, 1 << 40])
def test_bytes_that_the_shape_does_not_say_are_refused(size: int) -> None:
    header = json.dumps({"inputs": [tensor("FP32", [1], parameters={"binary_data_size": size})]}).encode()
    assert refusal(message(header + b"\0" * min(size, 9), BINARY, ((HEADER, str(len(header))),))) == "bad_tensor"


def test_two_tensors_of_one_name_or_too_many_are_refused() -> None:
    assert refusal(as_json(tensor("INT8", [1], [1]), tensor("INT8", [1], [1]))) == "bad_tensor"
    many = [tensor("INT8", [1], [1], name=str(number)) for number in range(65)]
    assert refusal(as_json(*many)) == "bad_tensor"


def test_numbers_are_refused_where_no_model_takes_them() -> None:
    assert refusal(as_json(tensor("FP32", [1], [1])), Takes()) == "bad_tensor"


# --- pictures and sound ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MEDIA_TYPES)
def test_a_picture_or_sound_is_carried_as_it_is(kind: str) -> None:
    request = asked(message(b"\xff\xd8\0", kind.upper() + "; x=1", (("id", "7"), ("priority", "high"))))
    assert (request.raw, request.media_type, request.form, request.texts) == (b"\xff\xd8\0", kind, "media", ())
    assert (request.id, request.priority, request.size_bytes) == ("7", "high", 3)


@pytest.mark.parametrize("kind", MEDIA_TYPES)
def test_a_picture_or_sound_is_refused_where_no_model_takes_it(kind: str) -> None:
    assert refusal(message(b"\xff\xd8", kind), Takes()) == "unsupported_media_type"


def test_requests_that_ask_something_else_are_no_repeats() -> None:
    picture, other = (asked(message(data, "image/png", (("id", "7"),))) for data in (b"a", b"b"))
    numbers = [asked(as_json(tensor("INT8", [1], [value]))) for value in (1, 2)]
    text = [asked(message(json.dumps(body).encode())) for body in ({"text": "a"}, {"text": "b"}, {"text": ["a"]})]
    questions = {request.question for request in (picture, other, *numbers, *text)}
    assert len(questions) == 7
    assert asked(message(b"a", "image/png")).question == picture.question
