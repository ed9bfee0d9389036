"""Frames of all kinds, right, nearly right and wrong, against a whole server: `make fuzz-smp`.

    python -m tests.firmware_bridge.smp.fuzz_frames [FRAMES] [SEED]

Three in four are messages of a known command with fields that are partly right; the others are damaged messages, and
bytes of no kind. They go through framing and decoder, too. Nothing may break the server, and it must not grow.
"""

from __future__ import annotations

import hashlib
import json
import random
import resource
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.mqtt.contract.cbor import write_cbor
from firmware_bridge.smp.edgert_group import GROUP
from firmware_bridge.smp.message import READ, WRITE
from firmware_bridge.smp.session import Session
from firmware_bridge.smp.stream import Deframer, Framing, framed
from tests.edge_runtime.bundle.signed import bundle_bytes
from tests.firmware_bridge.smp.hub_bench import HubBench, parts_of

FRAMES = 1_000_000
IMAGE = bundle_bytes("1.0.0", 1)
MANIFEST, FILES = parts_of(bundle_bytes("1.1.0", 2))
MODEL = FILES["model.onnx"]
DIGESTS = [hashlib.sha256(one).digest() for one in (IMAGE, MANIFEST, MODEL)]
NUMBERS = [0, 1, 2, 31, 32, 100, 255, 256, 5000, 65535, 65536, 1 << 31, 1 << 32, 1 << 40, 1 << 63, (1 << 64) - 1, -1]
TEXTS = ["", "a", "s", "mode", "sha256", "crc32", "zlib", "zstd", "edgert_smp", "edgert/device", "/files/a", "../a"]
KEYS = ["d", "format", "query", "force", "boot_mode", "hash", "confirm", "off", "data", "len", "sha", "image", "slot"]
KEYS += ["upgrade", "name", "type", "val", "max_size", "index", "groups", "version", "baud", "bundle", "object", "crc"]
KEYS += ["codec", "size", "test"]
COMMANDS = [(0, 9), (1, 7), (2, 3), (3, 5), (8, 6), (10, 5), (GROUP, 6), (63, 2)]


@dataclass(frozen=True)
class Report:
    """What came of it: frames sent, messages answered, requests that broke the server, memory that was taken."""

    frames: int
    answered: int
    broken: int
    grown_mb: float
    seconds: float


class Fuzzer:
    """Frames, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def messages(self, count: int) -> Iterator[bytes]:
        for _ in range(count):
            kind = self._random.random()
            if kind < 0.75:
                yield self._message()
            elif kind < 0.95:
                yield self._damaged(self._message())
            else:
                yield self._random.randbytes(self._random.choice([0, 1, 7, 8, 9, 40, 300]))

    def framing(self) -> Framing:
        return "cobs" if self._random.random() < 0.5 else "console"

    def maybe_cut(self, wire: bytes) -> bytes:
        """The wire as it is, or with some bytes lost or changed."""
        return self._damaged(wire) if self._random.random() < 0.1 else wire

    def _message(self) -> bytes:
        group, commands = self._random.choice(COMMANDS)
        command = self._random.randrange(commands)
        first = self._random.choice([READ, WRITE, READ, WRITE, 1, 7]) | self._random.choice([0, 1, 1, 1, 2]) << 3
        body = write_cbor(self._sensible(group, command) if self._random.random() < 0.5 else self._fields())
        length = len(body) if self._random.random() < 0.98 else self._random.randrange(65536)
        head = bytes([first, 0]) + length.to_bytes(2, "big") + group.to_bytes(2, "big")
        return head + bytes([self._random.randrange(256), command]) + body

    def _sensible(self, group: int, command: int) -> dict[str, object]:
        """Fields that a command takes, but for one now and then."""
        at = self._random.randrange(0, 5200, 100)
        piece = MODEL[at : at + 300]
        body: dict[str, object] = {"name": "a" if group == 8 else "edgert/device", "off": at, "data": piece}
        if (group, command) == (1, 1):
            body |= {"data": IMAGE[at : at + 2000], "len": len(IMAGE), "sha": DIGESTS[0], "off": at}
        elif (group, command) == (GROUP, 1):
            at %= len(MANIFEST)
            body |= {"bundle": DIGESTS[1], "len": len(MANIFEST), "off": at, "data": MANIFEST[at : at + 2000]}
        elif group == GROUP:
            body |= {"object": DIGESTS[2], "crc": zlib.crc32(piece), "bundle": DIGESTS[1]}
        elif group == 8 and self._random.random() < 0.3:
            body |= {"off": 0, "len": 600}
        if self._random.random() < 0.3:
            body |= self._fields()
        return body

    def _fields(self) -> dict[str, object]:
        return {self._random.choice(KEYS): self._value(0) for _ in range(self._random.randrange(5))}

    def _value(self, depth: int) -> object:
        pick = self._random.randrange(8 if depth < 3 else 6)
        if pick < 2:
            return self._random.choice(NUMBERS)
        if pick == 2:
            return self._random.choice([*DIGESTS, b"", bytes(31), bytes(33), IMAGE[:400]])
        if pick == 3:
            return self._random.choice(TEXTS)
        if pick < 6:
            return self._random.choice([True, False, None, 1.5])
        return [self._value(depth + 1) for _ in range(3)] if pick == 6 else {"x": self._value(depth + 1)}

    def _damaged(self, data: bytes) -> bytes:
        found = bytearray(data)
        for _ in range(self._random.randrange(1, 4)):
            at = self._random.randrange(len(found) + 1)
            kind = self._random.randrange(4)
            if kind == 0 and at < len(found):
                found[at] ^= 1 << self._random.randrange(8)
            elif kind == 1:
                del found[at : at + self._random.randrange(1, 9)]
            elif kind == 2:
                found[at:at] = self._random.randbytes(self._random.randrange(1, 9))
            else:
                del found[at:]
        return bytes(found)


def run(count: int, seed: int, root: Path) -> Report:
    """Send so many frames to a server over `root`."""
    bench, fuzzer, answered = HubBench(root), Fuzzer(seed), 0
    deframer, session, begun_s = Deframer(), Session("fuzz"), time.monotonic()
    before_mb = _most_mb()
    for number, message in enumerate(fuzzer.messages(count)):
        found = [message]
        if number % 4 == 0:  # one in four the whole way, over a stream
            found = [one for _, one in deframer.feed(fuzzer.maybe_cut(framed(fuzzer.framing(), message)))]
        for one in found:
            answered += bench.server.answer(one, session) is not None
        session.see_to_the_rest()
    said = Report(
        count,
        answered,
        bench.hub.statistics.all()["broken"],
        _most_mb() - before_mb,
        time.monotonic() - begun_s,
    )
    bench.hub.close()
    return said


def _most_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else FRAMES
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    memory = Path("/dev/shm")  # syncing to a disk would be most of the time
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as root:
        said = run(count, seed, Path(root))
    sys.stdout.write(json.dumps(vars(said)) + "\n")
    sys.exit(0 if said.broken == 0 and said.grown_mb < 64 else 1)


if __name__ == "__main__":
    main()
