"""Compare any number of random texts under random files of every family with the peer.

`python -m tests.edge_runtime.tokenizer.fuzz 300000 [SEED [FAMILY ...]]` prints each difference, shortened, and counts;
exit status 1 if there is one.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from typing import Any

from edge_runtime.errors import EdgertError, UnsupportedTokenizer
from edge_runtime.tokenizer.plain.reference import ReferenceTokenizer
from tests.edge_runtime.tokenizer.families.comparison import (
    decoded_by_ours,
    decoded_by_theirs,
    differing,
    encoding_of,
    peer_of,
    random_call,
    rows_of_ours,
    rows_of_theirs,
    shown,
    spec_of,
)
from tests.edge_runtime.tokenizer.families.files import FAMILIES, Case, random_case

TEXTS_PER_FILE = 60
SHOWN = 20  # files whose first difference is written
_SHOWN: list[Case] = []


def fuzz(count: int, seed: int, families: tuple[str, ...] = FAMILIES) -> Counter[str]:
    """Compare `count` texts and say what was covered; differences are written to standard output."""
    rng = random.Random(seed)
    totals = Counter({"different": 0})
    while totals["texts"] < count:
        family = rng.choice(families)
        case = random_case(rng, family)
        parse_special = rng.random() < 0.5
        try:
            ours = ReferenceTokenizer(spec_of(case.document), parse_special)
        except UnsupportedTokenizer as refusal:
            totals["files refused"] += 1
            totals[f"refused: {str(refusal)[:60]}"] += 1
            continue
        totals.update({"files": 1, family: 1})
        _compare(rng, case, ours, peer_of(case.document, parse_special), totals)
    return totals


def _compare(rng: random.Random, case: Case, ours: ReferenceTokenizer, peer: Any, totals: Counter[str]) -> None:
    texts = [case.text(rng) for _ in range(TEXTS_PER_FILE)]
    for text in texts:
        names = _differing_alone(ours, peer, text)
        totals.update({"texts": 1, "characters": len(text)})
        if names:
            _show(
                totals, case, [_shortest(ours, peer, text)], f"{names}, parse_special={not peer.encode_special_tokens}"
            )
    for at in range(0, TEXTS_PER_FILE, 4):
        pairs = texts[at + 2 : at + 4] if rng.random() < 0.5 else None
        call = random_call(rng, max(map(peer.num_special_tokens_to_add, (True, False))))
        both = (
            rows_of_ours(ours, call, texts[at : at + 2], pairs),
            rows_of_theirs(peer, ours.pad_id, call, texts[at : at + 2], pairs),
        )
        totals.update({"batches": 1, "batches refused": isinstance(both[1], str)})
        for name in differing(*both)[:1]:
            what = f"{shown(*both, name)} {call}, pairs: {pairs is not None}"
            _show(totals, case, [*texts[at : at + 2], *(pairs or [])], what)


def _differing_alone(ours: ReferenceTokenizer, peer: Any, text: str) -> list[str]:
    """Name what differs between the two for one text without any option."""
    theirs = encoding_of(peer, text)
    if theirs is None:
        return []
    try:
        encoded = ours.encode_batch([text], offsets=True)
    except EdgertError as error:
        return [f"refused: {error}"]
    assert encoded.offsets is not None
    names = [] if encoded.input_ids[0].tolist() == theirs.ids == ours.encode(text) else ["ids"]
    names += [] if [tuple(span) for span in encoded.offsets[0].tolist()] == theirs.offsets else ["offsets"]
    names += [] if ours.count(text) == len(theirs.ids) else ["count"]
    for skip in (True, False):
        expected = decoded_by_theirs(peer, theirs.ids, skip)
        same = expected in (None, decoded_by_ours(ours, theirs.ids, skip))
        names += [] if same else [f"decoded, skip_special_tokens={skip}"]
    return names


def _shortest(ours: ReferenceTokenizer, peer: Any, text: str) -> str:
    """Drop characters from a text for as long as the two still disagree on it."""
    at = 0
    while at < len(text):
        shorter = text[:at] + text[at + 1 :]
        if _differing_alone(ours, peer, shorter):
            text, at = shorter, 0
        else:
            at += 1
    return text


def _show(totals: Counter[str], case: Case, texts: list[str], what: str) -> None:
    """Write a difference, the first of its file only."""
    totals["different"] += 1
    if case not in _SHOWN and len(_SHOWN) < SHOWN:
        _SHOWN.append(case)
        document = {name: value for name, value in case.document.items() if value}
        document["model"] = {**document["model"], "vocab": "...", "merges": "..."}
        sys.stdout.write(f"{what}\n    {texts!a}\n    {json.dumps(document)}\n")


def main() -> int:
    """Run from the command line."""
    count, seed, families = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0, tuple(sys.argv[3:])
    totals = fuzz(count, seed, families or FAMILIES)
    sys.stdout.write("".join(f"{name}: {number}\n" for name, number in totals.items()))
    return int(totals["different"] > 0)


if __name__ == "__main__":
    sys.exit(main())
