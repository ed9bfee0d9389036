"""Batches through everybody: rows with offsets and overflow, decoded text, one by one and together."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from edge_runtime.tokenizer.encoding import Padding, Tokenizer, Truncation
from tests.edge_runtime.tokenizer.families.comparison import (
    Call,
    Row,
    decoded_by_ours,
    decoded_by_theirs,
    differing,
    encoding_of,
    random_call,
    rows_of_ours,
    rows_of_theirs,
)
from tests.edge_runtime.tokenizer.proof.contenders import Contenders
from tests.edge_runtime.tokenizer.proof.shrink import shortest

LARGEST_BATCH = 300
# With random options a pair may overflow token by token, and has a row for each of one text with each of the other.
LARGEST_ODD_BATCH, LONGEST_ODD = 30, 25
SCALAR_CHARACTERS = 400  # texts up to here are encoded one by one, too
SHOWN = 10
# Parts of 256 tokens that repeat 16 show every id, mask, type id and offset of a text, however long it is.
WHOLE = Call(256, Truncation(stride=16, overflow=True), Padding(), special_tokens=True)
_CRASHED = [Row([-1], [], [], [], [])]  # equal to nothing that the peer gives, nor to its refusal


class Shares(NamedTuple):
    """Which part of the texts goes through what; everything goes through the vector path and the peer."""

    reference: float
    forgetful: float = 1
    alone: float = 1
    odd: float = 1
    decoded: float = 1


class Comparison:
    """Counts what was compared and keeps the first differences, shortened.

    Args:
        them: everybody who takes part.
        rng: chooses batch sizes, options and who takes part in what.
        shares: how much of the texts goes through the slower ways.

    Attributes:
        totals: how much was compared; `different` is what must stay 0.
        examples: what differs on which texts, in ASCII.
    """

    def __init__(self, them: Contenders, rng: random.Random, shares: Shares) -> None:
        self._them, self._rng, self._shares = them, rng, shares
        self.totals: Counter[str] = Counter(different=0)
        self.examples: list[str] = []

    def documents(self, texts: Sequence[str]) -> None:
        """Compare whole texts in batches of any size, each with its overflow, and decoded."""
        for batch in self._batches(texts):
            rows = self._everybody(batch, WHOLE, None)
            self._decoded(rows)
            self._one_by_one(batch)

    def fuzz(self, texts: Sequence[str]) -> None:
        """Compare texts whole, in batches of any size; and beginnings with any options, half of them in pairs."""
        self.documents(texts)
        chosen = [text[:LONGEST_ODD] for text in texts if self._rng.random() < self._shares.odd]
        for batch in self._batches(chosen, LARGEST_ODD_BATCH):
            pairs = self._rng.choices(batch, k=len(batch)) if self._rng.random() < 0.5 else None
            call = random_call(self._rng, self._them.peer.num_special_tokens_to_add(pairs is not None))
            self._everybody(batch, call, pairs)

    def _batches(self, texts: Sequence[str], most: int = LARGEST_BATCH) -> Iterator[Sequence[str]]:
        at = 0
        while at < len(texts):
            size = self._rng.choice((1, 2, self._rng.randint(1, LARGEST_ODD_BATCH), self._rng.randint(1, most)))
            yield texts[at : at + size]
            at += size

    def _everybody(self, texts: Sequence[str], call: Call, pairs: Sequence[str] | None) -> list[Row]:
        """Compare one batch; gives the peer's rows, none if it refused."""
        theirs = self._theirs(texts, call, pairs)
        self._compare("fast", self._them.fast, texts, call, pairs, theirs)
        if self._rng.random() < self._shares.forgetful:
            self._compare("forgetful", self._them.forgetful, texts, call, pairs, theirs)
        chosen = [at for at in range(len(texts)) if self._rng.random() < self._shares.reference]
        if chosen:
            few, with_them = [texts[at] for at in chosen], pairs and [pairs[at] for at in chosen]
            self._compare("reference", self._them.reference, few, call, with_them, self._theirs(few, call, with_them))
            self.totals["texts by the reference"] += len(few)
        self.totals.update({"batches": 1, "texts": len(texts), "refused batches": isinstance(theirs, str)})
        if isinstance(theirs, str):
            return []
        self._without_offsets(texts, call, pairs, theirs)
        self.totals.update({"rows": len(theirs), "tokens": sum(sum(row.mask) for row in theirs)})
        return theirs

    def _theirs(self, texts: Sequence[str], call: Call, pairs: Sequence[str] | None) -> list[Row] | str:
        return rows_of_theirs(self._them.peer, self._them.reference.pad_id, call, texts, pairs)

    def _compare(
        self,
        name: str,
        ours: Tokenizer,
        texts: Sequence[str],
        call: Call,
        pairs: Sequence[str] | None,
        theirs: list[Row] | str,
    ) -> None:
        names = differing(self._ours(ours, texts, call, pairs), theirs)
        if not names:
            return

        def alone(text: str) -> bool:
            return bool(differing(self._ours(ours, [text], call, None), self._theirs([text], call, None)))

        what = f"{name}: {names}, {call}, pairs={pairs is not None}, batch of {len(texts)}"
        self._differ(what, _culprit(texts, pairs, alone))

    def _without_offsets(
        self, texts: Sequence[str], call: Call, pairs: Sequence[str] | None, theirs: list[Row]
    ) -> None:
        """The call without offsets goes another way."""

        def same(some: Sequence[str], others: Sequence[str] | None, rows: list[Row] | str) -> bool:
            encoded = self._them.fast.encode_batch(
                some,
                call.max_tokens,
                call.truncation,
                pairs=others,
                padding=call.padding,
                special_tokens=call.special_tokens,
            )
            ours = [*zip(encoded.input_ids.tolist(), encoded.attention_mask.tolist(), strict=True)]
            return isinstance(rows, list) and ours == [(row.ids, row.mask) for row in rows]

        def alone(text: str) -> bool:
            return not same([text], None, self._theirs([text], call, None))

        if not same(texts, pairs, theirs):
            what = f"fast, without offsets: {call}, pairs={pairs is not None}, batch of {len(texts)}"
            self._differ(what, _culprit(texts, pairs, alone))

    def _decoded(self, rows: Sequence[Row]) -> None:
        """Decode each row at once and as a stream, with the special tokens now and then."""
        for row in rows:
            if self._rng.random() > self._shares.decoded:
                continue
            self.totals["rows decoded"] += 1
            skip = self._rng.random() < 0.8
            ids = [token_id for token_id, real in zip(row.ids, row.mask, strict=True) if real]
            theirs = decoded_by_theirs(self._them.peer, ids, skip)
            ours: object
            try:
                ours = decoded_by_ours(self._them.fast, ids, skip)
            except Exception as error:  # noqa: BLE001  the stream says something else, or a crash
                ours = error
            if theirs is not None and ours != theirs:
                self._differ(f"decoded, skip_special_tokens={skip}: {ours!a} {theirs!a}", [str(ids)])

    def _one_by_one(self, texts: Sequence[str]) -> None:
        """The scalar path, and the number of ids alone."""
        for text in texts:
            if len(text) > SCALAR_CHARACTERS or self._rng.random() > self._shares.alone:
                continue
            if self._is_wrong(text):
                self._differ("fast, one by one", [shortest(text, self._is_wrong)])
            self.totals["texts one by one"] += 1

    def _is_wrong(self, text: str) -> bool:
        theirs, fast = encoding_of(self._them.peer, text), self._them.fast
        return theirs is not None and (fast.encode(text) != theirs.ids or fast.count(text) != len(theirs.ids))

    def _differ(self, what: str, texts: Sequence[str]) -> None:
        self.totals["different"] += 1
        if len(self.examples) < SHOWN:
            self.examples.append(f"{what}: {[text[:2000] for text in texts]!a}")

    def _ours(self, ours: Tokenizer, texts: Sequence[str], call: Call, pairs: Sequence[str] | None) -> list[Row] | str:
        try:
            return rows_of_ours(ours, call, texts, pairs)
        except Exception as error:  # noqa: BLE001  a crash is a difference to be shown, not the end of the proof
            self.totals[f"crashed: {error!r}"[:120]] += 1
            return _CRASHED


def _culprit(texts: Sequence[str], pairs: Sequence[str] | None, alone: Callable[[str], bool]) -> list[str]:
    """One text that differs alone, as short as may be; else the first of them."""
    found = next((text for text in texts if alone(text)), None) if pairs is None else None
    return [*texts, *(pairs or [])][:4] if found is None else [shortest(found, alone)]
