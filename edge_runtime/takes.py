"""What a model can be asked with. Data alone: the contract reads requests by it, models say it of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MEDIA_TYPES = ("image/jpeg", "image/png", "audio/wav")  # what a model may take besides

# Which fields of a JSON object hold the texts: `text` (one or a list); `question` and `context`; `query` and
# `documents` (a list); `text` and `labels` (a list); none.
Words = Literal["text", "question", "query", "labels", "none"]

INPUTS: dict[Words, tuple[str, ...]] = {
    "text": ("text",),
    "question": ("question", "context"),
    "query": ("query", "documents"),
    "labels": ("text", "labels"),
    "none": (),
}


@dataclass(frozen=True)
class Takes:
    """What a request for a model may carry; anything else is refused before it is queued.

    Attributes:
        media: of `MEDIA_TYPES`, those that the model reads; others are answered 415.
        tensors: the model reads tensors of numbers; else they are answered 422.
        words: where its texts are.
    """

    media: frozenset[str] = frozenset()
    tensors: bool = False
    words: Words = "text"


TEXTS_ONLY = Takes()
