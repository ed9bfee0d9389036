"""Group 8: files of the one folder that is there for it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated

from firmware_bridge.smp.fields import Limits, Offset
from firmware_bridge.smp.group import Body, Group, in_words_of, reads
from firmware_bridge.smp.hub import Hub
from firmware_bridge.smp.limits import ANSWER_ROOM, BUF_SIZE
from firmware_bridge.smp.message import READ, WRITE, Rc
from firmware_bridge.smp.refusals import Refused

NUMBER = 8
FILE, STATUS, HASH, HASH_TYPES, CLOSE = range(5)
_UNKNOWN, _HASH_NOT_FOUND, _FILE_EMPTY = 1, 13, 16
# Zephyr's numbers (`fs_mgmt.h`), by the codes of our errors.
_WORDS = {
    "bad_name": (2, Rc.EINVAL),
    "no_file": (3, Rc.ENOENT),
    "broken_file": (10, Rc.EUNKNOWN),
    "no_room": (10, Rc.ENOMEM),
    "bad_offset": (12, Rc.EINVAL),
    "wrong_mount": (14, Rc.ENOENT),
}
Name = Annotated[str, Limits(0, BUF_SIZE)]


@dataclass(frozen=True)
class Read:
    """Which file, from where on."""

    name: Name
    off: Offset


@dataclass(frozen=True)
class Write:
    """A piece of a file; the first says how long the whole is."""

    name: Name
    off: Offset
    data: bytes
    len: Offset | None = None


@dataclass(frozen=True)
class Named:
    """Which file."""

    name: Name


@dataclass(frozen=True)
class Hash:
    """Which file, how, and which part of it."""

    name: Name
    type: str = "sha256"
    off: Offset = 0
    len: Annotated[int, Limits(0, (1 << 63) - 1)] | None = None


def fs_group(hub: Hub) -> Group:
    """The group."""
    return Group(
        NUMBER,
        "fs mgmt",
        {
            (READ, FILE): reads(Read, lambda asked, session: _read(hub, asked)),
            (WRITE, FILE): reads(Write, lambda asked, session: _write(hub, asked)),
            (READ, STATUS): reads(Named, lambda asked, session: _status(hub, asked)),
            (READ, HASH): reads(Hash, lambda asked, session: _hash(hub, asked)),
            (READ, HASH_TYPES): lambda body, session: {
                "types": {"sha256": {"format": 1, "size": 32}, "crc32": {"format": 0, "size": 4}}
            },
            (WRITE, CLOSE): lambda body, session: {},  # nothing stays open between requests
        },
    )


def _read(hub: Hub, asked: Read) -> Body:
    with _our_words():
        data, size = hub.files.read(asked.name, asked.off, BUF_SIZE - ANSWER_ROOM)
    return {"off": asked.off, "data": data, "len": size} if asked.off == 0 else {"off": asked.off, "data": data}


def _write(hub: Hub, asked: Write) -> Body:
    if asked.off == 0 and asked.len is None:
        raise Refused(Rc.EINVAL, "'len' is missing: the first piece must say how long the file is")
    with _our_words():
        return {"off": hub.files.write(asked.name, asked.off, asked.data, asked.len)}


def _status(hub: Hub, asked: Named) -> Body:
    with _our_words():
        return {"len": hub.files.size(asked.name)}


def _hash(hub: Hub, asked: Hash) -> Body:
    if asked.type not in ("sha256", "crc32"):
        said = f"type {asked.type[:32]!r} is not known, sha256 and crc32 are"
        raise Refused(Rc.EINVAL, said, NUMBER, _HASH_NOT_FOUND)
    with _our_words():
        done, output = hub.files.checked(asked.name, asked.type, asked.off, asked.len)
    if not done:
        raise Refused(Rc.EINVAL, f"there is nothing of {asked.name[:64]!r} to be hashed", NUMBER, _FILE_EMPTY)
    body = {"type": asked.type, "len": done, "output": output}
    return body | {"off": asked.off} if asked.off else body


def _our_words() -> AbstractContextManager[None]:
    return in_words_of(NUMBER, _WORDS, (_UNKNOWN, Rc.EUNKNOWN))
