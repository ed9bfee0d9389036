"""When something starts and ends: windows, delays and a cooldown over samples that hold or do not. Pure."""

from __future__ import annotations

from collections import deque
from typing import Literal

from edge_runtime.rules.rule import Rule

Change = Literal["start", "end", "match"]


class Level:
    """What a rule knows of one topic: the last samples, and whether something is going on.

    A retained event outlives the process that published it, so with such a rule nothing is known at first: even if
    nothing goes on, that is said once.

    Attributes:
        on: it has started and not ended.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._last: deque[bool] = deque(maxlen=rule.of_last)
        self._hit = False
        self._hit_changed_s = 0.0
        self._quiet_until_s = float("-inf")
        self._unsure = rule.retain and rule.events == "change"
        self.on = False

    def sample(self, holds: bool, now_s: float) -> Change | None:
        """Take a sample; gives what it brought about."""
        is_first = not self._last
        self._last.append(holds)
        hit = sum(self._last) >= self._rule.at_least
        if self._rule.events == "each":
            return self._each(hit and holds, now_s)
        if is_first or hit != self._hit:
            self._hit, self._hit_changed_s = hit, now_s
        return self.tick(now_s)

    def tick(self, now_s: float) -> Change | None:
        """Time passes: what held long enough starts, what was over long enough ends."""
        if not self._last:
            return None
        lasted_s = now_s - self._hit_changed_s
        if self._hit and not self.on and lasted_s >= self._rule.for_s and now_s >= self._quiet_until_s:
            self.on, self._unsure = True, False
            self._quiet_until_s = now_s + self._rule.cooldown_s
            return "start"
        if not self._hit and (self.on or self._unsure) and lasted_s >= self._rule.clear_s:
            self.on = self._unsure = False
            return "end"
        return None

    def _each(self, hit: bool, now_s: float) -> Change | None:
        if not hit or now_s < self._quiet_until_s:
            return None
        self._last.clear()  # one event for these samples
        self._quiet_until_s = now_s + self._rule.cooldown_s
        return "match"
