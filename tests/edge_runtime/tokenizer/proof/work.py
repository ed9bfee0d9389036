"""Units of the proof: one takes some seconds, none depends on another, and what is done is not done again."""

from __future__ import annotations

import functools
import json
import random
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tokenizing.files import document_of
from edge_runtime.errors import UnsupportedTokenizer
from tests.edge_runtime.tokenizer.families.files import random_case
from tests.edge_runtime.tokenizer.proof.compare import Comparison, Shares
from tests.edge_runtime.tokenizer.proof.contenders import Contenders, contenders
from tests.edge_runtime.tokenizer.proof.texts import CHUNK, documents, favorites

FUZZ_TEXTS = 4000  # in a unit over one real file
CASE_TEXTS = 150  # for each random file
CASES = 20  # random files in a unit
RANDOM_SHARE = 0.05  # of a family's random texts, those that go through random files
SHARES = {
    "real": Shares(reference=0.02),
    "fuzz": Shares(reference=0.03, forgetful=0.25, alone=0.2, odd=0.1, decoded=0.5),
    "cases": Shares(reference=0.3, forgetful=0.5, alone=0.5, odd=0.3),
}

# Family -> real files of it. The last three families have random files only.
FAMILIES = {
    "wordpiece": ("minilm", "distilbert-cased"),
    "byte_level_bpe": (
        *("gpt2", "whisper-tiny-en", "claude", "cl100k", "o200k", "gpt-oss", "llama3", "qwen3", "deepseek-v3"),
    ),
    "sentencepiece_bpe": ("llama2", "gemma2", "gemma3", "moonshine"),
    "unigram": ("deberta-v3",),
    "clip": (),
    "anything": (),
    "compiled": (),
}


@dataclass(frozen=True, order=True)
class Unit:
    """Some texts through one real file, or through some random files of a family.

    Attributes:
        kind: `real` documents, `fuzz` of a real file, or random `cases`.
        name: of the real file, or of the family.
        at: which part of the texts, and the seed of what is random.
    """

    kind: str
    name: str
    at: int


@dataclass
class Result:
    """What a unit did."""

    unit: Unit
    totals: dict[str, int]
    examples: list[str]


def units(size_bytes: int, fuzz: int, names: tuple[str, ...]) -> Iterator[Unit]:
    """All units for the files and families of these names, small files first."""
    parts = -(-len(documents(size_bytes).documents) // CHUNK) if size_bytes else 0
    for family, files in FAMILIES.items():
        chosen = [name for name in files if name in names]
        through_files = int(fuzz * (1 - RANDOM_SHARE)) if chosen else 0
        for name in chosen:
            yield from (Unit("real", name, at) for at in range(parts))
            yield from (Unit("fuzz", name, at) for at in range(-(-through_files // (FUZZ_TEXTS * len(chosen)))))
        if family in names:
            left = fuzz - through_files if files else int(fuzz * RANDOM_SHARE)
            yield from (Unit("cases", family, at) for at in range(-(-left // (CASE_TEXTS * CASES))))


def work(unit: Unit, size_bytes: int, folder: Path) -> Result:
    """Do one unit in this process; one that breaks off is a difference."""
    try:
        return _done(unit, size_bytes, folder)
    except Exception:  # noqa: BLE001  whatever it is, the other units are to be done
        return Result(unit, {"different": 1}, [traceback.format_exc()])


def _done(unit: Unit, size_bytes: int, folder: Path) -> Result:
    rng = random.Random(f"{unit.kind} {unit.name} {unit.at}")
    if unit.kind == "cases":
        return _cases(unit, rng, folder)
    parse_special = unit.kind == "fuzz" and unit.at % 4 == 3
    them, document = _opened(unit.name, parse_special, folder)
    comparison = Comparison(them, rng, SHARES[unit.kind])
    comparison.totals["not compiled"] = int(not them.is_compiled)
    if unit.kind == "real":
        chosen = documents(size_bytes).documents[unit.at * CHUNK : (unit.at + 1) * CHUNK]
        comparison.documents([text for _, text in chosen])
        comparison.totals["bytes"] = sum(len(text.encode()) for _, text in chosen)
    else:
        for _ in range(FUZZ_TEXTS // 400):
            case = favorites(rng, document)
            comparison.fuzz([case.text(rng) for _ in range(400)])
    return Result(unit, dict(comparison.totals), comparison.examples)


def _cases(unit: Unit, rng: random.Random, folder: Path) -> Result:
    totals: Counter[str] = Counter(different=0)
    examples: list[str] = []
    for number in range(CASES):
        case = random_case(rng, unit.name)
        name = f"case-{unit.name}-{unit.at}-{number}"
        try:
            them = contenders(case.document, folder, name, parse_special=rng.random() < 0.5)
        except UnsupportedTokenizer:
            totals["refused"] += 1
            continue
        finally:
            for left in folder.glob(f"{name}.*"):
                left.unlink()
        comparison = Comparison(them, rng, SHARES["cases"])
        comparison.fuzz([case.text(rng) for _ in range(CASE_TEXTS)])
        totals.update(dict(comparison.totals) | {"files": 1, "not compiled": int(not them.is_compiled)})
        if comparison.examples:
            examples += [*comparison.examples[:3], json.dumps(case.document)[:20_000]]
    return Result(unit, dict(totals), examples)


@functools.lru_cache(maxsize=1)
def _opened(name: str, parse_special: bool, folder: Path) -> tuple[Contenders, dict[str, Any]]:
    document = document_of(name)
    return contenders(document, folder, name, parse_special), document
