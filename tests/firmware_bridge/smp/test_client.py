"""The asking side alone, against a link that answers as it is told."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

import pytest

from firmware_bridge.errors import BadTarget, LinkLost, NotThere, PeerRefused
from firmware_bridge.framing import CobsDecoder
from firmware_bridge.smp.client import Channel, Client, CobsFraming, Framing, Params, RawFraming, framing_named
from firmware_bridge.smp.client_pieces import LEAST_BYTES, PieceSize
from firmware_bridge.smp.client_window import Asks, Window
from firmware_bridge.smp.message import READ, WRITE, Message, read_message

Body = Mapping[str, object]


class Peer:
    """A link whose other end answers each message at once; None is silence. `asked` has what came."""

    datagrams = True

    def __init__(self, answer: Callable[[Message], Body | None]) -> None:
        self.asked: list[Message] = []
        self._answer, self.waiting = answer, deque[bytes]()

    def write(self, data: bytes) -> None:
        message = read_message(data)
        self.asked.append(message)
        body = self._answer(message)
        if body is not None:
            self.waiting.append(message.answer(body).to_bytes())

    def read(self, timeout_s: float) -> bytes:
        if not self.waiting:
            time.sleep(min(timeout_s, 0.01))
        return self.waiting.popleft() if self.waiting else b""

    def set_baud(self, baud: int) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""


def client_of(answer: Callable[[Message], Body | None]) -> tuple[Client, Peer]:
    peer = Peer(answer)
    return Client(Channel(peer), timeout_s=0.03, tries=3), peer


def test_a_request_that_gets_no_answer_is_sent_again_and_then_given_up() -> None:
    client, peer = client_of(lambda message: None)
    with pytest.raises(LinkLost, match="asked 3 times"):
        client.echo("x")
    assert len(peer.asked) == 3
    assert len({message.sequence for message in peer.asked}) == 3


def test_the_answer_to_a_request_before_is_not_taken_for_this_one() -> None:
    answers = iter([None, None, None, {"r": "second"}])
    client, peer = client_of(lambda message: next(answers))
    with pytest.raises(LinkLost):
        client.echo("first")
    peer.waiting.append(peer.asked[0].answer({"r": "first, and late"}).to_bytes())
    assert client.echo("second") == "second"


def test_a_late_answer_to_an_earlier_try_of_the_same_request_counts() -> None:
    tries: list[Message] = []

    def answer(message: Message) -> Body | None:
        tries.append(message)
        if len(tries) == 2:
            peer.waiting.append(tries[0].answer({"r": "of the first try"}).to_bytes())
        return None

    client, peer = client_of(answer)
    assert client.echo("x") == "of the first try"


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ({"rc": 8}, NotThere, "has no group 0"),
        ({"rc": 3}, PeerRefused, "EINVAL"),
        ({"rc": 3, "rsn": "too long"}, PeerRefused, "too long"),
        ({"err": {"group": 1, "rc": 9}}, PeerRefused, "error 9 of group 1"),
        ({"err": {"group": 0x4547, "rc": 6}, "word": "downgrade", "rsn": "counter 1"}, PeerRefused, "counter 1"),
        ({"rc": 77}, PeerRefused, "error 77"),
    ],
)
def test_a_refusal_is_told_in_the_board_s_words(body: Body, error: type[Exception], words: str) -> None:
    client, _ = client_of(lambda message: body)
    with pytest.raises(error, match=words) as told:
        client.echo("x")
    if "word" in body:
        assert told.value.code == body["word"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "noise", [b"", b"\x00", b"text\n", bytes(8), b"\x0b\x00\x00\x05\x00\x00\x00\x00abcde", bytes(9000)]
)
def test_noise_is_passed_over(noise: bytes) -> None:
    client, peer = client_of(lambda message: {"r": "x"})
    peer.waiting.append(noise)
    assert client.echo("x") == "x"


@pytest.mark.parametrize(
    ("body", "params"),
    [
        ({"buf_size": 1024, "buf_count": 4}, Params(1024, 4)),
        ({"buf_size": 2048, "buf_count": 4}, Params(1400, 4)),  # the peer is a datagram link
        ({"buf_size": 10**9, "buf_count": 10**9}, Params(1400, 64)),
        ({"buf_size": 10, "buf_count": 4}, Params()),
        ({"buf_size": "large", "buf_count": 4}, Params()),
        ({"rc": 8}, Params()),
        ({}, Params()),
    ],
)
def test_what_a_board_says_of_its_buffers_is_believed_within_reason(body: Body, params: Params) -> None:
    client, _ = client_of(lambda message: body)
    assert client.params() == params


def requests(count: int) -> tuple[list[int], list[int], Asks[int]]:
    waiting, done, lost = deque(range(count)), list[int](), list[int]()

    def ask() -> tuple[int, Message] | None:
        number = waiting.popleft() if waiting else None
        return None if number is None else (number, Message(WRITE, 1, 1, {"n": number}))

    def again(number: int) -> None:
        lost.append(number)
        waiting.append(number)

    return done, lost, Asks(ask, lambda number, body: done.append(number), again)


def test_a_window_asks_all_and_only_what_was_lost_again() -> None:
    silent = {3, 10}

    def answer(message: Message) -> Body | None:
        number = message.body["n"]
        assert isinstance(number, int)
        if number in silent:
            silent.discard(number)
            return None
        return {}

    done, lost, asks = requests(40)
    peer = Peer(answer)
    Window(Channel(peer), 8, 1 << 20).run(asks)
    assert sorted(done) == list(range(40))
    assert lost == [3, 10]
    assert len(peer.asked) == 42


def test_a_window_never_has_more_under_way_than_it_may() -> None:
    most = [0]
    done, _, asks = requests(100)
    peer = Peer(lambda message: {})
    window = Window(Channel(peer), 4, 1 << 20)
    send = peer.write

    def write(data: bytes) -> None:
        send(data)
        most[0] = max(most[0], window.under_way + 1)

    peer.write = write  # type: ignore[method-assign]
    window.run(asks)
    assert len(done) == 100
    assert most[0] <= 4


def test_a_window_without_any_answer_gives_up_in_time() -> None:
    _, _, asks = requests(5)
    begun_s = time.monotonic()
    with pytest.raises(LinkLost, match="no answer"):
        Window(Channel(Peer(lambda message: None)), 4, 1 << 20, patience_s=0.6).run(asks)
    assert time.monotonic() - begun_s < 3


def test_a_refusal_ends_a_window() -> None:
    _, _, asks = requests(5)
    with pytest.raises(PeerRefused, match="ENOMEM"):
        Window(Channel(Peer(lambda message: {"rc": 2})), 4, 1 << 20).run(asks)


def test_pieces_shrink_with_losses_and_stay_within_their_limits() -> None:
    pieces = PieceSize(8000)
    for _ in range(200):
        pieces.sent(4000)
        pieces.answered(4000)
    assert pieces.bytes > 4000
    for _ in range(50):
        pieces.lost(4000)
    small = pieces.bytes
    assert LEAST_BYTES <= small < 1500
    for _ in range(100_000):
        pieces.lost(10)
    assert pieces.bytes == LEAST_BYTES
    assert PieceSize(20).bytes == 20


def test_after_a_loss_nothing_larger_is_sent_than_what_was_answered() -> None:
    pieces = PieceSize(380)
    pieces.sent(380)
    pieces.lost(380)
    assert pieces.bytes <= 190
    for _ in range(1000):
        pieces.sent(100)
        pieces.answered(100)
    assert pieces.bytes <= 190


@pytest.mark.parametrize("framing", [CobsFraming(), RawFraming(), framing_named("console")])
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_framing_reads_what_it_writes_however_it_is_cut(framing: Framing, step: int) -> None:
    messages = [Message(READ, 0, 0, {"d": "x" * size}).to_bytes() for size in (0, 1, 300)]
    wire = b"".join(framing.encode(message) for message in messages)
    found = [one for at in range(0, len(wire), step) for one in framing.feed(wire[at : at + step])]
    assert found == messages


def test_a_cobs_frame_is_found_behind_the_rest_of_another_framing() -> None:
    message = Message(READ, 0, 0, {}).to_bytes()
    assert CobsDecoder().feed(b"console text\n" + CobsFraming().encode(message)) == [message]


def test_a_framing_that_does_not_exist_is_a_bad_target() -> None:
    with pytest.raises(BadTarget, match="morse"):
        framing_named("morse")
