"""How fast a bundle goes over a serial cable, and how much of the cable it uses; beside smpclient, on the same cable.

    python -m benchmarks.flash [--json] [--output FILE]

The cable is two PTYs with a simulated speed and delay; the server is the board's. Rows of "again" send a second version
of which one file has changed. The weights do not compress, so that the wire is what is measured.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.service_parts.peer_venv import NoPeer, peer_python
from benchmarks.table import show
from firmware_bridge.flash.cargo import open_cargo
from firmware_bridge.flash.engine import flash
from firmware_bridge.flash.hub import HubTarget
from firmware_bridge.link import open_link, read_address
from firmware_bridge.loopback import BITS_A_BYTE
from firmware_bridge.smp.client import Channel
from firmware_bridge.smp.client_edgert import HubClient
from tests.firmware_bridge.flash.boards import Board, make_bundle, noise
from tests.firmware_bridge.serial_cable import SerialCable

PEER = ["--no-binary=crcmod", "smpclient[serial]==7.3.0", "smpmgr==0.19.1"]
SCRIPT = Path(__file__).parent / "flash_parts" / "smpclient_upload.py"
BUFFERS = (0, 2048, 384)  # of smpclient: what the server says (8192), what many boards have, Zephyr's default
_LIMIT_S = 300


@dataclass(frozen=True)
class Cable:
    """A kind of cable, and how much is sent over it."""

    baud: int
    latency_s: float
    size_bytes: int

    @property
    def plain(self) -> dict[str, object]:
        """Its cells of a row."""
        return {"baud": self.baud, "delay ms": self.latency_s * 1000}


CABLES = [Cable(115200, 0.001, 80_000), Cable(921600, 0.001, 500_000), Cable(3_000_000, 0.008, 1_000_000)]


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flash", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    options = parser.parse_args()
    try:
        peer = peer_python("smp-clients", PEER)
    except NoPeer as error:
        peer = None
        print(f"smpclient is not measured: {error}")
    rows = []
    for cable in CABLES:
        rows += [ours(cable, "cobs"), ours(cable, "console")]
        if peer is not None:
            rows += [smpclient(peer, cable, buffer_bytes) for buffer_bytes in BUFFERS]
    for row in rows:
        best = next(one for one in rows if one["baud"] == row["baud"])
        row["ours is faster by"] = f"{best['kB/s'] / row['kB/s']:.1f}x"  # type: ignore[operator]
    show("bundle over a serial cable", [*rows, *again()], as_json=options.json, output=options.output)


def ours(cable: Cable, framing: str) -> dict[str, object]:
    """Our client; the whole of it, with the offer and the commit, is in the wire bytes, not in the seconds."""
    with tempfile.TemporaryDirectory() as work, SerialCable(cable.baud, cable.latency_s) as wire:
        board = Board(Path(work) / "store")
        path = make_bundle(Path(work) / "one.edgert", {"model.onnx": noise(cable.size_bytes, 1)})
        here, there = (open_link(read_address(f"serial:{end}?baud={cable.baud}")) for end in (wire.a, wire.b))
        with open_cargo(path) as cargo, board.serve(there):
            hub = HubClient(Channel(here))
            hub.greet()
            if framing == "cobs":
                hub.use_cobs()
            target = HubTarget(here, hub, cable.baud, compress=False)
            wanted = target.look(cargo)
            begun_bytes, seconds = wire.there.sent_bytes, _timed(lambda: target.send(cargo, wanted, lambda done: None))
            sent_bytes = wire.there.sent_bytes - begun_bytes
        here.close()
        there.close()
        board.close()
    return _row(f"edgert flash, {framing}", cable, wanted.bytes, sent_bytes, seconds)


def smpclient(peer: Path, cable: Cable, buffer_bytes: int) -> dict[str, object]:
    """smpclient puts a file of the same size into the same server."""
    with tempfile.TemporaryDirectory() as work, SerialCable(cable.baud, cable.latency_s) as wire:
        board, file = Board(Path(work) / "store"), Path(work) / "file.bin"
        size_bytes = min(cable.size_bytes, 300_000)
        file.write_bytes(noise(size_bytes, 1))
        there = open_link(read_address(f"serial:{wire.b}?baud={cable.baud}"))
        with board.serve(there):
            command = [str(peer), str(SCRIPT), wire.a, str(file), str(buffer_bytes)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
            if done.returncode:
                raise SystemExit(f"smpclient: {done.stderr}")
            seconds = float(json.loads(done.stdout)["seconds"])
        there.close()
        board.close()
        sent_bytes = wire.there.sent_bytes
    what = f"{buffer_bytes}-byte buffers" if buffer_bytes else "the server's buffers"
    return _row(f"smpclient 7.3.0, {what}", cable, size_bytes, sent_bytes, seconds)


def again() -> list[dict[str, object]]:
    """A second version of which one file of four has changed, without a limit of speed."""
    files = {f"part{number}.bin": noise(500_000, number) for number in range(3)} | {"model.onnx": noise(200_000, 9)}
    changed = files | {"model.onnx": noise(200_000, 10)}
    with tempfile.TemporaryDirectory() as work, SerialCable() as wire:
        board = Board(Path(work) / "store")
        here, there = (open_link(read_address(f"serial:{end}")) for end in (wire.a, wire.b))
        rows = []
        with board.serve(there):
            for number, content in enumerate((files, changed, changed), start=1):
                path = make_bundle(
                    Path(work) / f"{number}.edgert", content, f"1.{min(number, 2)}.0", counter=min(number, 2)
                )
                with open_cargo(path) as cargo:
                    hub = HubClient(Channel(here))
                    hub.greet()
                    hub.use_cobs()
                    begun_bytes = wire.there.sent_bytes
                    report = flash(cargo, HubTarget(here, hub, compress=False), confirm="manual")
                    sent_bytes = wire.there.sent_bytes - begun_bytes
                what = ("first version", "again: one file of 200 kB is new", "again: nothing is new")[number - 1]
                row = _row(what, Cable(0, 0.0, 0), report.sent.useful_bytes, sent_bytes, report.seconds)
                rows.append(row | {"ours is faster by": ""})
        here.close()
        there.close()
        board.close()
    return rows


def _row(what: str, cable: Cable, useful_bytes: int, sent_bytes: int, seconds: float) -> dict[str, object]:
    rate = useful_bytes / seconds
    line = cable.baud / BITS_A_BYTE
    return {
        "client": what,
        **cable.plain,
        "useful bytes": useful_bytes,
        "bytes on the wire": sent_bytes,
        "useful/wire": useful_bytes / sent_bytes,
        "kB/s": rate / 1000,
        "of the line": f"{rate / line:.1%}" if line else "",
    }


def _timed(work: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    work()
    return time.perf_counter() - begun_s


if __name__ == "__main__":
    main()
