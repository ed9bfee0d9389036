"""Labelled smart-home sentences: Home Assistant's English intent templates, filled with everyday names.

The templates come from the package `home-assistant-intents` (Apache-2.0), parsed by `hassil`. Every sentence is one
random walk over a template. Training and held-back sentences share templates and numbers, but no name of a device,
room, floor, person, song or list, and no whole sentence: accuracy on the held-back ones says what happens in another
home.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Collection
from importlib import resources
from typing import TYPE_CHECKING

from edge_runtime.errors import SourceUnavailable
from edgert_tools.datasets import Drawn, Labelled

if TYPE_CHECKING:
    from hassil.intents import Intent, IntentData, Intents

PACKAGE = "home-assistant-intents"
_TRIES_PER_SENTENCE = 8
# An intent with fewer distinct sentences than this ("never mind" has two) cannot be learnt and judged apart.
LEAST_TRAIN, LEAST_HELD_BACK = 8, 3


def sample_home_intents(train_per_label: int, held_back_per_label: int, seed: int) -> Drawn:
    """Draw both sets; the same arguments and package version give the same sentences.

    Args:
        train_per_label, held_back_per_label: the most sentences of one intent in each set.
        seed: another seed gives other sentences.

    Raises:
        SourceUnavailable: `home-assistant-intents` is not installed or has no English.
    """
    intents = _load()
    drawn = [
        {
            name: _draw(intents, intent, which, most, random.Random(f"{seed}/{name}/{which}"))
            for name, intent in sorted(intents.intents.items())
        }
        for which, most in ((0, train_per_label), (1, held_back_per_label))
    ]
    ambiguous = _ambiguous(drawn)
    train: list[Labelled] = []
    held_back: list[Labelled] = []
    dropped = []
    for name in drawn[0]:
        pools = [[text for text in part[name] if text not in ambiguous] for part in drawn]
        learnt, judged = _without_shared(pools[0], pools[1], random.Random(f"{seed}/{name}"))
        if len(learnt) < LEAST_TRAIN or len(judged) < LEAST_HELD_BACK:
            dropped.append((name, len({*pools[0], *pools[1]})))
            continue
        train += [Labelled(text, name) for text in learnt]
        held_back += [Labelled(text, name) for text in judged]
    return Drawn(tuple(train), tuple(held_back), tuple(dropped))


def _draw(intents: Intents, intent: Intent, which: int, most: int, rng: random.Random) -> list[str]:
    """Up to `most` different sentences of one intent, in the order they were drawn."""
    from edgert_tools.datasets.home_walk import Walker

    walker, kinds = Walker(intents, which, rng), _by_slots(intent)
    found: dict[str, None] = {}
    for _ in range(most * _TRIES_PER_SENTENCE):
        if len(found) == most:
            break
        text = walker.sentence(rng.choice(kinds))
        if text:
            found[text] = None
    return list(found)


def _by_slots(intent: Intent) -> list[list[IntentData]]:
    """Blocks that fill the same slots together, so that each way of asking is drawn equally often."""
    kinds: dict[str, list[IntentData]] = defaultdict(list)
    for block in intent.data:
        kinds[str((block.metadata or {}).get("slot_combination"))].append(block)
    return list(kinds.values())


def _ambiguous(drawn: list[dict[str, list[str]]]) -> set[str]:
    """Sentences that more than one intent has: "stop" alone may mean music or a mower."""
    meanings = Counter(text for name in drawn[0] for text in {text for part in drawn for text in part[name]})
    return {text for text, count in meanings.items() if count > 1}


def _without_shared(train: list[str], held_back: list[str], rng: random.Random) -> tuple[list[str], list[str]]:
    """Give each sentence without any filler, which both sets drew, to one of them: a third is held back."""
    shared = sorted({*train} & {*held_back})
    rng.shuffle(shared)
    judged: Collection[str] = set(shared[: len(shared) // 3])
    learnt: Collection[str] = set(shared[len(shared) // 3 :])
    return [text for text in train if text not in judged], [text for text in held_back if text not in learnt]


def _load() -> Intents:
    try:
        from hassil.intents import Intents

        text = (resources.files("home_assistant_intents") / "data" / "en.json").read_text(encoding="utf-8")
    except (ImportError, OSError) as error:
        raise SourceUnavailable(
            f"cannot read the English templates of the package {PACKAGE}: {error}: run `pip install 'edgert[convert]'`"
        ) from error
    loaded: Intents = Intents.from_dict(json.loads(text))
    return loaded
