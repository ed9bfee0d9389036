"""The ways in: UDP and TCP ports and serial devices, each on a thread of its own.

SMP knows no authentication: whoever reaches a way in may offer bundles, read what is active, and write into the folder
of files. What runs is decided by signatures alone. So ports listen on the loopback interface unless somebody says
otherwise.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from edge_runtime.errors import ConfigError, EdgertError
from firmware_bridge.link import Link, LinkAddress, SocketLink, open_link
from firmware_bridge.smp.limits import MOST_TCP_LINKS, MOST_UDP_CLIENTS
from firmware_bridge.smp.server import Server
from firmware_bridge.smp.session import Session
from firmware_bridge.smp.stream import serve_stream

log = logging.getLogger("edgert.smp")

_LOOK_S = 0.25
_MOST_DATAGRAM_BYTES = 65535
_AGAIN_S = (0.5, 1.0, 2.0, 5.0)  # how long to wait before a device that went away is opened again


@dataclass(frozen=True)
class Ways:
    """Where to listen; a port of None is not listened on, 0 is any that is free."""

    host: str = "127.0.0.1"
    udp_port: int | None = None
    tcp_port: int | None = None
    devices: tuple[LinkAddress, ...] = ()


class Listener:
    """Answers over several links at once.

    Args:
        server: what answers.
        ways: where to listen.
        open_device: opens a serial device; it is opened again whenever it has gone.
    """

    def __init__(self, server: Server, ways: Ways, open_device: Callable[[LinkAddress], Link] = open_link) -> None:
        self._server, self.ways, self._open_device = server, ways, open_device
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._room = threading.BoundedSemaphore(MOST_TCP_LINKS)
        self._udp = _bound(socket.SOCK_DGRAM, ways.host, ways.udp_port)
        try:
            self._tcp = _bound(socket.SOCK_STREAM, ways.host, ways.tcp_port)
        except ConfigError:
            if self._udp is not None:
                self._udp.close()
            raise

    @property
    def udp_port(self) -> int:
        """The port that is listened on; 0: none."""
        return int(self._udp.getsockname()[1]) if self._udp else 0

    @property
    def tcp_port(self) -> int:
        """The port that is listened on; 0: none."""
        return int(self._tcp.getsockname()[1]) if self._tcp else 0

    def start(self) -> None:
        """Start answering."""
        if self._udp is not None:
            self._begin("udp", partial(self._serve_udp, self._udp))
        if self._tcp is not None:
            self._begin("tcp", partial(self._accept, self._tcp))
        for address in self.ways.devices:
            self._begin(str(address), partial(self._serve_device, address))

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop answering, and let go of all ways in."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout_s)
        for listening in (self._udp, self._tcp):
            if listening is not None:
                listening.close()

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=f"edgert-smp-{name}", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    # --- UDP ---------------------------------------------------------------------------------------------------------

    def _serve_udp(self, listening: socket.socket) -> None:
        sessions: OrderedDict[object, Session] = OrderedDict()
        listening.settimeout(_LOOK_S)
        while not self._stopped.is_set():
            try:
                data, peer = listening.recvfrom(_MOST_DATAGRAM_BYTES)
            except TimeoutError:
                continue
            except OSError as error:  # an answer to somebody who has gone is reported here
                log.debug("udp: %s", error)
                continue
            session = sessions.pop(peer, None) or self._session(f"udp {peer[0]}:{peer[1]}")
            sessions[peer] = session
            if len(sessions) > MOST_UDP_CLIENTS:
                sessions.popitem(last=False)
            answer = self._server.answer(data, session)
            if answer is not None:
                with contextlib.suppress(OSError):  # the client asks again
                    listening.sendto(answer, peer)
            session.see_to_the_rest()

    def _session(self, link: str, baud: int = 0) -> Session:
        self._server.hub.statistics.add("links")
        return Session(link, can_change_baud=baud > 0)

    # --- TCP ---------------------------------------------------------------------------------------------------------

    def _accept(self, listening: socket.socket) -> None:
        listening.settimeout(_LOOK_S)
        while not self._stopped.is_set():
            try:
                accepted, peer = listening.accept()
            except (TimeoutError, OSError):
                continue
            name = f"tcp {peer[0]}:{peer[1]}"
            if not self._room.acquire(blocking=False):
                log.warning("%s: turned away, %d links are the most", name, MOST_TCP_LINKS)
                accepted.close()
                continue
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._begin(name, partial(self._serve_tcp, SocketLink(accepted, name), name))

    def _serve_tcp(self, link: Link, name: str) -> None:
        try:
            self._serve(link, name)
        except EdgertError as error:
            log.info("%s", error)
        finally:
            link.close()
            self._room.release()

    def _serve(self, link: Link, name: str, baud: int = 0) -> None:
        serve_stream(self._server, link, self._session(name, baud), self._stopped.is_set, baud)

    # --- serial ------------------------------------------------------------------------------------------------------

    def _serve_device(self, address: LinkAddress) -> None:
        """Serve a device; whenever it goes away, wait for it to come back."""
        failures, last_said = 0, ""
        while not self._stopped.is_set():
            try:
                with contextlib.closing(self._open_device(address)) as link:
                    log.info("%s is served", address)
                    failures, last_said = 0, ""
                    self._serve(link, str(address), address.baud)
            except EdgertError as error:
                if str(error) != last_said:  # once, not every few seconds
                    log.warning("%s", error)
                    last_said = str(error)
            self._stopped.wait(_AGAIN_S[min(failures, len(_AGAIN_S) - 1)])
            failures += 1


def _bound(kind: socket.SocketKind, host: str, port: int | None) -> socket.socket | None:
    if port is None:
        return None
    try:
        family, _, protocol, _, where = socket.getaddrinfo(host, port, type=kind)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}: {error.strerror or error}") from error
    try:
        if kind == socket.SOCK_STREAM:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        if kind == socket.SOCK_STREAM:
            listening.listen(MOST_TCP_LINKS)
    except OSError as error:
        listening.close()
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return listening
