"""When to connect again, and whether somebody else keeps taking our place. Pure: the caller brings the clock."""

from __future__ import annotations

import random
from collections import deque

_JITTER = 0.25  # of each delay, so that a fleet does not come back all at once
_LASTING_STEPS = 3  # a lasting refusal starts where the fourth ordinary failure would be


class Backoff:
    """Delays that double from `first_s` to `most_s`, each with jitter of a quarter."""

    def __init__(self, first_s: float, most_s: float, seed: int | None = None) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._failures = 0
        self._random = random.Random(seed)

    def after_failure(self, *, lasting: bool = False) -> float:
        """How many seconds to wait now; `lasting` for a refusal that time alone does not heal."""
        self._failures = max(self._failures, _LASTING_STEPS) if lasting else self._failures
        delay_s = min(self._most_s, self._first_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return delay_s * self._random.uniform(1 - _JITTER, 1 + _JITTER)

    def while_away(self) -> float:
        """How long to wait when nobody listens there: the first delay, always.

        Asking costs the other machine one packet, and a broker that comes back is to be served soon.
        """
        self.settle()
        return self.after_failure()

    def longest(self) -> float:
        """The longest delay, with jitter: to step back from a fight."""
        return self._most_s * self._random.uniform(1 - _JITTER, 1 + _JITTER)

    def settle(self) -> None:
        """The connection has held: the next failure starts at `first_s` again."""
        self._failures = 0


class TakeoverWatch:
    """Finds two clients with one id, who throw each other out in turn.

    Mosquitto 2.0 and rumqttd give no reason when they do so (MQTT 5 has 0x8E for it): they accept the connection and
    close it soon after. A broker that crashed looks different, because for a moment nobody listens at its address.
    """

    def __init__(self, limit: int = 3, window_s: float = 60.0, soon_s: float = 30.0) -> None:
        self._limit, self._window_s, self._soon_s = limit, window_s, soon_s
        self._closed_at: deque[float] = deque(maxlen=limit)

    def closed(self, now_s: float, lasted_s: float) -> bool:
        """The broker closed an accepted connection after `lasted_s`; True when that has become a pattern."""
        if lasted_s > self._soon_s:
            self._closed_at.clear()
            return False
        self._closed_at.append(now_s)
        return len(self._closed_at) == self._limit and now_s - self._closed_at[0] <= self._window_s

    def unreachable(self) -> None:
        """The broker could not be reached: it was away, nobody took our place."""
        self._closed_at.clear()
