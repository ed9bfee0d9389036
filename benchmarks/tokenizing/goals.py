"""What is promised for each task: ratios to the newest `tokenizers` in the same run, one thread each."""

from __future__ import annotations

from benchmarks.tokenizing.rows import NO_GOAL, Goal

# Kind of tokenizer -> corpus -> goal for a batch's ids.
BATCH = {
    "WordPiece": {"en": Goal(35, 15), "ml": Goal(35, 15)},
    "byte-level BPE": {"en": Goal(30, 8), "ml": Goal(25, 4)},
    "Unigram": {"en": Goal(20, 5), "ml": Goal(20, 5)},
    "SentencePiece BPE": {"en": Goal(15, 4), "ml": Goal(15, 4)},
}
PADDED = Goal(45, 10)
OFFSETS = Goal(15, 5)
COMMAND = Goal(12, 1 / 0.6)
PARAGRAPH = Goal(30, 1 / 0.5)
LINEAR = Goal(cold=1 / 3)  # within three times of the peer on a text nobody saw before
OPEN_MS = Goal(limit=3)
OPEN_MB = Goal(limit=2)
COMPILE_TIME = Goal(warm=1 / 2)
COMPILE_MEMORY = Goal(warm=1 / 3)
STREAM_US = Goal(limit=2)

# Native peer -> corpus -> goal, warm.
PEERS = {
    "nanotoken": {"en": Goal(0.5), "ml": Goal(1)},
    "snaptokens": {"en": Goal(0.5), "ml": Goal(1)},
    "tiktoken": {"en": Goal(3), "ml": Goal(3)},
}


def of_peer(peer: str, corpus: str) -> Goal:
    """The goal against a native peer, by what it gives as lists; most have none and are shown for comparison."""
    return NO_GOAL if peer.endswith(" flat") else PEERS.get(peer.split()[0], {}).get(corpus, NO_GOAL)
