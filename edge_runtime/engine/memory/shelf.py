"""Which models are loaded within a budget, who has to go for another, and who is to be loaded anew.

Who goes is decided by what it would cost: `value = uses * seconds to load again / megabytes`, the lowest goes first.
That is the rule of GreedyDual-Size with frequency, whose "inflation" is replaced by what it stands for, forgetting:
a use counts half as much after `HALF_LIFE_S`.

Source: Cao & Irani 1997, "Cost-Aware WWW Proxy Caching Algorithms", USITS; Cherkasova 1998, HPL-98-69R1 (frequency);
Lee et al. 2001, "LRFU", IEEE Transactions on Computers 50(12) (uses that fade).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from edge_runtime.errors import NoMemory

HALF_LIFE_S = 300.0
BURST_S = 1.0  # uses within it count once: a model that is loaded for the first of them is there for the others
LEAST_SHARE = 0.5  # of the estimate: less growth was measured only because freed memory was used again
# RSS beyond what the models explain: this share of it, at least this much, is what their arenas take at work.
DRIFT_SHARE, DRIFT_MB = 0.25, 32.0
DRIFT_LEAST_MB = 16.0  # over the budget less is forgiven
RECYCLE_INTERVAL_S, OVER_INTERVAL_S = 600.0, 30.0  # between two reloads; over the budget there is no time to lose
_LEAST_MB, _LEAST_S = 0.1, 0.001


@dataclass
class _Known:
    """What is remembered of a model, loaded or not.

    `need_mb` is the estimate of the one to come, `size_mb` what the last one took, whose estimate was `sized_for_mb`;
    `uses_log2` is as of `at_s`.
    """

    need_mb: float = 0.0
    size_mb: float = 0.0
    sized_for_mb: float = -1.0
    load_s: float = 1.0
    uses_log2: float = -math.inf
    at_s: float = -math.inf
    used_s: float = -math.inf
    runs: int = 0  # since it was loaded
    running: int = 0

    def note_use(self, now_s: float) -> None:
        """Count a use, in log2: counts that have faded for weeks are still in order."""
        self.used_s = max(self.used_s, now_s)
        self.runs += 1
        if now_s - self.at_s >= BURST_S:
            self.uses_log2 = math.log2(1.0 + 2.0 ** self.faded_log2(now_s)) if self.at_s > -math.inf else 0.0
            self.at_s = now_s

    def faded_log2(self, now_s: float) -> float:
        """log2 of the uses, as of now; at least a use 1000 half-lives ago, so that 2 to its power is a number."""
        return max(self.uses_log2 - (now_s - self.at_s) / HALF_LIFE_S, -1000.0)

    def rank(self) -> tuple[float, float]:
        """What it would cost to be without it, in log2 as of time 0; then when it was used last."""
        cost = math.log2(max(self.load_s, _LEAST_S) / max(self.size_mb, _LEAST_MB))
        faded = self.uses_log2 + self.at_s / HALF_LIFE_S if self.at_s > -math.inf else -math.inf
        return faded + cost, self.used_s


class ModelShelf:
    """The models that are loaded, and what was learned of each. Not locked, reads no clock: the caller does.

    Args:
        budget_mb: what all may take together, `base_mb` included.
        base_mb: what the process takes without any model; 0 leaves it out of the sum.
    """

    def __init__(self, budget_mb: float, base_mb: float = 0.0) -> None:
        self.budget_mb, self.base_mb = budget_mb, base_mb
        self.pinned: set[str] = set()
        self._known: dict[str, _Known] = {}
        self._here: dict[str, _Known] = {}
        self._cleared_for: set[str] = set()  # models for which others were put away: their growth shows too little
        self._excess_mb = math.inf  # RSS beyond the sum that is taken for granted
        self._recycled: set[str] = set()
        self._recycled_s = -math.inf

    @property
    def taken_mb(self) -> float:
        """What the process takes by this account."""
        return self.base_mb + sum(known.size_mb for known in self._here.values())

    @property
    def sizes_mb(self) -> dict[str, float]:
        """Loaded models and what each takes by this account."""
        return {name: known.size_mb for name, known in self._here.items()}

    def has_room(self, name: str, need_mb: float) -> bool:
        """Whether a model fits beside all that is loaded."""
        return self.taken_mb + self._wanted_mb(name, need_mb) <= self.budget_mb

    def room_for(self, name: str, need_mb: float, *, instead: bool = False) -> list[str]:
        """Whom to put away so that a model fits, the cheapest first. Nothing is changed until `dropped` is called.

        Args:
            name: the model to load; if it is loaded, that one stays beside the new one until the exchange is done.
            need_mb: an estimate; where more was measured before, that is made room for if it can be.
            instead: the one of this name goes before the new one is loaded, and is not in the list.

        Raises:
            NoMemory: with the sum, if it does not fit when all that may go are gone.
        """
        gone_mb = self._here[name].size_mb if instead and name in self._here else 0.0
        may_go = [other for other in self._here if other != name and self._may_go(other)]
        for want_mb in (self._wanted_mb(name, need_mb), need_mb):
            over_mb = self.taken_mb - gone_mb + want_mb - self.budget_mb
            victims = self._cheapest(may_go, over_mb)
            if victims is not None:
                self._known.setdefault(name, _Known()).need_mb = need_mb
                self._cleared_for.discard(name)
                if victims:
                    self._cleared_for.add(name)
                return victims
        raise NoMemory(name, need_mb, self.budget_mb, self._sum(leave_out=name if instead else None))

    def loaded(self, name: str, grew_mb: float, took_s: float, now_s: float) -> None:
        """A model was loaded, or exchanged for another of its name.

        Args:
            grew_mb: by how much the process grew meanwhile. It counts if it says something: not when an old session
                of the same name ended in the same time, and not below the estimate when others were put away for it.
            took_s: seconds, what loading it again will take.
        """
        known = self._known.setdefault(name, _Known())
        if name not in self._here:
            least = 1.0 if name in self._cleared_for else LEAST_SHARE
            known.size_mb = max(grew_mb, known.need_mb * least)
        else:  # the growth is the new one less what was freed of the old one: it never says too much
            known.size_mb = max(grew_mb, known.size_mb if known.need_mb == known.sized_for_mb else known.need_mb)
        known.sized_for_mb = known.need_mb
        self._cleared_for.discard(name)
        known.load_s, known.used_s = took_s, now_s
        known.note_use(now_s)  # whoever had it loaded is about to ask it
        known.runs = 0
        self._here[name] = known

    def used(self, name: str, now_s: float) -> None:
        """A loaded model was asked."""
        if name in self._here:
            self._here[name].note_use(now_s)

    def begun(self, name: str, now_s: float) -> None:
        """A run of a model begins: until `ended` it cannot go."""
        self.used(name, now_s)
        self._known.setdefault(name, _Known()).running += 1

    def ended(self, name: str) -> None:
        """A run that `begun` was told of has ended."""
        known = self._known.get(name)
        if known is not None and known.running:
            known.running -= 1

    def dropped(self, name: str) -> None:
        """A model was put away or unloaded; what was learned of it stays for the next time."""
        self._here.pop(name, None)

    def over_budget(self, keep: str) -> list[str]:
        """Whom to put away because what was loaded turned out larger than it was thought to be; never `keep`.

        If that is not enough, it gives all that may go.
        """
        may_go = [other for other in self._here if other != keep and self._may_go(other)]
        victims = self._cheapest(may_go, self.taken_mb - self.budget_mb)
        return may_go if victims is None else victims

    def drifted(self, rss_mb: float, now_s: float) -> str | None:
        """Which model to load anew because the process has grown beyond what the models explain.

        Beyond the sum of the models it may take a quarter of that, at least 32 MB; and over the budget 16 MB. Which
        session grew cannot be seen from outside: it is the one with the most runs since it was loaded. One model in
        ten minutes, over the budget in half a minute; when all had their turn and the memory did not come back, it is
        somebody else's and is taken for granted.

        Args:
            rss_mb: of the process now. The first call tells what is beyond the sum from the start.
        """
        excess = max(0.0, rss_mb - self.taken_mb)
        self._excess_mb = min(self._excess_mb, excess)
        margin, interval_s = max(DRIFT_MB, DRIFT_SHARE * self.taken_mb), RECYCLE_INTERVAL_S
        if rss_mb > self.budget_mb:
            margin, interval_s = DRIFT_LEAST_MB, OVER_INTERVAL_S
        if excess - self._excess_mb <= margin:
            self._recycled.clear()
            return None
        if now_s - self._recycled_s < interval_s:
            return None
        candidates = [name for name in self._here if name not in self._recycled and self._here[name].runs]
        if not candidates:
            self._excess_mb = excess
            self._recycled.clear()
            return None
        chosen = max(candidates, key=lambda name: self._here[name].runs)
        self._recycled.add(chosen)
        self._recycled_s = now_s
        return chosen

    def _wanted_mb(self, name: str, need_mb: float) -> float:
        known = self._known.get(name)
        return need_mb if known is None or known.sized_for_mb != need_mb else max(need_mb, known.size_mb)

    def _may_go(self, name: str) -> bool:
        return name not in self.pinned and not self._here[name].running

    def _cheapest(self, names: Iterable[str], over_mb: float) -> list[str] | None:
        """The models of least value that together take `over_mb`; None if all of them do not."""
        victims, freed_mb = list[str](), 0.0
        for name in sorted(names, key=lambda name: self._here[name].rank()):
            if freed_mb >= over_mb:
                break
            victims.append(name)
            freed_mb += self._here[name].size_mb
        if freed_mb < over_mb:
            return None
        for name in reversed(victims[:-1]):  # a large one at the end may have made some of the others needless
            if freed_mb - self._here[name].size_mb >= over_mb:
                victims.remove(name)
                freed_mb -= self._here[name].size_mb
        return victims

    def _sum(self, leave_out: str | None) -> dict[str, float]:
        base = {"the process itself": self.base_mb} if self.base_mb else {}
        models = {}
        for name, known in self._here.items():
            if name != leave_out:
                why = " (pinned)" if name in self.pinned else " (running)" if known.running else ""
                models[name + why] = known.size_mb
        return base | models
