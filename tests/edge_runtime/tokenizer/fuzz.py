"""Compare any number of random texts under random options with the peer.

`python -m tests.edge_runtime.tokenizer.fuzz 300000 [SEED]` prints each difference, shortened, and a count; exit status
1 if there is one.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from typing import Any

from tests.edge_runtime.tokenizer.documents import random_document, random_text
from tests.edge_runtime.tokenizer.oracle import shortest_difference, tokenizers_of

TEXTS_PER_DOCUMENT = 250
SHOWN = 20


def fuzz(count: int, seed: int) -> Counter[str]:
    """Compare `count` texts and say what was covered; differences are written to standard output."""
    rng = random.Random(seed)
    totals = Counter({"different": 0})
    while totals["texts"] < count:
        document = random_document(rng)
        totals.update(_compare(rng, document, min(TEXTS_PER_DOCUMENT, count - totals["texts"]), totals["different"]))
    return totals


def _compare(rng: random.Random, document: dict[str, Any], count: int, shown: int) -> Counter[str]:
    parse_special = rng.random() < 0.5
    ours, peer = tokenizers_of(document, parse_special)
    totals = Counter({"documents": 1, "lower-casing documents": int(document["normalizer"]["lowercase"])})
    for text in (random_text(rng) for _ in range(count)):
        ids = peer.encode(text).ids
        totals.update({"texts": 1, "characters": len(text), "ids": len(ids)})
        if ours.encode(text) != ids:
            totals["different"] += 1
            if shown + totals["different"] <= SHOWN:
                short = shortest_difference(text, ours, peer)
                sys.stdout.write(
                    f"{short!a} {document['normalizer']} parse_special={parse_special}: "
                    f"{ours.encode(short)}, not {peer.encode(short).ids}\n"
                )
    return totals


def main() -> int:
    """Run from the command line."""
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    totals = fuzz(count, seed)
    sys.stdout.write("".join(f"{name}: {number}\n" for name, number in totals.items()))
    return int(totals["different"] > 0)


if __name__ == "__main__":
    sys.exit(main())
