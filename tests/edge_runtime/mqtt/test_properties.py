"""The PUBLISH property codec against paho's own, and against bytes that nobody should send."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt import properties as paho_properties
from paho.mqtt.packettypes import PacketTypes

from edge_runtime.mqtt.properties import (
    MAX_VARIABLE_INTEGER,
    NONE,
    PublishProperties,
    packed_variable_integer,
    unpack,
    variable_integer,
)

PAHO: Any = paho_properties  # the oracle, without type hints
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
PROPERTIES = st.builds(
    PublishProperties,
    payload_format=st.none() | st.integers(0, 1),
    expiry_s=st.none() | st.integers(0, 2**32 - 1),
    content_type=st.none() | TEXT,
    response_topic=st.none() | TEXT,
    correlation=st.none() | st.binary(max_size=300),
    subscription_ids=st.lists(st.integers(1, MAX_VARIABLE_INTEGER), max_size=3).map(tuple),
    topic_alias=st.none() | st.integers(1, 0xFFFF),
    user=st.lists(st.tuples(TEXT, TEXT), max_size=4).map(tuple),
)
PAHO_NAMES = {
    "payload_format": "PayloadFormatIndicator",
    "expiry_s": "MessageExpiryInterval",
    "content_type": "ContentType",
    "response_topic": "ResponseTopic",
    "correlation": "CorrelationData",
    "subscription_ids": "SubscriptionIdentifier",
    "topic_alias": "TopicAlias",
    "user": "UserProperty",
}


def in_paho(properties: PublishProperties) -> Any:
    """The same as paho's class."""
    made = PAHO.Properties(PacketTypes.PUBLISH)
    for name, value in properties._asdict().items():
        if value not in (None, ()):
            setattr(made, PAHO_NAMES[name], list(value) if isinstance(value, tuple) else value)
    return made


@given(PROPERTIES)
def test_packing_gives_byte_for_byte_what_paho_packs(properties: PublishProperties) -> None:
    assert properties.pack() == bytes(in_paho(properties).pack())


@given(PROPERTIES, st.binary(max_size=20), st.binary(max_size=20))
def test_unpacking_gives_back_what_was_packed_and_stops_there(
    properties: PublishProperties, before: bytes, payload: bytes
) -> None:
    packed = properties.pack()
    for buffer in (before + packed + payload, bytearray(before + packed + payload)):
        assert unpack(buffer, len(before)) == (properties, len(before) + len(packed))


@given(PROPERTIES.filter(lambda properties: "\ufeff" not in repr(properties)))
def test_paho_reads_the_same(properties: PublishProperties) -> None:
    theirs, size = PAHO.Properties(PacketTypes.PUBLISH).unpack(properties.pack())
    assert (theirs.json(), size) == (in_paho(properties).json(), len(properties.pack()))


def test_a_byte_order_mark_is_kept_though_paho_refuses_it() -> None:
    """MQTT 5.0 section 1.5.4: U+FEFF 'MUST NOT be skipped over or stripped off'."""
    properties = PublishProperties(content_type="\ufeffa")
    assert unpack(properties.pack())[0] == properties


@given(PROPERTIES.filter(lambda properties: properties != NONE), st.data())
def test_cut_anywhere_it_is_refused(properties: PublishProperties, data: st.DataObject) -> None:
    packed = properties.pack()
    cut = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(ValueError):
        unpack(packed[:cut])


@given(st.binary(max_size=60))
@example(b"\x02\x23\x00")
def test_random_bytes_give_properties_or_a_value_error(buffer: bytes) -> None:
    try:
        properties, end = unpack(buffer)
    except ValueError:
        return
    assert end <= len(buffer)
    assert unpack(properties.pack())[0] == properties


@given(st.binary(max_size=40))
def test_random_properties_with_a_right_length_give_properties_or_a_value_error(body: bytes) -> None:
    try:
        properties, _ = unpack(packed_variable_integer(len(body)) + body)
    except ValueError:
        return
    assert len(properties.pack()) == 1 + len(body)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"\x01\x00\x01\x00", "stands twice"),
        (b"\x02\x00\x00\x00\x01\x02\x00\x00\x00\x01", "stands twice"),
        (b"\x03\x00\x01a\x03\x00\x01a", "stands twice"),
        (b"\x08\x00\x01a\x08\x00\x01b", "stands twice"),
        (b"\x09\x00\x00\x09\x00\x00", "stands twice"),
        (b"\x23\x00\x01\x23\x00\x01", "stands twice"),
        (b"\x01\x02", "must be 0 or 1"),
        (b"\x23\x00\x00", "topic alias is 0"),
        (b"\x0b\x00", "identifier is 0"),
        (b"\x0b\x81\x00", "shortest form"),
        (b"\x0b\x80\x80\x80\x80\x01", "longer than four"),
        (b"\x0b\xff", "cut off"),
        (b"\x02\x00\x00\x00", "cut off"),
        (b"\x09\x00", "cut off"),
        (b"\x09\x00\x05abc", "longer than the properties"),
        (b"\x26\x00\x01a", "cut off"),
        (b"\x03\x00\x02\xc3\x28", "invalid continuation byte"),
        (b"\x03\x00\x03\xed\xa0\x80", "codec can't decode"),
        (b"\x08\x00\x02a\x00", "NUL"),
        (b"\x26\x00\x01\x00\x00\x00", "NUL"),
        (b"\x11\x00\x00\x00\x00", "may not stand in a PUBLISH"),
        (b"\x00", "may not stand in a PUBLISH"),
        (b"\x80\x01", "may not stand in a PUBLISH"),
    ],
)
def test_what_the_standard_forbids_is_refused_by_name(body: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        unpack(bytes([len(body)]) + body)


@pytest.mark.parametrize("length", [b"", b"\x05\x01\x00", b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff\x7f", b"\x80\x00"])
def test_a_length_that_is_not_there_is_refused(length: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(length)


@pytest.mark.parametrize(
    "properties",
    [
        PublishProperties(payload_format=2),
        PublishProperties(expiry_s=-1),
        PublishProperties(expiry_s=2**32),
        PublishProperties(topic_alias=0),
        PublishProperties(topic_alias=0x10000),
        PublishProperties(subscription_ids=(0,)),
        PublishProperties(subscription_ids=(MAX_VARIABLE_INTEGER + 1,)),
        PublishProperties(content_type="a\0"),
        PublishProperties(response_topic="\ud800"),
        PublishProperties(correlation=bytes(65_536)),
        PublishProperties(content_type="é" * 32_768),
        PublishProperties(user=(("a", "\0"),)),
        PublishProperties(user=(("\udfff", "a"),)),
    ],
)
def test_what_mqtt_cannot_carry_is_not_packed(properties: PublishProperties) -> None:
    with pytest.raises(ValueError):
        properties.pack()


def test_the_longest_values_are_packed() -> None:
    properties = PublishProperties(content_type="a" * 65_535, correlation=bytes(65_535), user=(("é" * 32_767, ""),))
    assert unpack(properties.pack())[0] == properties


@given(st.integers(0, MAX_VARIABLE_INTEGER))
@example(127)
@example(128)
@example(16_383)
@example(16_384)
@example(2_097_151)
@example(2_097_152)
def test_variable_integers_are_paho_s(number: int) -> None:
    packed = packed_variable_integer(number)
    assert packed == PAHO.VariableByteIntegers.encode(number)
    assert variable_integer(packed, 0, len(packed)) == (number, len(packed))
