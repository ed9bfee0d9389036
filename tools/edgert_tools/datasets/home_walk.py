"""One random walk over a parsed intent template gives one sentence."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from hassil.expression import Alternative, Expression, Group, ListReference, Permutation, RuleReference, TextChunk
from hassil.intents import IntentData, Intents, RangeSlotList
from hassil.util import normalize_whitespace

from edgert_tools.datasets.home_names import AREAS, DEVICES, FLOORS, WILDCARDS

# The package allows 1 to 100 for all of these; nobody sets a timer for 83 hours.
_NATURAL_RANGES: dict[str, tuple[int, int, int]] = {
    "timer_hours": (1, 12, 1),
    "timer_minutes": (1, 59, 1),
    "timer_seconds": (5, 59, 1),
    "temperature": (15, 28, 1),
    "color_temperature": (2000, 6500, 500),
    "volume_step_up": (5, 30, 5),
    "volume_step_down": (5, 30, 5),
}


class Walker:
    """Draws sentences of intents, with the fillers of one set."""

    def __init__(self, intents: Intents, which: int, rng: random.Random) -> None:
        """`which` is 0 for the training fillers, 1 for the held-back ones."""
        self._intents, self._which, self._rng = intents, which, rng

    def sentence(self, blocks: list[IntentData]) -> str:
        """One sentence of any template of these blocks."""
        block = self._rng.choice(blocks)
        template = self._rng.choice(block.sentences)
        rules = {**self._intents.expansion_rules, **block.expansion_rules}
        place = _Place(block, self._domain(block, set(template.list_names(rules))))
        text: str = normalize_whitespace(self._walk(template.expression, place)).strip()
        return text.replace("floor floor", "floor")  # "{floor} [floor]" filled with "top floor"

    def _domain(self, block: IntentData, lists: set[str]) -> str:
        """The kind of device that `{name}` is in this block."""
        domain = (block.requires_context or {}).get("domain") or (block.slots or {}).get("domain") or "switch"
        if isinstance(domain, dict):
            domain = domain.get("value", "switch")
        if isinstance(domain, list):
            domain = self._rng.choice(domain)
        if domain == "binary_sensor":
            return "occupancy_sensor" if "bs_occupancy_states" in lists else "opening_sensor"
        return "button" if domain == "input_button" else str(domain)

    def _walk(self, item: Expression, place: _Place) -> str:
        for kind, walk in _WALKS.items():
            if isinstance(item, kind):
                return walk(self, item, place)
        raise TypeError(f"hassil has a new expression, {type(item).__name__}")

    def _alternative(self, item: Any, place: _Place) -> str:
        return self._walk(self._rng.choice(item.items), place)

    def _permutation(self, item: Any, place: _Place) -> str:
        parts = self._rng.sample(item.items, len(item.items))
        return " ".join(self._walk(part, place) for part in parts)

    def _group(self, item: Any, place: _Place) -> str:
        return "".join(self._walk(part, place) for part in item.items)

    def _rule(self, item: Any, place: _Place) -> str:
        rule = place.block.expansion_rules.get(item.rule_name) or self._intents.expansion_rules[item.rule_name]
        return self._walk(rule.expression, place)

    def _list(self, item: Any, place: _Place) -> str:
        name = item.list_name
        if item.is_inline_range:
            start, stop, step = item.get_inline_range()
            return str(self._rng.randrange(start, stop + 1, step))
        pools = {"area": AREAS, "floor": FLOORS, "name": DEVICES.get(place.domain), **WILDCARDS}
        pool = pools.get(name)
        if pool is not None:
            return self._rng.choice(pool[self._which])
        values = place.block.slot_lists.get(name) or self._intents.slot_lists[name]
        if isinstance(values, RangeSlotList):
            start, stop, step = _NATURAL_RANGES.get(name, (values.start, values.stop, values.step))
            return str(self._rng.randrange(start, stop + 1, step))
        text_in = self._rng.choice(values.values).text_in
        return self._walk(getattr(text_in, "expression", text_in), place)


class _Place:
    """Where a walk is: the block of templates and the kind of device that its `{name}` is."""

    def __init__(self, block: IntentData, domain: str) -> None:
        self.block, self.domain = block, domain


# Order matters: Alternative and Permutation are kinds of Group.
_WALKS: Mapping[type[Expression], Callable[[Walker, Any, _Place], str]] = {
    TextChunk: lambda walker, item, place: str(item.original_text),
    Alternative: Walker._alternative,
    Permutation: Walker._permutation,
    Group: Walker._group,
    RuleReference: Walker._rule,
    ListReference: Walker._list,
}
