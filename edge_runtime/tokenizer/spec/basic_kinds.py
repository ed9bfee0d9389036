"""Words that several parts of a `tokenizer.json` use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SplitBehavior = Literal["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
PrependScheme = Literal["first", "never", "always"]


@dataclass(frozen=True)
class Pattern:
    """What `Split` and `Replace` look for: a literal text, or (`regex`) a regular expression in Oniguruma's syntax."""

    text: str
    regex: bool
