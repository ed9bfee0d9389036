"""Words as `edgert ask` takes them, and answers about words as it tells them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click


@dataclass(frozen=True)
class AskedWords:
    """What was typed: texts, and what they are asked with."""

    texts: tuple[str, ...]
    question: str | None = None
    context: str | None = None
    query: str | None = None
    labels: str | None = None

    @property
    def any(self) -> bool:
        """Whether there are words at all."""
        return bool(self.texts) or self.question is not None or self.context is not None

    @property
    def shown(self) -> tuple[str, ...]:
        """What the answer's lines are about."""
        return (self.question,) if self.question is not None else self.texts

    def body(self, *, truncate: bool) -> dict[str, Any]:
        """The request. click.UsageError: options that do not go together."""
        ways = [way for way in (self.question, self.query, self.labels) if way is not None]
        if len(ways) > 1:
            raise click.UsageError("Give one of --question, --query and --labels.")
        if (self.question is None) != (self.context is None) or (self.question is not None and self.texts):
            raise click.UsageError("Give --question and --context together, and no TEXT.")
        cut = {"truncate": True} if truncate else {}
        if self.question is not None:
            return {"question": self.question, "context": self.context, **cut}
        if self.query is not None:
            return {"query": self.query, "documents": list(self.texts), **cut}
        if self.labels is not None:
            return {"text": self._one_text(), "labels": self._split_labels(self.labels), **cut}
        return {"text": self.texts[0] if len(self.texts) == 1 else list(self.texts), **cut}

    def _one_text(self) -> str:
        if len(self.texts) != 1:
            raise click.UsageError(f"Give one TEXT with --labels, not {len(self.texts)}.")
        return self.texts[0]

    @staticmethod
    def _split_labels(labels: str) -> list[str]:
        return [label.strip() for label in labels.split(",") if label.strip()]


def said_of_entities(entities: Sequence[object]) -> str:
    """`ROOM kitchen 0.99, THING light 0.98`, in the order of the text."""
    told = []
    for one in entities:
        match one:
            case {"label": str(label), "text": str(text), "score": int() | float() as score}:
                told.append(f"{label} {text!r} {score:.2f}")
    return ", ".join(told) or "nothing"


def said_of_answer(answer: str, score: float) -> str:
    """The answer and how likely it is."""
    return f"{answer or '(no answer)'}  {score:.2f}"


def said_of_ranking(results: object, texts: Sequence[str]) -> list[str] | None:
    """A line for each document, best first; None if that is not what the results are."""
    lines = []
    for one in results if isinstance(results, list) else []:
        match one:
            case {"index": int(index), "score": int() | float() as score} if 0 <= index < len(texts):
                lines.append(f"{score:.2f}  {texts[index]}")
            case _:
                return None
    return lines or None
