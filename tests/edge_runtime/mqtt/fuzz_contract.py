"""A long fuzz of the contract's reader: `python -m tests.edge_runtime.mqtt.fuzz_contract 1000000`.

Payloads are honest ones of every form with bytes changed, cut, doubled and spliced; properties are taken at random from
honest and hostile ones. Whatever comes must be read or refused, quickly, and everything read must be answerable.
"""

from __future__ import annotations

import json
import random
import resource
import struct
import sys
import time
import traceback
from collections import Counter

from edge_runtime.errors import EdgertError
from edge_runtime.mqtt.contract import (
    BINARY,
    CBOR,
    JSON,
    Address,
    Refused,
    encode_answer,
    encode_error,
    parse,
)
from edge_runtime.mqtt.contract.cbor import write_cbor
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import VERBS, Topics
from edge_runtime.takes import MEDIA_TYPES, Takes

TOPICS = Topics("hub", group="kitchen")
HEADER = "inference-header-content-length"
LIMIT = 1 << 20
_TEXT = {"name": "t", "datatype": "BYTES", "shape": [1], "data": ["x"]}
_NUMBERS = {"name": "n", "datatype": "FP32", "shape": [2, 2], "data": [[1, 2], [3, 4.5]]}
BODIES: list[dict[str, object]] = [
    {"text": "turn on the light"},
    {"text": ["a", "b"], "truncate": True, "id": 7, "priority": "low", "stream": True},
    {"text": "x", "id": "7", "reply_to": "edgert/v1/r/ha/x", "deadline_ms": 250, "transaction": "t9"},
    {"inputs": [_TEXT], "parameters": {"truncate": True, "binary_data_output": True}},
    {"inputs": [_NUMBERS, {**_NUMBERS, "name": "m", "datatype": "INT64", "data": [1, 2, 3, 4]}], "id": "q"},
    {"model": "tiny", "folder": "/bundles/tiny", "id": "7"},
    {"question": "who?", "context": "it was Ann", "parameters": {"top": 3}},
    {"query": "lamp", "documents": ["a lamp", "a door"], "id": "r"},
    {"text": "turn it on", "labels": ["light", "door"], "parameters": {"multi_label": True, "template": "It is {}."}},
    {"inputs": [{**_TEXT, "name": "question"}, {**_TEXT, "name": "context"}]},
    {"values": [[1, 2], [3, 4.5]]},
]
_HEADER = json.dumps(
    {"inputs": [{"name": "n", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}]}
)
_TEXTS = json.dumps(
    {"inputs": [{"name": "t", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 5}}]}
)
SEEDS = [
    *(json.dumps(body).encode() for body in BODIES),
    *(write_cbor(body) for body in BODIES),
    write_cbor({"inputs": [{**_NUMBERS, "data": b"\0" * 16}]}),
    _HEADER.encode() + struct.pack("<2f", 1, 2),
    _TEXTS.encode() + b"\x01\0\0\0x",
    b"\xff\xd8\xff\xe0",
]
KIND_OF = [*([JSON] * len(BODIES)), *([CBOR] * (len(BODIES) + 1)), BINARY, BINARY, "image/jpeg"]
TOKENS = [b"[" * 50, b"{", b"]", b'"', b"\\ud800", b"NaN", b"1e999", b"-1", b"4294967296", b"9" * 30, b"\xff", b"\0"]
TOKENS += [b"null", b"true", b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", b"\xbf", b"\xc2", b"\xfb\x7f\xf0\0\0\0\0\0\0"]
WORDS = ["", "1", "0", "7", "low", "high", "-1", "nan", "1e400", "x" * 65, "\ud800", "\0", "#", "٣", "9" * 400, "true"]
WORDS += [str(len(_HEADER)), str(len(_TEXTS)), "true ", '{"threshold": 0.6}']
REPLIES = [None, None, "edgert/v1/r/ann/phone", "#", "", "$SYS/x", "edgert/v1/r/", "edgert/v1/r/a\0", "homeassistant/x"]
REPLIES += ["edgert/v1/r/" + "x" * 300, "edgert/v1/r/\ud800"]
KINDS = [None, JSON, CBOR, BINARY, *MEDIA_TYPES, "Application/JSON; charset=utf-8", "", ";", "text/plain", "\ud800"]
NAMES = ["id", "priority", "stream", "deadline-ms", "parameters", HEADER, "other"]
ASKED = [TOPICS.infer("tiny"), TOPICS.infer("../x"), TOPICS.infer("a/b"), TOPICS.group_infer("kitchen", "tiny")]
ASKED += [*map(TOPICS.control, VERBS), f"{TOPICS.base}/req/", f"{TOPICS.base}/req/erase", "", "x"]
TAKES = [
    Takes(),
    Takes(frozenset(MEDIA_TYPES), tensors=True),
    Takes(words="question"),
    Takes(words="query"),
    Takes(words="labels"),
    Takes(frozenset(MEDIA_TYPES), words="none"),
]


def payload(honest: bytes, chance: random.Random) -> bytes:
    """An honest payload, up to eight times changed."""
    data = bytearray(honest)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 4, 8))):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(5)
        if kind == 0 and at < len(data):
            data[at] = chance.randrange(256)
        elif kind == 1:
            data[at:at] = chance.choice(TOKENS)
        elif kind == 2:
            del data[at : at + chance.randrange(1, 9)]
        elif kind == 3:
            data[at:] = chance.choice(SEEDS)[chance.randrange(20) :]
        else:
            data += data[at : at + 40]
    return bytes(data)


def message(chance: random.Random) -> Message:
    """A request as a broker might deliver it: mostly with the content type that its payload began with."""
    seed = chance.randrange(len(SEEDS))
    content_type = KIND_OF[seed] if chance.random() < 0.8 else chance.choice(KINDS)
    properties = [(chance.choice(NAMES), chance.choice(WORDS)) for _ in range(chance.choice((0, 0, 0, 0, 1, 3)))]
    if content_type == BINARY and chance.random() < 0.8:
        properties.append((HEADER, str(SEEDS[seed].find(b"}]}") + 3)))
    return Message(
        chance.choice(ASKED) if chance.random() < 0.3 else ASKED[0],
        payload(SEEDS[seed], chance),
        chance.randrange(3),
        retain=chance.random() < 0.02,
        response_topic=chance.choice(REPLIES if chance.random() < 0.2 else REPLIES[:3]),
        correlation=chance.choice((None, b"", b"\1", b"x" * 65)),
        content_type=content_type,
        expiry_s=chance.choice((None, 0, 1, 2**32 - 1)),
        user=tuple(properties),
    )


def attempt(sent: Message, takes: Takes) -> str:
    """Read and answer a message; gives how it went. Any error besides `Refused` is one of the contract's."""
    address: Address | None
    try:
        address = parse(sent, TOPICS, LIMIT, lambda _: takes).address
    except Refused as refused:
        if refused.address is not None:
            _is_allowed(encode_error(refused.address, refused.error).topic)
        return refused.error.code
    _is_allowed(encode_answer(address, b'{"label":"on","score":0.5}', {"queue-us": 1}).topic)
    encode_error(address, EdgertError("x"))
    return "taken"


def _is_allowed(topic: str) -> None:
    assert topic.startswith(("edgert/v1/r/", "edgert/v1/d/hub/res/")), topic
    topic.encode()


def main(count: int, seed: int = 1) -> int:
    """Try `count` messages and print what became of them; gives the number of crashes."""
    chance, outcomes, crashes, slowest_s = random.Random(seed), Counter[str](), 0, 0.0
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for number in range(count):
        sent, takes = message(chance), TAKES[number % len(TAKES)]
        started = time.perf_counter()
        try:
            outcomes[attempt(sent, takes)] += 1
        except Exception:  # noqa: BLE001  (what it is, is what we want to know)
            crashes += 1
            if crashes <= 5:
                traceback.print_exc()
                sys.stderr.write(f"{sent!r}\n")
        slowest_s = max(slowest_s, time.perf_counter() - started)
    after_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = ", ".join(f"{name} {times}" for name, times in outcomes.most_common())
    sys.stdout.write(f"{count} messages (seed {seed}), {crashes} crashes; {told}\n")
    sys.stdout.write(f"slowest {slowest_s * 1e3:.1f} ms; peak memory {before_mb:.1f} MB -> {after_mb:.1f} MB\n")
    return crashes


if __name__ == "__main__":
    sys.exit(1 if main(int(sys.argv[1]), *map(int, sys.argv[2:3])) else 0)
