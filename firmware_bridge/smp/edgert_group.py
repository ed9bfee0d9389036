"""Our own group of SMP commands: bundles go file by file, only what is missing, only what was lost twice.

| no. | command | request | answer |
|---|---|---|---|
| 0 | hello | `version`, `baud`? | who is there, what it can |
| 1 | offer | `bundle`, `off`, `len`, `data` | `off`; when all is there: `state`, `missing`, `left`, or `busy` |
| 2 | put | `object`, `off`, `data`, `crc`, `codec`?, `size`? | `off`, `ranges`?, `durable`?, `done`?, `busy`? |
| 3 | commit | `bundle`, `test`? | `model`, `version`, `counter`, `test` |
| 4 | status | `bundle`? or `object`? | `state`; of a bundle also as offer, of an object also as put |

Offer, put and commit are write requests (op 2); hello and status may be read requests (op 0), too.

A bundle's name is the SHA-256 of its signed manifest (`manifest.edgert`, the small container), an object's name the
SHA-256 of its content. `offer` sends that manifest in as many pieces as it takes; the signature is checked when it is
whole, and from then on its objects may be `put`, in any order, over any link, by any number of senders. A session is
nothing: after a cut anywhere the client offers again, and asks `status` of each object what has come of it already.

Errors are `{"err": {"group": 0x4547, "rc": n}, "word": ..., "rsn": ...}`: `word` is the error's code as edgert has it
everywhere (`signature_refused`), `rsn` the sentence for people. `REFUSALS` gives the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Literal

from firmware_bridge.smp.fields import Digest, Limits, Offset, Word

GROUP = 0x4547  # "EG"; 64 is where the groups of applications begin, and taken by others
NAME = "edgert"
VERSION = 1

BaudWord = Annotated[int, Limits(0, 12_000_000)]
FALL_BACK_S = 2.0  # with no whole frame for so long after a change, both ends go back to the baud before
MOST_RAW_BYTES = 65536  # of one `put`, when it is not compressed any more
MOST_RANGES = 32  # that an answer tells; what lies behind them is told when they are closed

State = Literal["unknown", "receiving", "waiting", "trial", "active", "previous", "refused"]


class Command(IntEnum):
    """What is asked."""

    HELLO = 0
    OFFER = 1
    PUT = 2
    COMMIT = 3
    STATUS = 4


# Code of the error -> number in `err`; what is not listed has 1.
REFUSALS = {
    "signature_refused": 2,
    "bad_container": 3,
    "bad_bundle": 4,
    "wrong_target": 5,
    "downgrade": 6,
    "licence_denied": 7,
    "no_space": 8,
    "bad_store": 9,
    "store_busy": 10,
    "bad_key": 11,
    "nothing_there": 12,
    "not_offered": 13,
    "chunk_damaged": 14,
    "chunk_outside": 15,
    "bad_codec": 16,
    "not_complete": 17,
    "part_damaged": 18,
    "too_many_offers": 19,
}


@dataclass(frozen=True)
class HelloRequest:
    """`baud` asks a serial link to go faster after the answer; 0 leaves it."""

    version: Annotated[int, Limits(1, 255)] = VERSION
    baud: BaudWord = 0


@dataclass(frozen=True)
class HelloAnswer:
    """Who is there.

    Attributes:
        version: of this group, the highest that both ends know.
        device: the board's name in its config.
        edgert: version of the software.
        boot: 8 bytes, others each time the server starts.
        buf_size: bytes of the longest message, header and body, without framing.
        buf_count: how many requests may be under way.
        framings: that are told apart by themselves on a serial or TCP link: "console", "cobs".
        codecs: that `put` takes besides none: "zlib", and "zstd" if the board has it.
        free: bytes of disk.
        baud: that holds after this answer; 0: as before, the link cannot change.
    """

    version: int
    device: Word
    edgert: Word
    boot: bytes
    buf_size: int
    buf_count: int
    framings: tuple[str, ...]
    codecs: tuple[str, ...]
    free: int
    baud: BaudWord = 0


@dataclass(frozen=True)
class OfferRequest:
    """A piece of a signed manifest.

    Attributes:
        bundle: SHA-256 of the whole signed manifest.
        off, data: which bytes of it.
        len: of the whole, in every piece.
    """

    bundle: Digest
    off: Offset
    len: Annotated[int, Limits(1, MOST_RAW_BYTES * 64)]
    data: bytes


@dataclass(frozen=True)
class OfferAnswer:
    """How far it has come; when it is whole and signed, what is missing.

    Attributes:
        off: next byte that is wanted; `len` when it is whole.
        state: empty until it is whole; "receiving", or what the board has made of this bundle before.
        missing: one bit a file in the manifest's order, bit 0 of byte 0 first: 1 must still come.
        left: bytes that must still come, what has come of parts not taken off.
        busy: the board is still looking; ask `status` for the rest of this answer.
    """

    off: Offset
    state: Word = ""
    missing: bytes = b""
    left: Offset = 0
    busy: bool = False


@dataclass(frozen=True)
class PutRequest:
    """A piece of an object.

    Attributes:
        object: SHA-256 of its whole content, of an offered bundle.
        off: place of the first byte in the object, before compression.
        data: as `codec` has it.
        crc: CRC-32 of the piece before compression (as zlib.crc32).
        codec: empty, "zlib" (RFC 1950) or "zstd", each piece for itself.
        size: bytes before compression; only with a codec.
    """

    object: Digest
    off: Offset
    data: bytes
    crc: Annotated[int, Limits(0, 0xFFFFFFFF)]
    codec: Word = ""
    size: Annotated[int, Limits(0, MOST_RAW_BYTES)] = 0


@dataclass(frozen=True)
class PutAnswer:
    """What has come of the object, so that only what was lost is sent again.

    Attributes:
        off: everything before it has come.
        ranges: pairs of first and past-the-last byte of what else has come, ascending; at most `MOST_RANGES` pairs.
        durable: everything before it outlives a power cut.
        done: the object is whole, checked and in the store.
        busy: all bytes are there and are being checked; ask `status`.
    """

    off: Offset
    ranges: tuple[int, ...] = ()
    durable: Offset = 0
    done: bool = False
    busy: bool = False


@dataclass(frozen=True)
class CommitRequest:
    """All has come. With `test` the daemon tries the bundle as soon as it can, else it waits until somebody asks."""

    bundle: Digest
    test: bool = True


@dataclass(frozen=True)
class CommitAnswer:
    """What is in the store now, durably. Asked again it answers the same."""

    model: Word
    version: Word
    counter: int
    test: bool = False


@dataclass(frozen=True)
class StatusRequest:
    """Of a bundle, or of an object; of neither: only that all is well."""

    bundle: Digest | None = None
    object: Digest | None = None


@dataclass(frozen=True)
class StatusAnswer:
    """What became of it.

    Attributes:
        state: of the bundle: "unknown" (offer it), "receiving", "waiting" (nobody asked for it to be tried),
            "trial" (`begun` tells whether it was begun), "active" (kept), "previous", "refused" (with `reason`).
            Of an object: "unknown", "receiving" or "active".
        model, version: of the bundle.
        reason: why it did not stay, for people.
        begun: how often the trial was begun.
        missing, left, busy: as in `OfferAnswer`, while it is "receiving".
        off, ranges, durable, done: of an object, as in `PutAnswer`.
    """

    state: Word
    model: Word = ""
    version: Word = ""
    reason: Annotated[str, Limits(0, 4096)] = ""
    begun: int = 0
    missing: bytes = b""
    left: Offset = 0
    off: Offset = 0
    ranges: tuple[int, ...] = ()
    durable: Offset = 0
    done: bool = False
    busy: bool = False


def missing_bits(missing: list[bool]) -> bytes:
    """The bits of `OfferAnswer.missing`."""
    bits = sum(1 << index for index, wanted in enumerate(missing) if wanted)
    return bits.to_bytes((len(missing) + 7) // 8, "little")


def missing_files(bits: bytes, files: int) -> list[bool]:
    """Undo `missing_bits`, for a manifest of so many files."""
    number = int.from_bytes(bits, "little")
    return [bool(number >> index & 1) for index in range(files)]
