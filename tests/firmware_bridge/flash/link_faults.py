"""Uploads over bad cables: `python -m tests.firmware_bridge.flash.link_faults 1000` ends with 1 if a promise is broken.

Each upload has a cable of its own, with one kind of fault or all of them, and maybe cuts; the board is looked at
afterwards: every object is hashed. What is promised: no wrong byte is ever taken, every upload comes to its end, and
what is sent again stays below 5 % at 1e-5 and 30 % at 1e-4 faults a byte.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import click

from edge_runtime.errors import EdgertError
from firmware_bridge.errors import LinkLost
from firmware_bridge.flash.cargo import Cargo, open_cargo
from firmware_bridge.flash.engine import flash
from firmware_bridge.flash.hub import HubTarget
from firmware_bridge.loopback import Faults, loopback
from firmware_bridge.smp.client import Channel
from firmware_bridge.smp.client_edgert import HubClient
from tests.firmware_bridge.flash.boards import Board, make_bundle, noise

SIZE_BYTES = 120_000
_ATTEMPTS = 12
_CUTS = 2
_AT_ONCE = 6
KINDS = ("flip", "drop", "double", "noise")
CASES = [
    *((f"{kind} 1e-5", Faults(**{kind: 1e-5}), False) for kind in KINDS),
    *((f"{kind} 1e-4", Faults(**{kind: 1e-4}), False) for kind in KINDS),
    ("swapped writes", Faults(swap=0.02), False),
    ("lost writes", Faults(lose=0.01), False),
    ("cuts", Faults(), True),
    ("all of it", Faults(flip=3e-5, drop=3e-5, double=2e-5, noise=2e-5, swap=0.005, lose=0.002), True),
]
LIMITS = {name: 0.05 if "1e-5" in name else 0.30 for name, _, cut in CASES if not cut}


@dataclass
class Tally:
    """What came of the uploads of one case."""

    uploads: int = 0
    useful_bytes: int = 0
    again_bytes: int = 0
    wire_bytes: int = 0
    cuts: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take another one in."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def again(self) -> float:
        """Share of what was sent twice."""
        return self.again_bytes / max(1, self.useful_bytes)


def upload(cargo: Cargo, root: Path, faults: Faults, cuts: bool, seed: int) -> Tally:
    """One bundle to one board, however often the cable is cut."""
    tally = Tally(uploads=1)
    board, dice = Board(root), random.Random(seed)
    try:
        for attempt in range(_ATTEMPTS):
            limit = dice.randrange(2000, SIZE_BYTES) if cuts and attempt < _CUTS else None
            here, there = loopback(replace(faults, seed=seed * _ATTEMPTS + attempt), cut_after_bytes=limit)
            with board.serve(there):
                try:
                    hub = HubClient(Channel(here))
                    hub.greet(tries=6)
                    hub.use_cobs()
                    sent = flash(cargo, HubTarget(here, hub, compress=False, patience_s=5.0), confirm="manual").sent
                except LinkLost:
                    tally.cuts += 1
                    continue
                finally:
                    here.close()
            tally.useful_bytes += sent.useful_bytes
            tally.again_bytes += sent.again_bytes
            tally.wire_bytes += sent.wire_bytes
            board.store.check(cargo.signed.digest)  # every object is hashed
            return tally
        tally.problems.append(f"seed {seed}: not done after {_ATTEMPTS} attempts")
    except EdgertError as error:
        tally.problems.append(f"seed {seed}: {error.code}: {error}")
    finally:
        board.close()
    return tally


def run(uploads: int, say: Callable[[str], None] = lambda line: None) -> dict[str, Tally]:
    """So many uploads, over the cases in turn; several at once, as they mostly wait."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    with tempfile.TemporaryDirectory() as work, ThreadPoolExecutor(_AT_ONCE) as pool:
        path = make_bundle(Path(work) / "one.edgert", {"model.onnx": noise(SIZE_BYTES, 1)})
        with open_cargo(path) as cargo:

            def one(number: int) -> Tally:
                _, faults, cuts = CASES[number % len(CASES)]
                with tempfile.TemporaryDirectory(dir=work) as root:
                    return upload(cargo, Path(root) / "store", faults, cuts, number)

            for number, tally in enumerate(pool.map(one, range(uploads))):
                tallies[CASES[number % len(CASES)][0]].add(tally)
                if number % 100 == 99:
                    say(f"{number + 1} uploads")
    return tallies


def broken(tallies: dict[str, Tally]) -> list[str]:
    """The promises that were not kept."""
    found = [problem for tally in tallies.values() for problem in tally.problems]
    for name, limit in LIMITS.items():
        if name in tallies and tallies[name].uploads >= 20 and tallies[name].again > limit:
            found.append(f"{name}: {tallies[name].again:.1%} was sent again, promised are {limit:.0%}")
    return found


def main() -> int:
    """Run, and say what came of it."""
    uploads, begun_s = int(sys.argv[1]) if len(sys.argv) > 1 else 1000, time.monotonic()
    tallies = run(uploads, lambda line: click.echo(line, err=True))
    for name, tally in tallies.items():
        counts = f"{name:15} {tally.uploads:4} uploads, {tally.cuts:3} cuts"
        click.echo(f"{counts}, sent again {tally.again:6.2%}, wire {tally.wire_bytes / tally.useful_bytes:.3f}")
    problems = broken(tallies)
    click.echo(f"{uploads} uploads in {time.monotonic() - begun_s:.0f} s, {len(problems)} promises broken")
    for problem in problems[:20]:
        click.echo(problem)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
