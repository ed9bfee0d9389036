"""Texts to train and to judge on: from pinned packages, or from the user's file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Labelled:
    """A text and what it is."""

    text: str
    label: str
