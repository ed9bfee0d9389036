"""The bare HTTP client: answers are whole wherever they split, each connection waits, anything odd is an error."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from benchmarks.service_parts.http_load import HttpConnections, read_answer

ANSWER = b'HTTP/1.1 200 OK\r\nserver: x\r\nContent-Length: 13\r\n\r\n{"text": "a"}'
WAIT_S = 10.0


@pytest.mark.parametrize("cut", range(1, len(ANSWER)))
def test_an_answer_is_whole_wherever_its_pieces_split(cut: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(ANSWER[:cut])
        later = threading.Timer(0.0, theirs.sendall, [ANSWER[cut:]])
        later.start()
        assert read_answer(ours) == b'{"text": "a"}'
        later.join()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nlate", "http/1.1 503 busy: b'late'"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "no content-length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhal", "closed the connection"),
        (b"HTTP/1.1 200", "closed the connection"),
    ],
)
def test_anything_but_a_whole_200_is_an_error(said: bytes, message: str) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(said)
        with pytest.raises(ConnectionError, match=message):
            read_answer(ours)


def test_every_text_is_asked_once_and_no_connection_has_two_unanswered() -> None:
    asked: list[str] = []
    gate = threading.Barrier(3, timeout=WAIT_S)  # nobody is answered before three connections have asked

    def answer(head: bytes, body: bytes) -> bytes:
        gate.wait()
        assert head.startswith(b"POST /embed HTTP/1.1\r\n")
        asked.append(json.loads(body)["text"])
        return body

    texts = [str(number) for number in range(9)]
    with (
        _server(answer) as port,
        HttpConnections(port, "/embed", lambda text: json.dumps({"text": text}).encode(), 3) as connections,
    ):
        load = connections.run(texts)
    assert sorted(asked) == texts
    assert sorted(json.loads(body)["text"] for body in load.bodies) == texts
    assert len(load.each_s) == 9
    assert max(load.each_s) <= load.seconds


@contextmanager
def _server(answer: Callable[[bytes, bytes], bytes]) -> Iterator[int]:
    """A server with a thread a connection, which fails when a connection sends a request before its last answer."""
    listening = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve(one: socket.socket) -> None:
        with one:
            while data := one.recv(1 << 16):
                head, _, body = data.partition(b"\r\n\r\n")
                assert data.count(b"POST ") == 1
                said = answer(head, body)
                one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said) + said)

    def accept() -> None:
        while True:
            try:
                one, _ = listening.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(one,), daemon=True))
            threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for thread in (accepting, *threads):
            thread.join(WAIT_S)
