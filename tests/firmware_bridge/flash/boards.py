"""Boards to flash: the real SMP server on a real store, at the other end of any link."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from edge_runtime.bundle.container import bundle_file
from edge_runtime.bundle.container.keys import SigningKey
from edge_runtime.bundle.manifest import seal_bundle
from edge_runtime.bundle.store.disk import RealDisk
from edge_runtime.bundle.store.store import Admit, Store
from edge_runtime.bundle.target import Target
from edge_runtime.bundle.trust import Trust
from edge_runtime.errors import EdgertError
from firmware_bridge.link import Link
from firmware_bridge.smp.hub import open_hub
from firmware_bridge.smp.server import Server
from firmware_bridge.smp.session import Session
from firmware_bridge.smp.stream import serve_stream
from tests import tiny
from tests.edge_runtime.bundle.signed import ANY, KEYS, TRUST


def noise(size: int, seed: int) -> bytes:
    """Bytes that compress as little as good weights do."""
    return random.Random(seed).randbytes(size)


def make_bundle(
    out: Path,
    files: Mapping[str, bytes],
    version: str = "1.0.0",
    counter: int = 1,
    name: str = "tiny",
    key: SigningKey | None = KEYS["release"],
    target: Target = ANY,
) -> Path:
    """A signed bundle file whose `model.onnx` and other files hold what is given."""
    folder = out.with_name(out.name + ".folder")
    folder.mkdir()
    files = {"tokenizer.json": b"the same in all of them" * 10, **files}
    for path, content in files.items():
        (folder / path).write_bytes(content)
    made = tiny.manifest("classify", name)
    plain = made.__class__(**{**vars(made), "version": version, "counter": counter})
    seal_bundle(folder, plain, {path: "model" if path == "model.onnx" else "tokenizer" for path in files})
    bundle_file.build(folder, out, key, target)
    return out


class Board:
    """A store and the server on it; `serve` lets it answer over a link.

    Attributes:
        store: what it has.
        server: what answers.
    """

    def __init__(self, root: Path, admit: Admit = lambda signed: None, trust: Trust = TRUST) -> None:
        self.root = root
        self.store = Store(RealDisk(root), lambda: trust, admit)
        self.server = Server(open_hub("board", root, self.store, lambda: trust))

    @contextlib.contextmanager
    def serve(self, link: Link, baud: int = 0) -> Iterator[None]:
        """Answer over this link for as long as the block runs, or until the link ends."""
        stopped = threading.Event()
        thread = threading.Thread(target=self._serve, args=(link, stopped, baud), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join(10)
            assert not thread.is_alive()

    def _serve(self, link: Link, stopped: threading.Event, baud: int) -> None:
        with contextlib.suppress(EdgertError):
            serve_stream(self.server, link, Session("test", can_change_baud=baud > 0), stopped.is_set, baud)

    def close(self) -> None:
        """Let go of it."""
        self.server.hub.close()
