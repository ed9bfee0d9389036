"""Texts to train and to judge on: from pinned packages, or from the user's file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Labelled:
    """A text and what it is."""

    text: str
    label: str


@dataclass(frozen=True)
class Drawn:
    """Texts to train on and others to judge on; labels that were left out, with how many distinct texts they had."""

    train: tuple[Labelled, ...]
    held_back: tuple[Labelled, ...]
    dropped: tuple[tuple[str, int], ...] = ()
