"""A far end that answers with given bytes: what no real broker can be made to send."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

from edge_runtime.mqtt.address import BrokerAddress

CONNACK = b"\x20\x03\x00\x00\x00"
DISCONNECT = b"\xe0\x00"
SUBACK = b"\x90\x04\x00\x01\x00\x01"  # packet id 1, no properties, QoS 1 granted


class FakeBroker:
    """Answers the n-th packet of every connection with the n-th answer, then keeps still until the client closes.

    An answer of None closes the connection. `connections` counts them; `heard` holds what came in, one per connection.
    """

    def __init__(self, *answers: bytes | None) -> None:
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = BrokerAddress("mqtt", "127.0.0.1", self._listener.getsockname()[1])
        self.connections = 0
        self.heard: list[bytes] = []
        self.closed_by_client = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> FakeBroker:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                with connection:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        heard = b""
        with contextlib.suppress(OSError):
            for answer in self._answers:
                heard += connection.recv(65_536)
                if answer is None:
                    break
                connection.sendall(answer)
            else:
                while not heard.endswith(DISCONNECT) and (chunk := connection.recv(65_536)):
                    heard += chunk
                self.closed_by_client.set()
        self.heard.append(heard)
