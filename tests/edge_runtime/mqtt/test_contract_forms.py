"""What the contract knows besides a plain JSON request: verbs, priorities, groups, streams, binary tensors, limits."""

from __future__ import annotations

import dataclasses
import json
import struct
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.mqtt.contract import (
    BINARY,
    Address,
    Control,
    Refused,
    Request,
    binary_body,
    encode_answer,
    encode_chunk,
    parse,
)
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import VERBS, Topics

TOPICS = Topics("hub", group="kitchen")
REPLY = "edgert/v1/r/ann/phone"
HERE = Address(REPLY, 1, enveloped=False, server="hub")
LIMIT = 8 << 20
HEADER = "inference-header-content-length"


def message(body: object, topic: str | None = None, **changes: Any) -> Message:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    plain = Message(topic or TOPICS.infer("tiny"), payload, qos=1, response_topic=REPLY)
    return dataclasses.replace(plain, **changes)


def asked(body: object, **changes: Any) -> Request:
    request = parse(message(body, **changes), TOPICS, LIMIT)
    assert isinstance(request, Request)
    return request


def refusal(refused: Message) -> str:
    with pytest.raises(Refused) as caught:
        parse(refused, TOPICS, LIMIT)
    return caught.value.error.code


def binary(fields: dict[str, Any], *data: bytes) -> Message:
    header = json.dumps(fields).encode()
    return message(header + b"".join(data), content_type=BINARY, user=((HEADER, str(len(header))),))


def elements(*texts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def text_tensor(count: int, size: object) -> dict[str, Any]:
    return {"name": "text", "datatype": "BYTES", "shape": [count], "parameters": {"binary_data_size": size}}


# --- verbs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_read_with_what_it_speaks_of(verb: str) -> None:
    body = {"model": "tiny", "folder": "/bundles/tiny", "id": 7}
    control = parse(message(body, f"edgert/v1/d/hub/req/{verb}"), TOPICS, LIMIT)
    assert control == Control(verb, HERE, "ann/phone", "tiny", "/bundles/tiny", "7")  # type: ignore[arg-type]


def test_a_verb_without_a_reply_topic_is_answered_on_a_shared_one() -> None:
    control = parse(message({}, TOPICS.control("list"), response_topic=None), TOPICS, LIMIT)
    assert control.address == Address("edgert/v1/d/hub/res/list", 1, enveloped=True, server="hub")


@pytest.mark.parametrize("topic", ["edgert/v1/d/hub/req/erase", "edgert/v1/d/hub/req/list/x", "edgert/v1/d/hub/req/"])
def test_no_other_verb_is_known(topic: str) -> None:
    assert refusal(message({}, topic)) == "bad_request"


def test_a_verb_s_words_must_be_texts() -> None:
    assert refusal(message({"model": 5}, TOPICS.control("unload"))) == "bad_request"


def test_a_retained_verb_is_not_obeyed() -> None:
    assert refusal(message({}, TOPICS.control("unload"), retain=True)) == "bad_request"


# --- priorities, streams, groups -------------------------------------------------------------------------------------


def test_priority_and_stream_are_read_from_properties_or_the_json() -> None:
    assert asked({"text": "x"}).priority == "normal"
    assert asked({"text": "x", "priority": "low", "stream": True}).priority == "low"
    request = asked({"text": "x", "priority": "low"}, user=(("priority", "high"), ("stream", "1")))
    assert (request.priority, request.stream) == ("high", True)


@pytest.mark.parametrize(
    "body", [{"text": "x", "priority": "urgent"}, {"text": "x", "priority": 1}, {"text": "x", "stream": "yes"}]
)
def test_an_unknown_priority_or_flag_is_refused(body: dict[str, Any]) -> None:
    assert refusal(message(body)) == "bad_request"


def test_an_unknown_word_for_stream_is_refused() -> None:
    assert refusal(message({"text": "x"}, user=(("stream", "maybe"),))) == "bad_request"


def test_a_request_to_the_group_is_answered_by_name() -> None:
    request = asked({"text": "x"}, topic="edgert/v1/g/kitchen/req/infer/tiny")
    assert (request.model, request.address.server) == ("tiny", "hub")
    assert dict(encode_answer(request.address, b"{}", {}).user)["server"] == "hub"


def test_requests_to_another_group_or_by_a_device_without_one_are_refused() -> None:
    assert refusal(message({"text": "x"}, "edgert/v1/g/garage/req/infer/tiny")) == "bad_request"
    with pytest.raises(Refused):
        parse(message({"text": "x"}, "edgert/v1/g/kitchen/req/infer/tiny"), Topics("hub"), LIMIT)


def test_pieces_are_counted_and_the_last_is_marked() -> None:
    first, last = encode_chunk(HERE, b'{"t":1}', 0, last=False), encode_chunk(HERE, b'{"t":2}', 1, last=True)
    assert first.user == (("status", "200"), ("server", "hub"), ("seq", "0"))
    assert last.user == (("status", "200"), ("server", "hub"), ("seq", "1"), ("last", "1"))


def test_pieces_for_3_1_1_carry_their_number_in_the_json() -> None:
    address = Address("edgert/v1/r/ha/x", 0, enveloped=True, id="7", server="hub")
    assert json.loads(encode_chunk(address, b'{"t":2}', 1, last=True).payload) == {
        "id": "7",
        "server": "hub",
        "status": "ok",
        "code": 200,
        "seq": 1,
        "last": 1,
        "data": {"t": 2},
    }


# --- binary tensors --------------------------------------------------------------------------------------------------


def test_texts_come_as_binary_tensors() -> None:
    data = elements(b"turn on", "schließ".encode(), b"")
    request = parse(binary({"inputs": [text_tensor(3, len(data))], "id": "q"}, data), TOPICS, LIMIT)
    assert isinstance(request, Request)
    assert (request.texts, request.form, request.id) == (("turn on", "schließ", ""), "tensors", "q")
    assert not request.wants_binary


@pytest.mark.parametrize(
    ("fields", "data", "reason"),
    [
        ({"inputs": [text_tensor(1, 99)]}, elements(b"x"), "bad_tensor"),
        ({"inputs": [text_tensor(1, -1)]}, elements(b"x"), "bad_tensor"),
        ({"inputs": [text_tensor(1, True)]}, elements(b"x"), "bad_tensor"),
        ({"inputs": [text_tensor(1, "5")]}, elements(b"x"), "bad_tensor"),
        ({"inputs": [text_tensor(1, 5)]}, elements(b"x") + b"more", "bad_tensor"),
        ({"inputs": [text_tensor(2, 5)]}, elements(b"x"), "bad_tensor"),
        ({"inputs": [text_tensor(1, 5)]}, b"\xff\xff\xff\xffx", "bad_tensor"),
        ({"inputs": [text_tensor(1, 2)]}, b"\x01\x00", "bad_tensor"),
        ({"inputs": [text_tensor(1, 5)]}, elements(b"\xff"), "bad_tensor"),
        ({"inputs": [text_tensor(1, 5), text_tensor(1, 5)]}, elements(b"x") * 2, "bad_tensor"),
        ({"inputs": [{**text_tensor(1, 4), "datatype": "FP32"}]}, b"\0\0\0\0", "bad_tensor"),
        ({"inputs": []}, b"", "bad_tensor"),
        ({"text": "x"}, b"more", "bad_tensor"),
    ],
)
def test_lies_about_binary_tensors_are_refused(fields: dict[str, Any], data: bytes, reason: str) -> None:
    assert refusal(binary(fields, data)) == reason


@pytest.mark.parametrize("length", ["", "0", "-1", "7", "999", "1e1", "9" * 50, "٣"])
def test_a_wrong_header_length_is_refused(length: str) -> None:
    assert refusal(message(b'{"a":1', content_type=BINARY, user=((HEADER, length),))) == "bad_request"


def test_outputs_come_as_bytes_when_asked_for() -> None:
    body = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["x"]}]}
    request = asked({**body, "parameters": {"binary_data_output": True}})
    assert request.wants_binary
    values = np.array([0.5, -1.0], "<f4")
    fields = {"name": "embedding", "datatype": "FP32", "shape": [1, 2]}
    payload, header_bytes = binary_body({"model_name": "tiny"}, [(fields, values.tobytes())])
    reply = encode_answer(request.address, payload, {}, header_bytes)
    assert reply.content_type == BINARY
    length = int(dict(reply.user)[HEADER])
    (output,) = json.loads(reply.payload[:length])["outputs"]
    assert output == {**fields, "parameters": {"binary_data_size": 8}}
    assert np.frombuffer(reply.payload[length:], "<f4").tolist() == [0.5, -1.0]


def test_a_client_without_properties_never_gets_bytes() -> None:
    body = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["x"]}]}
    assert not asked({**body, "parameters": {"binary_data_output": True}}, response_topic=None).wants_binary


# --- limits ----------------------------------------------------------------------------------------------------------

BOMBS = {
    "lists": b'{"text": [' + b"[]," * 1_000_000 + b"[]]}",
    "objects": b'{"text": [' + b"{}," * 1_000_000 + b"{}]}",
    "numbers": b'{"text": [' + b"1," * 2_000_000 + b"1]}",
    "depth": b'{"text": ' + b"[" * 4_000_000,
    "keys": b"{" + b",".join(b'"%07x":1' % number for number in range(300_000)) + b"}",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_without_being_read(kind: str) -> None:
    started = time.process_time()
    assert refusal(message(BOMBS[kind])) == "bad_request"
    assert time.process_time() - started < 0.2  # read, these take 0.3 to 1 s


def test_a_long_text_full_of_commas_is_no_bomb() -> None:
    assert asked({"text": "a, [b], {c} " * 15_000}).texts[0].startswith("a, [b]")


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        ["text", "inputs", "parameters", "id", "priority", "stream", "reply_to", "deadline_ms", "model", "folder"]
    ),
    JSONISH,
)
PROPERTIES = st.lists(
    st.tuples(st.sampled_from(["id", "priority", "stream", "deadline-ms", HEADER]), st.text(max_size=8)), max_size=4
)


@given(
    FIELDS | st.binary(max_size=60),
    PROPERTIES,
    st.sampled_from([TOPICS.infer("tiny"), TOPICS.control("load"), TOPICS.group_infer("kitchen", "m"), "x/y"]),
    st.sampled_from([None, BINARY, "application/json; charset=utf-8", "image/png"]),
    st.sampled_from([None, REPLY, "#", "homeassistant/x", ""]),
    st.binary(max_size=8),
)
def test_whatever_comes_is_read_or_refused(
    fields: dict[str, Any] | bytes,
    properties: list[tuple[str, str]],
    topic: str,
    kind: str | None,
    reply: str | None,
    rest: bytes,
) -> None:
    payload = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    given_message = Message(topic, payload + rest, 1, False, reply, None, kind, None, tuple(properties))
    address: Address | None
    try:
        address = parse(given_message, TOPICS, LIMIT).address
    except Refused as refused:
        address = refused.address
    assert address is None or address.topic.startswith("edgert/v1/")
