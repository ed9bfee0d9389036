"""Header and TLVs: what is written is read, and what is not as it is written is refused in words."""

from __future__ import annotations

import pytest

from edge_runtime.bundle.container.image import (
    PLAIN_MAGIC,
    PROTECTED_MAGIC,
    Header,
    Tlv,
    Version,
    area_bytes,
    area_length,
    read_area,
    read_header,
    write_area,
    write_header,
)
from edge_runtime.bundle.errors import BadContainer

HEADER = Header(Version(1, 2, 3, 4), 1000, 50)


def changed(at: int, value: bytes) -> bytes:
    data = bytearray(write_header(HEADER))
    data[at : at + len(value)] = value
    return bytes(data)


def test_a_header_is_read_as_it_was_written() -> None:
    assert read_header(write_header(HEADER)) == HEADER
    assert write_header(HEADER)[:4].hex() == "3db8f396"


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "ends after 0 bytes"),
        (write_header(HEADER)[:31], "ends after 31 bytes"),
        (changed(0, b"PK"), "begins with 504b"),
        (changed(4, b"\1"), "load address 0x1"),
        (changed(8, b"\0\0"), "claims 0 bytes"),
        (changed(8, b"\x40"), "claims 64 bytes"),
        (changed(16, b"\4"), "flags 0x4"),
        (changed(28, b"\1"), "padding 0x1"),
    ],
)
def test_another_header_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(BadContainer, match=complaint):
        read_header(data)


def test_a_body_over_four_gigabytes_has_no_place_in_the_format() -> None:
    with pytest.raises(BadContainer, match="4294967296 bytes"):
        write_header(Header(Version(1), 1 << 32, 0))


@pytest.mark.parametrize("text", ["0.0.0", "1.2.3", "255.255.65535+4294967295"])
def test_a_version_is_read_as_it_was_written(text: str) -> None:
    assert str(Version.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "1.2.3-rc1", "256.0.0", "1.256.0", "1.0.65536", "-1.0.0", "1.2.3.4", "١.٢.٣"]
)
def test_a_version_that_the_header_has_no_room_for_is_refused(text: str) -> None:
    with pytest.raises(BadContainer, match="must be MAJOR"):
        Version.parse(text)


def test_newer_versions_are_greater() -> None:
    assert Version.parse("1.10.0") > Version.parse("1.9.9+7")


def test_tlvs_are_read_as_they_were_written() -> None:
    values = [Tlv(0x50, b"abcd"), Tlv(0xA0, b"")]
    data = write_area(PROTECTED_MAGIC, values)
    assert len(data) == area_bytes(values) == area_length(data[:4], PROTECTED_MAGIC)
    assert read_area(data, PROTECTED_MAGIC) == {0x50: b"abcd", 0xA0: b""}


AREA = write_area(PLAIN_MAGIC, [Tlv(1, b"abcd")])


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (AREA[:3], "ends before its TLVs"),
        (b"\x08\x69" + AREA[2:], "begins with 0x6908"),
        (AREA[:2] + b"\3\0", "length 3"),
        (AREA + b"\0", "claims 12 bytes, there are 13"),
        (AREA[:6] + b"\5\0" + AREA[8:], "0x0001 points past"),
        (b"\x07\x69\x06\0\1\0", "points past"),
        (write_area(PLAIN_MAGIC, [Tlv(1, b""), Tlv(1, b"")]), "0x0001 is there twice"),
    ],
)
def test_another_tlv_area_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(BadContainer, match=complaint):
        read_area(data, PLAIN_MAGIC)


def test_tlvs_that_are_too_long_for_the_format_are_not_written() -> None:
    with pytest.raises(BadContainer, match="TLVs have"):
        write_area(PROTECTED_MAGIC, [Tlv(0xA0, bytes(65535))])
