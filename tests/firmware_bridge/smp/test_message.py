from __future__ import annotations

import pytest

from firmware_bridge.smp.fields import read_fields, write_fields
from firmware_bridge.smp.groups.image import Upload
from firmware_bridge.smp.message import READ, VERSION_1, WRITE, BadMessage, Message, read_body, read_message

HEAD = bytes(8)


def test_a_message_is_the_bytes_that_the_specification_shows() -> None:
    """An echo of "hi", as Zephyr's specification lays the header out."""
    message = Message(WRITE, 0, 0, {"d": "hi"}, sequence=0x42)
    assert message.to_bytes() == bytes.fromhex("0a 00 0006 0000 42 00  a1 61 64 62 68 69")
    assert read_message(message.to_bytes()) == message


def test_an_answer_keeps_sequence_and_version() -> None:
    answer = Message(READ, 10, 1, {}, 7, VERSION_1).answer({"count": 3})
    assert (answer.op, answer.group, answer.command, answer.sequence, answer.version) == (1, 10, 1, 7, VERSION_1)


def test_no_body_at_all_is_an_empty_map() -> None:
    assert read_body(HEAD) == {}


def test_maps_and_lists_that_do_not_say_how_long_they_are_are_read_as_zephyr_writes_them() -> None:
    assert read_body(HEAD + bytes.fromhex("bf 61 72 9f 01 02 ff 61 61 bf 61 62 f5 ff ff")) == {
        "r": [1, 2],
        "a": {"b": True},
    }


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("83010203", "a CBOR list, expected a map"),
        ("01", "a CBOR int"),
        ("a1", "is not CBOR"),
        ("a16161", "is not CBOR"),
        ("a1616101ff", "1 bytes follow"),
        ("a1010203", "no text"),
        ("a2616101616102", "there twice"),
        ("bf616101616102ff", "there twice"),
        ("bf6161ff", "no value"),
        ("bf616101", "ends inside"),
        ("a161617f6161ff", "indefinite length"),
        ("a161615f4161ff", "indefinite length"),
        ("a16161c001", "tag"),
        ("a16161f97e00", "not finite"),
        ("a161611bffffffffffffffff00", "follow"),
        ("a161615b7fffffffffffffff", "claims"),
        ("a161619b00000000ffffffff", "claimed"),
        ("a1616162fffe", "UTF-8"),
        ("a16161" + "81" * 5000 + "01", "nested deeper"),
        ("a16161" + "9f" * 10000, "nested deeper"),
    ],
)
def test_a_body_that_is_no_plain_map_is_refused_by_name(body: str, complaint: str) -> None:
    with pytest.raises(BadMessage, match=complaint):
        read_body(HEAD + bytes.fromhex(body))


@pytest.mark.parametrize(
    "data", [b"", bytes(7), bytes.fromhex("0a000001 0000 0000"), bytes.fromhex("0a000000 0000 0000 00")]
)
def test_a_message_of_another_length_than_it_says_is_refused(data: bytes) -> None:
    with pytest.raises(BadMessage):
        read_message(data)


def test_a_body_that_is_too_long_for_the_header_is_not_written() -> None:
    with pytest.raises(BadMessage, match="holds 65535"):
        Message(WRITE, 0, 0, {"d": bytes(70000)}).to_bytes()


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"data": b""}, "'off' is missing"),
        ({"off": -1, "data": b""}, "'off' is -1, must be 0 to"),
        ({"off": 1 << 63, "data": b""}, "'off' is 9223372036854775808"),
        ({"off": "0", "data": b""}, "'off' must be a whole number, found str"),
        ({"off": True, "data": b""}, "'off' must be a whole number, found bool"),
        ({"off": 0, "data": "text"}, "'data' must be bytes, found str"),
        ({"off": 0, "data": b"", "len": 1 << 63}, "'len' is 9223372036854775808"),
        ({"off": 0, "data": b"", "sha": bytes(33)}, "'sha' has length 33, must be 0 to 32"),
    ],
)
def test_a_field_of_another_kind_or_out_of_its_limits_is_refused_by_name(
    body: dict[str, object], complaint: str
) -> None:
    with pytest.raises(BadMessage, match=complaint):
        read_fields(Upload, body)


def test_unknown_keys_are_passed_over_and_defaults_are_not_sent() -> None:
    upload = read_fields(Upload, {"off": 0, "data": b"x", "novelty": 1})
    assert write_fields(upload) == {"off": 0, "data": b"x"}
