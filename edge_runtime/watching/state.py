"""All devices of a broker at one glance, from what they publish. Reads no clock and no network.

What comes from the broker is foreign: it is bounded, checked, and never printed with control characters.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edge_runtime.mqtt.topics import ROOT, WORD

MOST_DEVICES = 1024
MOST_MODELS = 64
MOST_PAYLOAD_BYTES = 65_536
MOST_TEXT = 64
LOAD_VALID_S = 30.0  # the document's expiry
STATS_VALID_S = 120.0  # older numbers are not shown as the present ones

_HEAD = (
    "DEVICE / MODEL",
    "STATE",
    "QUEUE",
    "RUN",
    "REQ/S",
    "P50 MS",
    "P95 MS",
    "MEM MB",
    "TEMP C",
    "ANSWERED",
    "REFUSED",
)
_WIDTHS = (7, 6, 4, 7, 7, 7, 7, 6, 9, 8)  # without the names
_MOST_NAME = 30


@dataclass(frozen=True)
class _Timed:
    """A document and when it came."""

    document: Mapping[str, object] = field(default_factory=dict)
    at_s: float = -math.inf

    def valid(self, now_s: float, valid_s: float) -> Mapping[str, object]:
        return self.document if now_s - self.at_s <= valid_s else {}


@dataclass
class _Device:
    """What one device has published last."""

    status: str = ""
    info: Mapping[str, object] = field(default_factory=dict)
    load: _Timed = _Timed()
    stats: _Timed = _Timed()
    per_s: float | None = None

    @property
    def is_known(self) -> bool:
        return bool(self.status or self.info or self.load.document or self.stats.document)


class TopState:
    """The devices of a broker.

    Args:
        root: first levels of all topics.
    """

    def __init__(self, root: str = ROOT) -> None:
        self._prefix = f"{root}/d/"
        self._devices: dict[str, _Device] = {}

    def feed(self, topic: str, payload: bytes, now_s: float) -> None:
        """Take a message of any topic; what is no device's `status`, `info`, `load` or `stats` is left aside.

        Args:
            topic, payload: of the message; an empty payload is a retained document that was cleared.
            now_s: any clock that does not jump.
        """
        name, _, kind = topic.removeprefix(self._prefix).partition("/")
        if not topic.startswith(self._prefix) or not WORD.fullmatch(name) or len(payload) > MOST_PAYLOAD_BYTES:
            return
        if kind not in ("status", "info", "load", "stats"):
            return
        if name not in self._devices and len(self._devices) >= MOST_DEVICES:
            return
        device = self._devices.setdefault(name, _Device())
        if kind == "status":
            device.status = payload.decode("ascii", "replace") if payload in (b"online", b"offline") else ""
        elif kind == "info":
            device.info = _object(payload)
        elif kind == "load":
            device.load = _Timed(_object(payload), now_s)
        else:
            _take_stats(device, _Timed(_object(payload), now_s))
        if not device.is_known:
            del self._devices[name]

    @property
    def devices(self) -> list[str]:
        """Names of all devices, sorted."""
        return sorted(self._devices)

    def offline(self) -> list[str]:
        """Devices that do not say `online`."""
        return [name for name in self.devices if self._devices[name].status != "online"]

    def is_incomplete(self) -> bool:
        """Whether nothing came yet, or not a device's `status`, or not the `stats` of one that is online."""
        devices = self._devices.values()
        return not devices or any(d.status != "offline" and not (d.status and d.stats.document) for d in devices)

    def document(self, now_s: float) -> dict[str, object]:
        """Everything as one JSON object: `devices`, each with its `models`; numbers that are not known are null."""
        return {"devices": [_described(name, self._devices[name], now_s) for name in self.devices]}

    def render(self, width: int, now_s: float) -> str:
        """A table of at most `width` columns: a line for each device, one for each of its models."""
        rows = [_described(name, self._devices[name], now_s) for name in self.devices]
        per_s = sum(row["requests_per_s"] or 0.0 for row in rows)  # type: ignore[misc]
        online = len(rows) - len(self.offline())
        table = [[*_HEAD, "LAST"], *(line for row in rows for line in _device_lines(row))]
        name_width = min(_MOST_NAME, max(len(cells[0]) for cells in table))
        count = f"{len(rows)} device" + ("" if len(rows) == 1 else "s")
        lines = [f"{count}, {online} online, {per_s:.1f} requests/s", ""]
        lines.extend(_joined(cells, name_width) for cells in table)
        return "\n".join(line[:width].rstrip() for line in lines)


def _take_stats(device: _Device, stats: _Timed) -> None:
    """Keep new numbers; from two in a row follows how many requests were answered in a second."""
    before, device.stats, device.per_s = device.stats, stats, None
    answered, earlier = (_number(timed.document, "answered") for timed in (stats, before))
    up_s, up_before_s = (_number(timed.document, "uptime_s") for timed in (stats, before))
    if answered is None or earlier is None or up_s is None or up_before_s is None:
        return
    past_s = stats.at_s - before.at_s
    if up_s >= up_before_s and answered >= earlier and past_s > 0:  # else the daemon was started anew
        device.per_s = (answered - earlier) / past_s


def _described(name: str, device: _Device, now_s: float) -> dict[str, object]:
    load, stats = device.load.valid(now_s, LOAD_VALID_S), device.stats.valid(now_s, STATS_VALID_S)
    online = device.status == "online"
    newest = load if device.load.at_s >= device.stats.at_s and load else stats
    if not online:
        load = stats = newest = {}
    return {
        "device": name,
        "online": online,
        "version": _text(device.info, "edgert"),
        "queued": _number(newest, "queued"),
        "running": _number(newest, "running"),
        "workers": _number(load, "workers"),
        "requests_per_s": None if device.per_s is None or not stats else round(device.per_s, 2),
        "p50_ms": _number(newest, "p50_ms"),
        "p95_ms": _number(stats, "p95_ms"),
        "memory_mb": _number(stats, "memory_mb"),
        "temperature_c": _number(stats, "temperature_c"),
        "answered": _number(stats, "answered"),
        "refused": _number(stats, "refused"),
        "uptime_s": _number(stats, "uptime_s"),
        "models": list(_models(device.info, stats)),
    }


def _models(info: Mapping[str, object], stats: Mapping[str, object]) -> Iterator[dict[str, object]]:
    counted = stats.get("models")
    counted = counted if isinstance(counted, dict) else {}
    announced = info.get("models")
    names = [*counted, *(announced if isinstance(announced, list) else [])]
    words = dict.fromkeys(name for name in names if isinstance(name, str) and WORD.fullmatch(name))
    for name in sorted(words)[:MOST_MODELS]:
        row = counted.get(name)
        row = row if isinstance(row, dict) else {}
        numbers = {key: _number(row, key) for key in ("answered", "refused", "p50_ms", "p95_ms")}
        yield {"model": name, "version": _text(row, "version"), **numbers, "last": _last(row)}


def _last(row: Mapping[str, object]) -> dict[str, object] | None:
    last = row.get("last")
    if not isinstance(last, dict):
        return None
    label, score = _text(last, "label"), _number(last, "score")
    shown: dict[str, object] = {"label": label} if label else {}
    if score is not None:
        shown["score"] = score
    return shown or None


def _device_lines(row: Mapping[str, object]) -> Iterator[list[str]]:
    state = "online" if row["online"] else "offline"
    counts = ("queued", "running")
    numbers = ("requests_per_s", "p50_ms", "p95_ms", "memory_mb", "temperature_c")
    cells = [_whole(row[key]) for key in counts] + [_tenths(row[key]) for key in numbers]
    version = f"edgert {row['version']}" if row["version"] else ""
    yield [str(row["device"]), state, *cells, _whole(row["answered"]), _whole(row["refused"]), version]
    models = row["models"]
    assert isinstance(models, list)
    for model in models:
        name = f"  {model['model']}" + (f" {model['version']}" if model["version"] else "")
        times = [_tenths(model["p50_ms"]), _tenths(model["p95_ms"])]
        counted = [_whole(model["answered"]), _whole(model["refused"])]
        last = model["last"] or {}
        said = " ".join(_tenths(v, 2) if isinstance(v, int | float) else str(v) for v in last.values())
        yield [name, "", "", "", "", *times, "", "", *counted, said]


def _joined(cells: Sequence[str], name_width: int) -> str:
    """One line: name and state on the left of their columns, numbers on the right, the rest as it is."""
    name, state, *numbers, rest = cells
    padded = [number.rjust(width) for number, width in zip(numbers, _WIDTHS[1:], strict=True)]
    return " ".join([name[:name_width].ljust(name_width), state.ljust(_WIDTHS[0]), *padded, "", rest])


def _whole(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, int | float) else "-"


def _tenths(value: object, digits: int = 1) -> str:
    return f"{value:.{digits}f}" if isinstance(value, int | float) else "-"


def _object(payload: bytes) -> Mapping[str, object]:
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _number(document: Mapping[str, object], key: str) -> float | None:
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < 1e15 and math.isfinite(value) else None


def _text(document: Mapping[str, object], key: str) -> str:
    """A text that cannot move a terminal's cursor."""
    value = document.get(key)
    if not isinstance(value, str):
        return ""
    return "".join(letter if letter.isprintable() else "?" for letter in value[:MOST_TEXT])
