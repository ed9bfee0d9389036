"""The contract's reader and writer against bytes as clients send them, honest and hostile."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_runtime.errors import Busy, ModelNotFound
from edge_runtime.mqtt.contract import (
    Address,
    Refused,
    answer_body,
    encode_answer,
    encode_error,
    parse_request,
    tensor_body,
)
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics

TOPICS = Topics("hub")
TOPIC = "edgert/v1/d/hub/req/infer/tiny"
REPLY = "edgert/v1/r/ann/phone/1"
LIMIT = 10_000


def v5(body: object, **changes: Any) -> Message:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    message = Message(TOPIC, payload, qos=1, response_topic=REPLY, correlation=b"\x01\x02")
    return dataclasses.replace(message, **changes)


def v311(body: object, **changes: Any) -> Message:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return dataclasses.replace(Message(TOPIC, payload, qos=1), **changes)


def refusal(message: Message) -> Refused:
    with pytest.raises(Refused) as caught:
        parse_request(message, TOPICS, LIMIT)
    return caught.value


def test_a_v5_request_is_read() -> None:
    user = (("id", "7"), ("deadline-ms", "1500"), ("traceparent", "unknown ones are ignored"))
    request = parse_request(v5({"text": "hello"}, user=user, expiry_s=60), TOPICS, LIMIT)
    assert (request.model, request.texts, request.form, request.id) == ("tiny", ("hello",), "text", "7")
    assert request.deadline_s == 1.5
    assert request.user == "ann/phone"
    assert request.address == Address(REPLY, 1, enveloped=False, correlation=b"\x01\x02", server="hub")


def test_the_nearer_of_deadline_and_expiry_counts() -> None:
    request = parse_request(v5({"text": "x"}, user=(("deadline-ms", "90000"),), expiry_s=2), TOPICS, LIMIT)
    assert request.deadline_s == 2


def test_a_v311_request_carries_all_in_its_json() -> None:
    body = {"id": "a1", "reply_to": "edgert/v1/r/ha/x", "deadline_ms": 250, "text": ["a", "b"], "transaction": "t9"}
    request = parse_request(v311(body), TOPICS, LIMIT)
    assert (request.texts, request.form, request.deadline_s) == (("a", "b"), "texts", 0.25)
    assert request.address == Address("edgert/v1/r/ha/x", 1, enveloped=True, id="a1", transaction="t9", server="hub")


def test_without_reply_to_the_answer_goes_to_the_shared_topic() -> None:
    assert parse_request(v311({"text": "x"}), TOPICS, LIMIT).address.topic == "edgert/v1/d/hub/res/infer/tiny"


def test_v5_properties_win_over_the_json() -> None:
    body = {"text": "x", "reply_to": "edgert/v1/r/other/1", "id": "json"}
    request = parse_request(v5(body, user=(("id", "property"),)), TOPICS, LIMIT)
    assert (request.address.topic, request.id) == (REPLY, "property")


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_open_inference_protocol_inputs_are_read(shape: list[int]) -> None:
    tensor = {"name": "text", "datatype": "BYTES", "shape": shape, "data": ["a", "b"]}
    request = parse_request(v5({"inputs": [tensor], "parameters": {"truncate": True}}), TOPICS, LIMIT)
    assert (request.texts, request.form, request.truncate) == (("a", "b"), "tensors", True)


@pytest.mark.parametrize("kind", [None, "application/json", "Application/JSON; charset=utf-8"])
def test_json_content_types_are_read(kind: str | None) -> None:
    assert parse_request(v5({"text": "x"}, content_type=kind), TOPICS, LIMIT).texts == ("x",)


@pytest.mark.parametrize(
    "topic",
    [
        "#", "+", "", "$SYS/x", "edgert/v1/r/#", "edgert/v1/r/a/+", "edgert/v1/r/a\0b", "edgert/v1/r/",
        "edgert/v1/r//x",
        "homeassistant/device/x/config", "edgert/v1/d/hub/req/infer/tiny", "edgert/v1/d/hub/status", "/edgert/v1/r/x",
        "edgert/v1/r/" + "x" * 300, "edgert/v1/r/a\nb", "edgert/v1/r/$SYS",
    ],
)  # fmt: skip
def test_a_reply_topic_elsewhere_is_refused_and_never_used(topic: str) -> None:
    for message in (v5({"text": "x"}, response_topic=topic), v311({"text": "x", "reply_to": topic})):
        refused = refusal(message)
        assert refused.error.code == "reply_topic_refused"
        assert refused.address is not None
        assert refused.address.topic == "edgert/v1/d/hub/res/infer/tiny"


def test_other_reply_prefixes_can_be_allowed() -> None:
    topics = Topics("hub", reply_prefixes=("home/answers/",))
    assert topics.checked_reply_topic("home/answers/1") == "home/answers/1"
    assert refusal(v5({"text": "x"}, response_topic="home/answers/1")).error.code == "reply_topic_refused"


def test_a_retained_request_is_refused_without_a_reply() -> None:
    refused = refusal(v5({"text": "x"}, retain=True))
    assert refused.address is None


@pytest.mark.parametrize("name", ["", "../x", "a/b", "%2e", "x" * 65, "a b", "é"])
def test_a_model_that_is_no_topic_word_is_refused(name: str) -> None:
    refused = refusal(v5({"text": "x"}, topic=f"edgert/v1/d/hub/req/infer/{name}"))
    assert refused.error.status == 400
    assert refused.address is not None


def test_another_kind_of_request_is_refused_by_name() -> None:
    assert "reboot" in str(refusal(v5({}, topic="edgert/v1/d/hub/req/reboot")).error)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_request"),
        (b"turn on the light", "bad_request"),
        (b"\xff\xfe\x00", "bad_request"),
        (b"[1]", "bad_request"),
        (b"{}", "bad_request"),
        (b'{"text": 5}', "bad_request"),
        (b'{"text": ["a", 5]}', "bad_request"),
        (b'{"text": "x", "truncate": "yes"}', "bad_request"),
        (b'{"text": "x", "id": ""}', "bad_request"),
        (b'{"text": "x", "id": "\\ud800"}', "bad_request"),
        (b'{"text": "x", "deadline_ms": NaN}', "bad_request"),
        (b'{"text": "x", "deadline_ms": -1}', "bad_request"),
        (b'{"text": "x", "deadline_ms": "soon"}', "bad_request"),
        (b'{"text": "x", "deadline_ms": 1' + b"0" * 400 + b"}", "bad_request"),
        (b'{"text": "x", "parameters": []}', "bad_request"),
        (b'{"inputs": {}}', "bad_tensor"),
        (b'{"inputs": [{"datatype": "FP32", "shape": [1], "data": [1]}]}', "bad_tensor"),
        (b'{"inputs": [{"datatype": "BYTES", "shape": [4294967296, 4294967296], "data": ["a"]}]}', "bad_tensor"),
        (b'{"inputs": [{"datatype": "BYTES", "shape": [-1], "data": ["a"]}]}', "bad_tensor"),
        (b"[" * 5000, "bad_request"),
        (b'{"text": "' + b"x" * LIMIT + b'"}', "payload_too_large"),
    ],
)
def test_a_bad_body_is_refused_with_a_reply(body: bytes, code: str) -> None:
    refused = refusal(v5(body))
    assert refused.error.code == code
    assert refused.address == Address(REPLY, 1, enveloped=False, correlation=b"\x01\x02", server="hub")
    assert refusal(v311(body)).error.code == code


@pytest.mark.parametrize("kind", ["image/png", "text/plain", "", "x" * 10_000])
def test_other_content_types_are_refused_by_name(kind: str) -> None:
    if kind:
        assert refusal(v5({"text": "x"}, content_type=kind)).error.code == "unsupported_media_type"


def test_long_correlation_data_is_refused_and_not_echoed() -> None:
    refused = refusal(v5({"text": "x"}, correlation=b"x" * 65))
    assert refused.address is not None
    assert refused.address.correlation is None


def test_a_v5_answer_carries_status_and_timing_as_properties() -> None:
    request = parse_request(v5({"text": "x"}), TOPICS, LIMIT)
    body = answer_body(request, "1.0", [{"label": "on", "score": 0.5}], [False])
    reply = encode_answer(request.address, body, {"queue-us": 10, "infer-us": 200})
    assert reply == Message(
        REPLY,
        b'{"model":"tiny","version":"1.0","label":"on","score":0.5}',
        qos=1,
        correlation=b"\x01\x02",
        content_type="application/json",
        user=(("status", "200"), ("server", "hub"), ("queue-us", "10"), ("infer-us", "200")),
    )


def test_a_v311_answer_carries_all_in_its_json() -> None:
    request = parse_request(v311({"text": ["x"], "id": 5, "transaction": 9}), TOPICS, LIMIT)
    body = answer_body(request, "1.0", [{"label": "än"}], [True])
    reply = encode_answer(request.address, body, {"queue-us": 10})
    assert json.loads(reply.payload) == {
        "id": "5",
        "transaction": 9,
        "server": "hub",
        "status": "ok",
        "code": 200,
        "queue_us": 10,
        "data": {"model": "tiny", "version": "1.0", "results": [{"label": "än", "truncated": True}]},
    }
    assert (reply.user, reply.correlation, reply.content_type) == ((), None, None)


def test_the_tensor_form_answers_in_the_same_protocol() -> None:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}
    request = parse_request(v5({"id": "q", "inputs": [tensor]}), TOPICS, LIMIT)
    body = json.loads(tensor_body(request, "2", [{"name": "label"}]))
    assert body == {"model_name": "tiny", "model_version": "2", "id": "q", "outputs": [{"name": "label"}]}


def test_errors_have_one_shape() -> None:
    busy = encode_error(Address(REPLY, 0, enveloped=False), Busy(3, 40))
    assert busy.user == (("status", "429"),)
    assert json.loads(busy.payload)["error"]["retry_after_ms"] == 40
    missing = json.loads(encode_error(Address("t", 0, enveloped=True, id="1"), ModelNotFound("x", ["tiny"])).payload)
    assert (missing["status"], missing["code"], missing["id"]) == ("error", 404, "1")
    assert missing["error"]["reason"] == "model_not_found"
    assert "tiny" in missing["error"]["message"]


@given(payload=st.binary(max_size=200), reply=st.none() | st.text(max_size=40), retain=st.booleans())
@example(payload=b'{"text": "\\ud800", "id": "x"}', reply=None, retain=False)
@example(payload=b'{"text": "x", "transaction": "\\udfff"}', reply=None, retain=False)
def test_no_bytes_make_the_reader_raise_anything_else(payload: bytes, reply: str | None, retain: bool) -> None:
    message = Message(TOPIC, payload, response_topic=reply, retain=retain)
    try:
        request = parse_request(message, TOPICS, LIMIT)
    except Refused as refused:
        if refused.address is not None:
            encode_error(refused.address, refused.error)
    else:
        encode_answer(request.address, b"{}", {})


def test_a_bad_model_name_is_told_to_the_reply_to_of_a_v311_request() -> None:
    for name in ("a/b", "x" * 65):
        message = Message(
            f"edgert/v1/d/hub/req/infer/{name}", b'{"text":"x","reply_to":"edgert/v1/r/ha/x","id":"7"}', 1
        )
        with pytest.raises(Refused) as caught:
            parse_request(message, TOPICS, LIMIT)
        assert caught.value.address == Address("edgert/v1/r/ha/x", 1, enveloped=True, id="7", server="hub")


@pytest.mark.parametrize("payload", [b"{}", b"\xff", b'{"reply_to":"#"}', b'{"reply_to":5}', b'{"transaction":[]}'])
def test_a_bad_model_name_without_a_place_to_say_so_is_dropped(payload: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse_request(Message("edgert/v1/d/hub/req/infer/a/b", payload, 1), TOPICS, LIMIT)
    assert caught.value.address is None
