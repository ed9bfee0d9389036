"""A server over a store in a folder, a client that hands it messages, and a PTY to reach it by."""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import tty
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_runtime.bundle.store.disk import RealDisk
from edge_runtime.bundle.store.store import Store
from firmware_bridge.errors import LinkLost
from firmware_bridge.smp import edgert_group as ours
from firmware_bridge.smp.fields import read_fields, write_fields
from firmware_bridge.smp.hub import Hub, open_hub
from firmware_bridge.smp.message import READ, VERSION_2, WRITE, Message, read_message
from firmware_bridge.smp.server import Server
from firmware_bridge.smp.session import Session
from tests.edge_runtime.bundle.signed import TRUST, opened

FILES_BYTES = 1 << 20


class HubBench:
    """A hub whose resets are counted; `again` is what a restart of the process makes of it."""

    def __init__(self, root: Path, *, patience_s: float = 60.0) -> None:
        self.root, self.resets = root, 0
        self.store = Store(RealDisk(root), lambda: TRUST)
        self.hub: Hub = open_hub(
            "hub-1",
            root,
            self.store,
            lambda: TRUST,
            reset=self._reset,
            files_bytes=FILES_BYTES,
            patience_s=patience_s,
        )
        self.server = Server(self.hub)
        self.client = Client(self.server)

    def _reset(self) -> None:
        self.resets += 1

    def again(self) -> HubBench:
        """After a power cut: nothing is closed, all that was in memory is gone."""
        return HubBench(self.root)


class Client:
    """Asks a server without any link between."""

    def __init__(self, server: Server, name: str = "test", version: int = VERSION_2) -> None:
        self.server, self.session, self.version = server, Session(name), version
        self._sequence = 0

    def ask(self, op: int, group: int, command: int, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """One request; the map of its answer."""
        self._sequence = (self._sequence + 1) % 256
        sent = Message(op, group, command, body or {}, self._sequence, self.version)
        said = self.server.answer(sent.to_bytes(), self.session)
        assert said is not None
        answer = read_message(said)
        assert (answer.op, answer.group, answer.command) == (op + 1, group, command)
        assert (answer.sequence, answer.version) == (self._sequence, self.version)
        self.session.see_to_the_rest()
        return dict(answer.body)

    def read(self, group: int, command: int, **body: object) -> dict[str, Any]:
        return self.ask(READ, group, command, body)

    def write(self, group: int, command: int, **body: object) -> dict[str, Any]:
        return self.ask(WRITE, group, command, body)

    def ours(self, command: ours.Command, request: object) -> dict[str, Any]:
        """A request of our own group."""
        return self.ask(WRITE, ours.GROUP, command, write_fields(request))

    # --- standard upload ---------------------------------------------------------------------------------------------

    def upload(self, data: bytes, chunk: int = 2000, upto: int | None = None, sha: bytes | None = None) -> Any:
        """Send an image, at least `upto` bytes of it; the last answer."""
        offset, said = 0, {}
        while offset < (len(data) if upto is None else upto):
            first = {"len": len(data), "sha": sha or hashlib.sha256(data).digest(), "image": 0} if not offset else {}
            said = self.write(1, 1, off=offset, data=data[offset : offset + chunk], **first)
            if "off" not in said or (said["off"] == offset and "match" not in said):
                return said
            offset = said["off"]
        return said

    def images(self) -> dict[int, dict[str, Any]]:
        """Slot number -> what is in it, of the first image."""
        return {one["slot"]: one for one in self.read(1, 0)["images"] if one["image"] == 0}

    # --- our group ---------------------------------------------------------------------------------------------------

    def offer(self, manifest: bytes, chunk: int = 700) -> dict[str, Any]:
        """Offer a signed manifest in pieces; the last answer."""
        name, said = hashlib.sha256(manifest).digest(), {}
        for at in range(0, len(manifest), chunk):
            piece = ours.OfferRequest(name, at, len(manifest), manifest[at : at + chunk])
            said = self.ours(ours.Command.OFFER, piece)
            if "off" not in said:
                break
        return said

    def put(self, content: bytes, at: int, size: int, /, **changed: object) -> dict[str, Any]:
        """Put a piece of an object, as it is."""
        piece = content[at : at + size]
        fields = {"object": hashlib.sha256(content).digest(), "off": at, "data": piece, "crc": zlib.crc32(piece)}
        return self.ask(WRITE, ours.GROUP, ours.Command.PUT, fields | changed)

    def status(self, **what: bytes) -> ours.StatusAnswer:
        """Of a bundle or an object."""
        return read_fields(ours.StatusAnswer, self.read(ours.GROUP, ours.Command.STATUS, **what))


def parts_of(bundle: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The signed manifest in a bundle file, and its files by their paths."""
    found = opened(bundle)
    return found.signed.data, {entry.path: b"".join(content) for entry, content in found.files()}


class PtyLink:
    """The master of a PTY as a link; its other end is `path`, which others open as they open a serial port."""

    datagrams = False

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        for end in (self._master, self._slave):
            tty.setraw(end)
        self.path = os.ttyname(self._slave)  # held open, too: else reading fails whenever nobody has it open
        self.bauds: list[int] = []

    def read(self, timeout_s: float) -> bytes:
        try:
            ready, _, _ = select.select([self._master], [], [], timeout_s)
            return os.read(self._master, 65536) if ready else b""
        except OSError as error:
            raise LinkLost(f"pty: {error}") from error

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._master, left) :]
        except OSError as error:
            raise LinkLost(f"pty: {error}") from error

    def set_baud(self, baud: int) -> bool:
        self.bauds.append(baud)
        return True

    def close(self) -> None:
        for end in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(end)


@contextlib.contextmanager
def pty() -> Iterator[PtyLink]:
    link = PtyLink()
    try:
        yield link
    finally:
        link.close()
