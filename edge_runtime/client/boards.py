"""What the devices on a broker say of themselves, and which of them to ask: by the retained documents."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from edge_runtime.client.answer import json_object
from edge_runtime.mqtt.topics import WORD, Topics

LOAD_VALID_S = 30.0  # a device that says nothing for so long is not known to be idle
_QUIET_S = 0.1  # a broker sends retained messages in one go; after such a pause no more come


@dataclass(frozen=True)
class FoundModel:
    """A model that some device offers, with its retained description."""

    device: str
    name: str
    document: dict[str, Any]
    online: bool


@dataclass(frozen=True, slots=True)
class Load:
    """How much a device has to do: requests waiting and running, workers, and the median of its answers."""

    requests: int
    workers: int
    p50_ms: float | None

    @classmethod
    def of(cls, document: Mapping[str, object]) -> Load | None:
        """What a `load` document says; None if it cannot be read."""
        counts = [document.get(name) for name in ("queued", "running", "workers")]
        if not all(isinstance(count, int) and 0 <= count < 1_000_000 for count in counts):
            return None
        queued, running, workers = (int(str(count)) for count in counts)
        p50 = document.get("p50_ms")
        known = isinstance(p50, int | float) and 0 < p50 < 1e9
        return cls(queued + running, max(1, workers), float(str(p50)) if known else None)


def expected_ms(loads: Mapping[str, Load | None], mine: Mapping[str, int]) -> dict[str, float]:
    """How long one more request would take on each device; what is not known counts as the middle of the others.

    Args:
        loads: what each device said; None: nothing lately.
        mine: requests that this client has under way there, which a document may not count yet.
    """
    middle = statistics.median([load.p50_ms for load in loads.values() if load and load.p50_ms] or [1.0])
    known = {
        device: (max(load.requests, mine.get(device, 0)) + 1) * (load.p50_ms or middle) / load.workers
        for device, load in loads.items()
        if load is not None
    }
    usual = statistics.median(known.values()) if known else middle
    return {device: known.get(device, usual * (1 + mine.get(device, 0))) for device in loads}


def choose(expected: Mapping[str, float], chance: random.Random) -> str:
    """The better of two devices taken by chance: so many clients do not all rush to the one that looked idle.

    Source: Mitzenmacher 2001, The Power of Two Choices in Randomized Load Balancing, section 1.
    """
    pair = chance.sample(sorted(expected), min(2, len(expected)))
    return min(pair, key=expected.__getitem__)


class Boards:
    """The retained documents of all devices, filled by the network thread and read by any."""

    def __init__(self, root: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._root, self._clock = root, clock
        self._documents: dict[str, bytes] = {}
        self._loads: dict[str, tuple[float, Load | None]] = {}
        self._changed = threading.Condition()
        self._mine: Counter[str] = Counter()
        self._chance = random.Random()

    def take(self, topic: str, payload: bytes) -> str:
        """A document came; the device whose status it is and was known before, else empty."""
        device, _, kind = topic.removeprefix(f"{self._root}/d/").partition("/")
        with self._changed:
            repeated = kind == "status" and topic in self._documents
            if kind == "load":
                self._loads[device] = (self._clock(), Load.of(json_object(payload)))
            else:
                self._documents[topic] = payload
            self._changed.notify_all()
        return device if repeated else ""

    def is_online(self, device: str) -> bool:
        """Whether the device said `online` last."""
        return self._documents.get(Topics(device, self._root).status) == b"online"

    def wait_online(self, device: str, timeout_s: float) -> bool:
        """Wait until the device says `online`; False if it did not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.is_online(device), timeout_s)

    def online(self) -> list[str]:
        """All devices that said `online` last."""
        with self._changed:
            topics = [topic for topic, payload in self._documents.items() if payload == b"online"]
        devices = [topic.removeprefix(f"{self._root}/d/").removesuffix("/status") for topic in topics]
        return sorted(device for device in devices if WORD.fullmatch(device))

    def wait_offering(self, model: str, timeout_s: float) -> list[str]:
        """The online devices that offer a model; waits for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._offering(model), timeout_s)
            return self._offering(model)

    def pick(self, model: str, avoid: Collection[str], timeout_s: float) -> str | None:
        """An online device that offers the model and has little to do; None if there is none in time.

        Args:
            model: its name.
            avoid: devices to ask only if there is no other.
            timeout_s: to wait for the first.
        """
        devices = self.wait_offering(model, timeout_s)
        with self._changed:
            fresh = [device for device in devices if device not in avoid] or devices
            if not fresh:
                return None
            return choose(expected_ms({device: self._load(device) for device in fresh}, self._mine), self._chance)

    def has_other(self, model: str, avoid: Collection[str]) -> bool:
        """Whether an online device offers the model besides these."""
        with self._changed:
            return any(device not in avoid for device in self._offering(model))

    def count(self, device: str, change: int) -> None:
        """A request of this client to a device begins (1) or ends (-1)."""
        with self._changed:
            self._mine[device] += change

    def wait_found(self, wait_s: float) -> list[FoundModel]:
        """All models; waits for the first document, then until no more come."""
        deadline = time.monotonic() + wait_s
        with self._changed:
            self._changed.wait_for(lambda: bool(self._documents), wait_s)
            while time.monotonic() < deadline and self._changed.wait(_QUIET_S):
                pass
            return self.found()

    def found(self) -> list[FoundModel]:
        """All models that devices have announced."""
        found = []
        with self._changed:
            documents = list(self._documents.items())
        for topic, payload in documents:
            device, _, rest = topic.removeprefix(f"{self._root}/d/").partition("/")
            kind, _, name = rest.partition("/")
            if kind == "model" and payload and WORD.fullmatch(device) and WORD.fullmatch(name):
                found.append(FoundModel(device, name, json_object(payload), self.is_online(device)))
        return sorted(found, key=lambda item: (item.device, item.name))

    def _offering(self, model: str) -> list[str]:
        return [device for device in self.online() if self._documents.get(Topics(device, self._root).model(model))]

    def _load(self, device: str) -> Load | None:
        at_s, load = self._loads.get(device, (float("-inf"), None))
        return load if self._clock() - at_s < LOAD_VALID_S else None
