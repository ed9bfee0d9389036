"""A long fuzz of the container's reader: `python -m tests.edge_runtime.bundle.container.fuzz_container 100000`.

Half of the files are whole ones with bytes changed, cut, doubled and spliced, which the hash must refuse. The others
are damaged before they are signed with a trusted key, so that everything behind the signature has to stand as well.
Whatever comes must be read as it was written or refused, quickly, in bounded memory.
"""

from __future__ import annotations

import io
import random
import resource
import sys
import time
import traceback
from collections import Counter

from edge_runtime.bundle.container.bundle_file import SIGNED_MANIFEST
from edge_runtime.bundle.container.image import HEADER_BYTES, Version
from edge_runtime.bundle.container.sealed import Label, write_container
from edge_runtime.bundle.errors import UpdateError
from edge_runtime.bundle.target import Target
from edge_runtime.errors import BundleError
from tests.edge_runtime.bundle.signed import KEYS, bundle_bytes, opened

WHOLE = bundle_bytes()
_BODY_BYTES = opened(WHOLE).container.body_bytes
BODY = WHOLE[HEADER_BYTES : HEADER_BYTES + _BODY_BYTES]
MANIFEST = opened(WHOLE).signed.body
SLOWEST_S = 2.0


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The data with up to four things done to it."""
    made = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(made) + 1), rng.choice([1, 2, 4, 16, 512, 2000])
        kind = rng.randrange(6)
        if kind == 0 and at < len(made):
            made[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            made[at : at + length] = rng.randbytes(length)
        elif kind == 2:
            del made[at : at + length]
        elif kind == 3:
            made[at:at] = made[at : at + length]
        elif kind == 4:
            source = rng.randrange(len(made) + 1)
            made[at : at + length] = made[source : source + length]
        else:
            made[at : at + length] = bytes(length)
    return bytes(made)


def signed(body: bytes, kind: str) -> bytes:
    """A container with a good signature."""
    out = io.BytesIO()
    label = Label(kind, Version(1), 1, Target())  # type: ignore[arg-type]
    write_container(out.write, label, [body], len(body), KEYS["release"])
    return out.getvalue()


def hostile(rng: random.Random) -> bytes:
    """One file of the kinds above."""
    kind = rng.randrange(4)
    if kind < 2:
        return mutated(WHOLE, rng)
    if kind == 2:
        return signed(mutated(BODY, rng), "bundle")
    inner = signed(mutated(MANIFEST, rng), "manifest")
    head = BODY.index(b"\0" * 1024)  # the manifest's place is filled with another one; sizes will mostly not fit
    assert BODY.startswith(SIGNED_MANIFEST.encode())
    return signed(BODY[:512] + inner.ljust(head, b"\0")[:head] + BODY[512 + head :], "bundle")


def outcome(data: bytes) -> str:
    """What became of it."""
    try:
        for _, content in opened(data).files():
            for _ in content:
                pass
    except (UpdateError, BundleError) as error:
        return error.code
    return "taken" if data == WHOLE else "taken, though it is another file"


def main(count: int, seed: int = 1) -> int:
    """Run `count` files; 0 if all were refused or are the whole one."""
    rng, outcomes, slowest_s, bad = random.Random(seed), Counter[str](), 0.0, 0
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(count):
        data, start_s = hostile(rng), time.perf_counter()
        try:
            outcomes[outcome(data)] += 1
        except Exception:  # noqa: BLE001
            bad += 1
            sys.stderr.write(f"file {number}: {traceback.format_exc()}\n")
        slowest_s = max(slowest_s, time.perf_counter() - start_s)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    sys.stdout.write(f"{count} files: {dict(outcomes)}, {bad} escaped, slowest {slowest_s * 1000:.0f} ms, ")
    sys.stdout.write(f"memory grew by {grown_mb:.1f} MB\n")
    taken = outcomes["taken, though it is another file"]
    return 0 if not bad and not taken and slowest_s < SLOWEST_S and grown_mb < 64 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
