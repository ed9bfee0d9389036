"""FastAPI with uvicorn as a peer: started on loopback, asked over connections that stay open."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.serving import free_port
from edgert_tools.cache import cache_folder, keep, work_folder

PACKAGES = ("fastapi>=0.115,<1", "uvicorn[standard]>=0.30,<1")
START_S, PIP_TIMEOUT_S = 60.0, 600


def peer_folder() -> Path:
    """The folder with the peer's packages, fetched once."""
    folder = cache_folder() / "peers" / f"fastapi-py{sys.version_info.major}{sys.version_info.minor}"
    if not folder.is_dir():
        options = ["--only-binary=:all:", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]
        with work_folder() as work:
            command = [sys.executable, "-m", "pip", "install", *options, "--target", str(work / "site"), *PACKAGES]
            subprocess.run(command, check=True, timeout=PIP_TIMEOUT_S)
            keep(work / "site", folder)
    return folder


@contextlib.contextmanager
def http_peer(bundle: Path) -> Iterator[tuple[int, int]]:
    """Run the peer; gives its port and process id."""
    port = free_port()
    path = os.pathsep.join([str(Path.cwd()), str(peer_folder()), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    command = [sys.executable, "-m", "uvicorn", "benchmarks.service_parts.http_app:app"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning", "--no-access-log"]
    environment = os.environ | {"PYTHONPATH": path, "EDGERT_BENCH_BUNDLE": str(bundle.resolve())}
    process = subprocess.Popen(command, env=environment)
    try:
        deadline = time.monotonic() + START_S
        while True:
            with contextlib.suppress(OSError):
                HttpLoad(port, 1).run(["hello"])
                break
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("the HTTP peer did not start")
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


class HttpLoad:
    """A closed loop over some open connections.

    Attributes:
        each_s: seconds of each request.
        inside_s: seconds of the model in each, as the peer says.
    """

    def __init__(self, port: int, connections: int) -> None:
        self._sockets = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(connections)]
        for one in self._sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.each_s: list[float] = []
        self.inside_s: list[float] = []

    def run(self, texts: list[str]) -> float:
        """Ask for all texts; seconds that it took."""
        waiting, started = iter(texts), time.perf_counter()
        sent_at: dict[socket.socket, float] = {}
        with selectors.DefaultSelector() as selector:
            for one in self._sockets:
                selector.register(one, selectors.EVENT_READ)
                self._send(one, waiting, sent_at)
            while sent_at:
                for key, _ in selector.select():
                    answered = key.fileobj
                    assert isinstance(answered, socket.socket)
                    body = _read(answered)
                    self.each_s.append(time.perf_counter() - sent_at.pop(answered))
                    self.inside_s.append(json.loads(body)["infer_us"] / 1e6)
                    self._send(answered, waiting, sent_at)
        return time.perf_counter() - started

    def _send(self, one: socket.socket, waiting: Iterator[str], sent_at: dict[socket.socket, float]) -> None:
        text = next(waiting, None)
        if text is None:
            return
        body = json.dumps({"text": text}).encode()
        lines = ("POST /infer HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}")
        sent_at[one] = time.perf_counter()
        one.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def _read(one: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += one.recv(1 << 16) or _closed()
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += one.recv(1 << 16) or _closed()
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the HTTP peer says {body[:200]!r}")
    return body


def _closed() -> bytes:
    raise ConnectionError("the HTTP peer closed the connection")
