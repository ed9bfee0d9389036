"""The serial byte formats: golden bytes, every split of a read, damage, bounds."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import FrameError
from firmware_bridge.framing import (
    LINE_LIMIT,
    MAX_MESSAGE_BYTES,
    CobsDecoder,
    ConsoleDecoder,
    LineBuffer,
    cobs_decode,
    cobs_encode,
    encode_cobs,
    encode_console,
)

# Origin: wire logs of Apache's mcumgr command line tool talking to Zephyr boards.
CONSOLE_LOGS = [
    # github.com/zephyrproject-rtos/zephyr issue 39546: `mcumgr echo aa`
    (bytes.fromhex("0200000600004200a16164626161"), b"\x06\x09ABACAAAGAABCAKFhZGJhYUvx\n"),
    # github.com/apache/mynewt-mcumgr issue 167: `mcumgr image list`
    (bytes.fromhex("0000000100014200a0"), b"\x06\x09AAsAAAABAAFCAKD1Mw==\n"),
]

# Origin: documentation of `smp.packet.decode`, PyPI package smp 4.2.0: an image upload request in 15 lines.
UPLOAD_LINES = [
    "06094148344b41414230414147610a",
    "041441615a6a6247567544574e760a",
    "04145a6d59594b6d4e7a6147464d0a",
    "041464484a3163335167625755670a",
    "0414596e4a765a475268644746590a",
    "04145141414241674d45425159480a",
    "041443416b4b4377774e446738510a",
    "041445524954464255574678675a0a",
    "04144768736348523466494345690a",
    "04144979516c4a69636f4b536f720a",
    "04144c4330754c7a41784d6a4d300a",
    "04144e5459334f446b364f7a77390a",
    "0414506a396c615731685a3255410a",
    "04145a3356775a334a685a4758300a",
    "04147134673d0a",
]
UPLOAD_LINE_BYTES = 15

# Origin: encoding examples 1-11 of the English Wikipedia article on COBS (delimiter left off).
COBS_EXAMPLES = [
    ("00", "0101"),
    ("0000", "010101"),
    ("00110000", "0102110101"),
    ("11220033", "0311220233"),
    ("11223344", "0511223344"),
    ("11000000", "0211010101"),
    (bytes(range(1, 255)).hex(), "ff" + bytes(range(1, 255)).hex()),
    (bytes(range(255)).hex(), "01ff" + bytes(range(1, 255)).hex()),
    (bytes(range(1, 256)).hex(), "ff" + bytes(range(1, 255)).hex() + "02ff"),
    (bytes(range(2, 256)).hex() + "00", "ff" + bytes(range(2, 256)).hex() + "0101"),
    (bytes(range(3, 256)).hex() + "0001", "fe" + bytes(range(3, 256)).hex() + "0201"),
]


def smp_message(payload: bytes) -> bytes:
    """An SMP request of the OS group around `payload`."""
    return b"\x02\x00" + len(payload).to_bytes(2, "big") + b"\x00\x00\x07\x00" + payload


smp_messages = st.binary(max_size=700).map(smp_message)
# Bytes that matter to the formats come up more often than by chance.
hostile_bytes = st.lists(
    st.one_of(st.binary(max_size=12), st.sampled_from([b"\x06\x09", b"\x04\x14", b"\n", b"\x00", b"AA=="])),
    max_size=30,
).map(b"".join)


def chunks(data: bytes, sizes: list[int]) -> list[bytes]:
    """Cut `data` as a sequence of reads of these sizes would; the last read takes the rest."""
    parts, at = [], 0
    for size in sizes:
        parts.append(data[at : at + size])
        at += size
    return [*parts, data[at:]]


# --- lines ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", range(len(b"one\r\n\ntwo\n") + 1))
def test_lines_do_not_depend_on_where_reads_split(cut: int) -> None:
    wire = b"one\r\n\ntwo\n"
    buffer = LineBuffer()
    assert buffer.feed(wire[:cut]) + buffer.feed(wire[cut:]) == [b"one", b"", b"two"]


def test_a_line_without_its_end_is_kept_for_the_next_read() -> None:
    buffer = LineBuffer()
    assert buffer.feed(b"half") == []
    assert buffer.feed(b" line\n") == [b"half line"]


@pytest.mark.parametrize("cut", range(13))
def test_a_line_over_the_limit_is_dropped_whole_and_the_next_one_is_read(cut: int) -> None:
    wire = b"12345678\nok\n"
    buffer = LineBuffer(limit_bytes=5)
    assert buffer.feed(wire[:cut]) + buffer.feed(wire[cut:]) == [b"ok"]
    assert buffer.dropped_lines == 1


def test_a_line_of_exactly_the_limit_is_kept() -> None:
    buffer = LineBuffer(limit_bytes=5)
    assert buffer.feed(b"12345\n") == [b"12345"]
    assert buffer.dropped_lines == 0


# --- SMP console ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("message", "wire"), CONSOLE_LOGS)
def test_console_frames_are_byte_for_byte_those_of_mcumgr(message: bytes, wire: bytes) -> None:
    assert encode_console(message) == [wire]
    assert ConsoleDecoder().feed(wire) == [message]


def test_a_message_in_fifteen_lines_is_put_together_and_taken_apart_as_smp_does() -> None:
    wire = bytes.fromhex("".join(UPLOAD_LINES))
    (message,) = ConsoleDecoder().feed(wire)
    assert message[:8] == bytes.fromhex("0a00007400019a01")
    assert bytes(range(64)) in message
    assert b"".join(encode_console(message, line_limit=UPLOAD_LINE_BYTES)) == wire


@pytest.mark.parametrize("line_limit", [7, 8, 64, LINE_LIMIT, 128, 4096])
def test_no_console_line_is_longer_than_the_limit(line_limit: int) -> None:
    lines = encode_console(smp_message(bytes(500)), line_limit)
    assert max(map(len, lines)) <= line_limit
    assert [line[:2] for line in lines] == [b"\x06\x09"] + [b"\x04\x14"] * (len(lines) - 1)
    assert all(line.endswith(b"\n") and (len(line) - 3) % 4 == 0 for line in lines)


def test_a_full_line_uses_all_127_bytes() -> None:
    assert len(encode_console(smp_message(bytes(500)))[0]) == 127


@given(message=smp_messages, line_limit=st.integers(7, 300), sizes=st.lists(st.integers(0, 200), max_size=20))
def test_console_messages_survive_any_line_limit_and_any_split(
    message: bytes, line_limit: int, sizes: list[int]
) -> None:
    decoder = ConsoleDecoder()
    wire = b"".join(encode_console(message, line_limit))
    assert [got for part in chunks(wire, sizes) for got in decoder.feed(part)] == [message]
    assert (decoder.bad_frames, decoder.noise_bytes) == (0, 0)


TWO_MESSAGES = [smp_message(b"first" * 30), smp_message(b"second")]
TWO_WIRES = b"boot ok\r\n" + b"".join(b"".join(encode_console(m, 64)) + b"log \x06 text\n" for m in TWO_MESSAGES)


@pytest.mark.parametrize("cut", range(len(TWO_WIRES) + 1))
def test_console_messages_between_log_lines_are_found_wherever_reads_split(cut: int) -> None:
    decoder = ConsoleDecoder()
    assert decoder.feed(TWO_WIRES[:cut]) + decoder.feed(TWO_WIRES[cut:]) == TWO_MESSAGES
    assert decoder.bad_frames == 0
    assert decoder.noise_bytes == len(b"boot ok\r") + 2 * len(b"log \x06 text")


def test_log_text_without_an_end_of_line_does_not_cost_the_frame_behind_it() -> None:
    message, wire = CONSOLE_LOGS[0]
    decoder = ConsoleDecoder()
    assert decoder.feed(b"\xff\x80 wrong baud \x00\x06" * 1000 + wire) == [message]
    assert decoder.bad_frames == 0


def test_lines_may_end_with_carriage_return_and_newline() -> None:
    message = smp_message(b"x" * 200)
    wire = b"".join(encode_console(message)).replace(b"\n", b"\r\n")
    assert ConsoleDecoder().feed(wire) == [message]


def test_a_packet_cut_short_is_dropped_when_the_next_one_starts() -> None:
    lost, kept = smp_message(b"a" * 200), smp_message(b"b" * 200)
    decoder = ConsoleDecoder()
    wire = b"".join(encode_console(lost)[:-1] + encode_console(kept))
    assert decoder.feed(wire) == [kept]
    assert decoder.bad_frames == 1


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_lost_line_loses_its_packet_only(lost: int) -> None:
    lines = encode_console(smp_message(b"a" * 200))
    assert len(lines) == 3
    after = smp_message(b"after")
    decoder = ConsoleDecoder()
    assert decoder.feed(b"".join(lines[:lost] + lines[lost + 1 :] + encode_console(after))) == [after]
    assert decoder.bad_frames > 0


@pytest.mark.parametrize("at", range(len(b"".join(encode_console(TWO_MESSAGES[0], 64)))))
def test_one_flipped_bit_anywhere_never_gives_a_wrong_message(at: int) -> None:
    wire = bytearray(b"".join(encode_console(TWO_MESSAGES[0], 64)))
    wire[at] ^= 0x01
    decoder = ConsoleDecoder()
    messages = decoder.feed(bytes(wire) + b"\n" + b"".join(encode_console(TWO_MESSAGES[1])))
    assert messages == [TWO_MESSAGES[1]]


@pytest.mark.parametrize(
    "wire",
    [
        b"\x06\x09\n",  # no length
        b"\x06\x09AA==\n",  # half a length
        b"\x06\x09AAA=\n",  # length 0
        b"\x06\x09AAIAAA==\n",  # an empty message with a right CRC
        b"\x06\x09AAoA!AABAAFCAKD1Mw==\n",  # not base64
        b"\x06\x09AAsAAAABAAFCAKD1Mw=\n",  # padding cut off
        b"\x06\x09AAsAAAABAAFCAKD1NA==\n",  # wrong CRC
        b"\x06\x09AAoAAAABAAFCAKD1Mw==\n",  # more bytes than announced
        b"\x04\x14AAsAAAABAAFCAKD1Mw==\n",  # continues nothing
        encode_console(bytes.fromhex("0000000200014200a0"))[0],  # SMP header announces one byte more
    ],
)
def test_a_damaged_console_frame_is_counted_and_the_next_one_read(wire: bytes) -> None:
    message, good = CONSOLE_LOGS[0]
    decoder = ConsoleDecoder()
    assert decoder.feed(wire) == []
    assert decoder.bad_frames == 1
    assert decoder.feed(good) == [message]


def test_a_packet_that_announces_more_than_the_decoder_takes_is_refused_at_its_first_line() -> None:
    decoder = ConsoleDecoder(max_message_bytes=100)
    fits, too_long = smp_message(bytes(92)), smp_message(bytes(93))
    assert decoder.feed(b"".join(encode_console(fits))) == [fits]
    assert decoder.feed(encode_console(too_long)[0]) == []
    assert decoder.bad_frames == 1


def test_the_longest_message_goes_through_and_a_longer_one_is_refused_by_the_sender() -> None:
    longest = smp_message(bytes(MAX_MESSAGE_BYTES - 8))
    assert ConsoleDecoder().feed(b"".join(encode_console(longest))) == [longest]
    with pytest.raises(FrameError, match="65534 bytes, a console packet carries 65533"):
        encode_console(longest + b"\0")


def test_a_line_limit_without_room_for_four_characters_is_refused() -> None:
    with pytest.raises(FrameError, match="line limit is 6 bytes"):
        encode_console(b"12345678", line_limit=6)


# --- COBS ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("plain", "encoded"), COBS_EXAMPLES)
def test_cobs_gives_the_published_examples(plain: str, encoded: str) -> None:
    assert cobs_encode(bytes.fromhex(plain)).hex() == encoded
    assert cobs_decode(bytes.fromhex(encoded)).hex() == plain


def test_cobs_reads_the_form_with_an_empty_last_block() -> None:
    full = bytes(range(1, 255))  # MCUboot's cobs.c ends a full last block with a 01
    assert cobs_decode(b"\xff" + full + b"\x01") == full


@given(st.binary(max_size=1200) | st.binary(max_size=3).map(lambda b: b * 400))
def test_cobs_round_trips_and_costs_one_byte_in_254(data: bytes) -> None:
    encoded = cobs_encode(data)
    assert 0 not in encoded
    assert len(encoded) <= len(data) + max(1, -(-len(data) // 254))
    assert cobs_decode(encoded) == data


@pytest.mark.parametrize("encoded", ["0511", "ff0102", "02", "0211001122"])
def test_cobs_that_is_cut_or_holds_a_zero_is_refused(encoded: str) -> None:
    with pytest.raises(FrameError, match="COBS frame"):
        cobs_decode(bytes.fromhex(encoded))


COBS_MESSAGES = [smp_message(b"\x00first\x00" * 40), smp_message(b"second")]
COBS_WIRE = b"\x00" + b"".join(map(encode_cobs, COBS_MESSAGES))


@pytest.mark.parametrize("cut", range(len(COBS_WIRE) + 1))
def test_cobs_messages_do_not_depend_on_where_reads_split(cut: int) -> None:
    decoder = CobsDecoder()
    assert decoder.feed(COBS_WIRE[:cut]) + decoder.feed(COBS_WIRE[cut:]) == COBS_MESSAGES
    assert decoder.bad_frames == 0


@given(message=smp_messages, noise=hostile_bytes)
def test_cobs_finds_the_frame_behind_any_noise(message: bytes, noise: bytes) -> None:
    assert CobsDecoder().feed(noise + b"\x00" + encode_cobs(message))[-1] == message


def test_two_cobs_frames_whose_delimiter_was_lost_do_not_pass_as_one() -> None:
    # CRC16 with initial value 0 cannot see this: only the length in the SMP header does.
    first, second = encode_cobs(smp_message(b"one")), encode_cobs(smp_message(b"two"))
    decoder = CobsDecoder()
    assert decoder.feed(first[:-1] + second) == []
    assert decoder.bad_frames == 1
    assert decoder.feed(second) == [smp_message(b"two")]


@pytest.mark.parametrize("at", range(len(encode_cobs(COBS_MESSAGES[0]))))
def test_one_flipped_bit_in_a_cobs_frame_never_gives_a_wrong_message(at: int) -> None:
    wire = bytearray(encode_cobs(COBS_MESSAGES[0]))
    wire[at] ^= 0x10
    decoder = CobsDecoder()
    assert decoder.feed(bytes(wire) + b"\x00" + encode_cobs(COBS_MESSAGES[1])) == [COBS_MESSAGES[1]]


def test_a_cobs_frame_longer_than_the_limit_is_dropped_and_the_next_one_read() -> None:
    fits, too_long = smp_message(bytes(range(1, 93))), smp_message(b"\x01" * 93)
    decoder = CobsDecoder(max_message_bytes=100)
    assert decoder.feed(encode_cobs(fits) + encode_cobs(too_long) + encode_cobs(fits)) == [fits, fits]
    assert decoder.bad_frames == 1


# --- both ----------------------------------------------------------------------------------------------------


@given(noise=hostile_bytes, sizes=st.lists(st.integers(0, 40), max_size=8))
def test_decoders_take_any_bytes_without_raising_and_still_find_what_follows(noise: bytes, sizes: list[int]) -> None:
    message = smp_message(b"after the noise")
    console, cobs = ConsoleDecoder(), CobsDecoder()
    for part in chunks(noise, sizes):
        console.feed(part)
        cobs.feed(part)
    assert console.feed(b"\n" + b"".join(encode_console(message))) == [message]
    assert cobs.feed(b"\x00" + encode_cobs(message)) == [message]


@pytest.mark.parametrize("noise", [b"A" * 4096, b"\x06\x09" + b"A" * 4094, b"\x04\x14" * 2048, b"\xff" * 4096])
@pytest.mark.parametrize(
    "receiver", [LineBuffer(4096), ConsoleDecoder(4096), CobsDecoder(4096)], ids=lambda r: type(r).__name__
)
def test_endless_noise_without_a_delimiter_holds_no_memory(
    receiver: LineBuffer | ConsoleDecoder | CobsDecoder, noise: bytes
) -> None:
    tracemalloc.start()
    try:
        for _ in range(512):  # 2 MB
            receiver.feed(noise)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 64 * 1024  # a few times the 4 KB limit and the 4 KB read
