"""What a manifest says of the text tasks that read more than a row of values, as data (docs/bundle.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Aggregation = Literal["first", "simple", "average", "max"]


@dataclass(frozen=True)
class WindowSpec:
    """How a text over the model's limit is read: windows that repeat `stride` tokens, `most` of them at most."""

    stride: int = 128
    most: int = 64


@dataclass(frozen=True)
class PairSpec:
    """Which logit of a pair of texts says yes (relevant, entailed) and which says no; None: there is only the one.

    `template` is the sentence that zero-shot classification puts a label in, at `{}`.
    """

    positive: int = 0
    negative: int | None = None
    template: str = "This example is {}."
