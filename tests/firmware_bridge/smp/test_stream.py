"""Console and COBS on one stream, whatever else is on it; and a link whose speed can change."""

from __future__ import annotations

import random
from collections import deque
from pathlib import Path

import pytest

from firmware_bridge.framing import CobsDecoder, ConsoleDecoder
from firmware_bridge.smp.edgert_group import FALL_BACK_S, GROUP
from firmware_bridge.smp.message import READ, WRITE, Message, read_message
from firmware_bridge.smp.session import Session
from firmware_bridge.smp.stream import Deframer, Framing, framed, serve_stream
from tests.firmware_bridge.smp.hub_bench import HubBench

FRAMINGS: list[Framing] = ["console", "cobs"]
ECHO = Message(WRITE, 0, 0, {"d": "hi"}, 9).to_bytes()


class ScriptedLink:
    """A link that gives pieces one after the other, moves the clock, and keeps what was written."""

    datagrams = False

    def __init__(self, *pieces: bytes, seconds: float = 0.0) -> None:
        self.pieces, self.sent, self.bauds = deque(pieces), bytearray(), list[int]()
        self.now_s, self._seconds = 0.0, seconds

    def read(self, timeout_s: float) -> bytes:
        self.now_s += self._seconds
        return self.pieces.popleft() if self.pieces else b""

    def write(self, data: bytes) -> None:
        self.sent += data

    def set_baud(self, baud: int) -> bool:
        self.bauds.append(baud)
        return True

    def close(self) -> None:
        """Nothing to let go of."""

    def ended(self) -> bool:
        return not self.pieces


def served(bench: HubBench, link: ScriptedLink, baud: int = 0) -> list[tuple[Framing, bytes]]:
    session = Session("scripted", can_change_baud=baud > 0)
    serve_stream(bench.server, link, session, link.ended, baud, lambda: link.now_s)
    return Deframer().feed(bytes(link.sent))


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_an_answer_has_the_framing_of_its_request_however_it_arrives(
    tmp_path: Path, framing: Framing, size: int
) -> None:
    wire = framed(framing, ECHO)
    pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
    ((said, answer),) = served(HubBench(tmp_path), ScriptedLink(*pieces))
    assert (said, read_message(answer).body) == (framing, {"r": "hi"})


def test_both_framings_may_take_turns_on_one_link(tmp_path: Path) -> None:
    wires = [framed(framing, ECHO).lstrip(b"\0") for framing in ("cobs", "console", "cobs", "console")]
    said = served(HubBench(tmp_path), ScriptedLink(*wires))
    assert [framing for framing, _ in said] == ["cobs", "console", "cobs", "console"]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_noise_and_log_text_before_a_frame_do_no_harm(tmp_path: Path, framing: Framing) -> None:
    noise = random.Random(3).randbytes(3000) + b"\r\n[00:01] boot: ready\r\n\0"
    said = served(HubBench(tmp_path), ScriptedLink(noise, framed(framing, ECHO)))
    assert said == [(framing, Message(WRITE, 0, 0, {"d": "hi"}, 9).answer({"r": "hi"}).to_bytes())]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_damaged_frame_is_never_answered(tmp_path: Path, framing: Framing) -> None:
    wire = framed(framing, ECHO)
    damaged = [wire[:at] + bytes([wire[at] ^ 0x11]) + wire[at + 1 :] for at in range(len(wire) - 1)]
    said = served(HubBench(tmp_path), ScriptedLink(*(one + b"\0\n" for one in damaged)))
    assert said == []


def test_two_cobs_frames_whose_delimiter_was_lost_are_no_message(tmp_path: Path) -> None:
    wire = framed("cobs", ECHO)[:-1] + framed("cobs", ECHO)[1:]
    assert served(HubBench(tmp_path), ScriptedLink(wire)) == []


def test_endless_noise_without_any_end_takes_no_memory() -> None:
    deframer, noise = Deframer(), bytes(range(1, 10)) * 1000
    for _ in range(200):
        assert deframer.feed(noise) == []
    held = [len(decoder._partial) for decoder in (deframer._console, deframer._cobs._pieces)]
    assert max(held) < 64 << 10


@pytest.mark.parametrize("decoder", [ConsoleDecoder, CobsDecoder])
def test_neither_decoder_takes_the_others_frames_for_its_own(decoder: type) -> None:
    other: Framing = "cobs" if decoder is ConsoleDecoder else "console"
    source = random.Random(4)
    for _ in range(500):
        message = Message(WRITE, 8, 0, {"off": 0, "data": source.randbytes(source.randrange(200))}).to_bytes()
        assert decoder().feed(framed(other, message)) == []


def test_lines_inside_of_a_cobs_frame_are_nothing_special() -> None:
    message = Message(WRITE, 8, 0, {"data": b"a\nb\r\n\x06\x09AAAA\n" * 9}).to_bytes()
    assert Deframer().feed(framed("console", ECHO) + framed("cobs", message)[1:]) == [
        ("console", ECHO),
        ("cobs", message),
    ]


# --- speed ---


def hello(baud: int) -> bytes:
    return framed("console", Message(READ, GROUP, 0, {"baud": baud}, 1).to_bytes())


def test_the_speed_changes_after_the_answer_and_stays_when_frames_come(tmp_path: Path) -> None:
    link = ScriptedLink(hello(921600), framed("cobs", ECHO), *[b""] * 9, seconds=FALL_BACK_S / 4)
    said = served(HubBench(tmp_path), link, baud=115200)
    assert read_message(said[0][1]).body["baud"] == 921600
    assert link.bauds == [921600]


def test_the_speed_goes_back_when_no_whole_frame_comes(tmp_path: Path) -> None:
    link = ScriptedLink(
        hello(3_000_000), *[b"\xf3\x00\xffgarbage"] * 9, framed("console", ECHO), seconds=FALL_BACK_S / 4
    )
    said = served(HubBench(tmp_path), link, baud=115200)
    assert link.bauds == [3_000_000, 115200]
    assert len(said) == 2


def test_a_link_without_a_speed_says_that_nothing_changes(tmp_path: Path) -> None:
    link = ScriptedLink(hello(921600))
    ((_, answer),) = served(HubBench(tmp_path), link)
    assert "baud" not in read_message(answer).body
    assert link.bauds == []
