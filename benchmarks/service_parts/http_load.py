"""HTTP on bare sockets that stay open: nothing but the kernel stands between the load and a peer."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class HttpLoad:
    """What a load did: seconds in all, and seconds and the answer's body of each request, in the order they came."""

    seconds: float
    each_s: list[float]
    bodies: list[bytes]


class HttpConnections:
    """Some open connections to a server on loopback, and a closed loop over them."""

    def __init__(self, port: int, path: str, body: Callable[[str], bytes], connections: int) -> None:
        self._path, self._body = path, body
        self._sockets = [socket.create_connection(("127.0.0.1", port), TIMEOUT_S) for _ in range(connections)]
        for one in self._sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._sockets:
            one.close()

    def run(self, texts: list[str]) -> HttpLoad:
        """Ask for all texts, one on each connection at a time; answers are only kept, not read.

        Raises:
            OSError: the server closed a connection, was silent for a minute, or answered anything but 200.
        """
        requests = iter([self._request(text) for text in texts])
        each_s, bodies, sent_at = list[float](), list[bytes](), dict[socket.socket, float]()
        started = time.perf_counter()
        with selectors.DefaultSelector() as selector:
            for one in self._sockets:
                selector.register(one, selectors.EVENT_READ)
                _send_next(one, requests, sent_at)
            while sent_at:
                ready = selector.select(TIMEOUT_S)
                if not ready:
                    raise TimeoutError(f"the server was silent for {TIMEOUT_S:g} s")
                for key, _ in ready:
                    answered = key.fileobj
                    assert isinstance(answered, socket.socket)
                    bodies.append(read_answer(answered))
                    each_s.append(time.perf_counter() - sent_at.pop(answered))
                    _send_next(answered, requests, sent_at)
        return HttpLoad(time.perf_counter() - started, each_s, bodies)

    def _request(self, text: str) -> bytes:
        body = self._body(text)
        lines = (
            f"POST {self._path} HTTP/1.1",
            "Host: 127.0.0.1",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        return "\r\n".join([*lines, "", ""]).encode() + body


def _send_next(one: socket.socket, requests: Iterator[bytes], sent_at: dict[socket.socket, float]) -> None:
    request = next(requests, None)
    if request is not None:
        sent_at[one] = time.perf_counter()
        one.sendall(request)


def read_answer(one: socket.socket) -> bytes:
    """The body of one answer, which must be a 200 with a Content-Length.

    Raises:
        ConnectionError: closed in the middle, another status, or a body without a length.
    """
    data = b""
    while b"\r\n\r\n" not in data:
        data += one.recv(1 << 16) or _closed()
    head, _, body = data.partition(b"\r\n\r\n")
    status, *fields = head.lower().split(b"\r\n")
    length = next((field.split(b":")[1] for field in fields if field.startswith(b"content-length:")), None)
    if length is None:
        raise ConnectionError(f"the server sends no content-length: {head[:200]!r}")
    while len(body) < int(length):
        body += one.recv(1 << 16) or _closed()
    if status.split()[1] != b"200":
        raise ConnectionError(f"the server answers {status.decode(errors='replace')}: {body[:200]!r}")
    return body


def _closed() -> bytes:
    raise ConnectionError("the server closed the connection")
