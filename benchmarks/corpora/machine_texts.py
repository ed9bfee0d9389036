"""Texts that are no prose: source code, log lines, JSON telemetry, base64; and the single words of a megabyte."""

from __future__ import annotations

import base64
import json
import random
import tokenize
from pathlib import Path

SAMPLES = 1000
MEGABYTE = 1_000_000


def machine_texts(seed: int = 1) -> dict[str, list[str]]:
    """Give 1,000 texts of each kind; the code is that of Python's own library on this machine."""
    rng = random.Random(seed)
    code = _library_code()
    return {
        "code": [_sample(code, rng) for _ in range(SAMPLES)],
        "log": [_log(rng) for _ in range(SAMPLES)],
        "telemetry": [_telemetry(rng) for _ in range(SAMPLES)],
        "base64": [_base64(rng, rng.randint(8, 800)) for _ in range(SAMPLES)],
    }


def megabytes() -> dict[str, str]:
    """Give texts of a million bytes in UTF-8 that make a careless tokenizer quadratic."""
    rng = random.Random(11)
    chinese = "".join(chr(rng.randint(0x4E00, 0x9FA5)) for _ in range(MEGABYTE // 3))
    return {
        "one letter": "a" * MEGABYTE,
        "spaces": " " * MEGABYTE,
        "apostrophes": "'" * MEGABYTE,
        "Chinese": chinese,
        "base64": _base64(rng, MEGABYTE * 3 // 4),
    }


def _library_code() -> str:
    files = sorted(Path(json.__file__).parent.parent.glob("[a-h]*.py"))
    texts = []
    for file in files:
        with tokenize.open(file) as source:
            texts.append(source.read())
    return "\n".join(texts)


def _sample(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) - 2000)
    return text[at : at + rng.randint(40, 2000)]


def _log(rng: random.Random) -> str:
    return "\n".join(_log_line(rng) for _ in range(rng.randint(1, 8)))


def _log_line(rng: random.Random) -> str:
    hour, minute, milliseconds = rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 999)
    level, part = rng.choice(("INFO", "WARN", "ERROR", "DEBUG")), rng.choice(("mqtt", "http.server", "zigbee2mqtt"))
    return (
        f"2026-11-{rng.randint(1, 28):02d}T{hour:02d}:{minute:02d}:07.{milliseconds:03d}Z {level:5s} [{part}] "
        f"device 0x{rng.getrandbits(64):016x} /dev/ttyUSB{rng.randint(0, 3)} took={rng.random() * 100:.3f}ms "
        f"addr=10.0.{rng.randint(0, 255)}.{rng.randint(1, 254)}\tretry={rng.randint(0, 9)}"
    )


def _telemetry(rng: random.Random) -> str:
    reading = {
        "device": f"sensor-{rng.getrandbits(32):08x}",
        "ts": 1_790_000_000_000 + rng.getrandbits(30),
        "temperature_c": round(rng.uniform(-20, 40), 2),
        "state": rng.choice(("on", "off", None, True, False)),
        "samples": [round(rng.gauss(0, 1), rng.randint(0, 6)) for _ in range(rng.randint(0, 20))],
        "unit": rng.choice(("\xb0C", "%", "lx", "\u03bcg/m\xb3")),
    }
    return json.dumps(reading, indent=rng.choice((None, None, 2)), ensure_ascii=rng.random() < 0.5)


def _base64(rng: random.Random, size_bytes: int) -> str:
    return base64.b64encode(rng.randbytes(size_bytes)).decode()
