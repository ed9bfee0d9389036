"""The user's own texts: one a line, or with labels as JSON lines or as tab-separated lines."""

from __future__ import annotations

import json
from pathlib import Path

from edge_runtime.errors import UsageError
from edge_runtime.tokenizer.unicode import LONE_SURROGATE
from edgert_tools.datasets import Labelled

_READERS = (".txt", ".jsonl", ".tsv")
_FORMS = '.txt (a text a line), .jsonl ({"text": ..., "label": ...}) or .tsv (text<TAB>label)'
LEAST_TEXTS = 20


def read_user_file(file: Path) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Texts, and their labels if the file has them.

    Raises:
        UsageError: unknown ending, not UTF-8, a line of another form, too few texts.
    """
    if file.suffix not in _READERS:
        raise UsageError(f"data file {file.name} ends in {file.suffix or 'nothing'!r}, expected {_FORMS}")
    try:
        # Not splitlines(): that also cuts at U+2028 and its kin, which may stand inside a JSON string.
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read data file {file.name}: {error}") from error
    if file.suffix == ".txt":
        texts = tuple(line.strip() for line in lines if line.strip())
        labels = None
    else:
        read = _json_line if file.suffix == ".jsonl" else _tab_line
        rows = [read(line, f"{file.name}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
        texts, labels = tuple(row.text for row in rows), tuple(row.label for row in rows)
    if len(texts) < LEAST_TEXTS:
        raise UsageError(f"data file {file.name} has {len(texts)} texts, give at least {LEAST_TEXTS}")
    return texts, labels


def _json_line(line: str, where: str) -> Labelled:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: not JSON: {error}") from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not isinstance(row.get("label"), str):
        raise UsageError(f'{where}: found {line[:60]!r}, expected {{"text": "...", "label": "..."}}')
    return _labelled(row["text"], row["label"], line, where)


def _tab_line(line: str, where: str) -> Labelled:
    text, _, label = line.rpartition("\t")
    return _labelled(text, label, line, where)


def _labelled(text: str, label: str, line: str, where: str) -> Labelled:
    text, label = text.strip(), label.strip()
    if not text or not label or LONE_SURROGATE.search(text):
        raise UsageError(
            f"{where}: found {line[:60]!r}, expected {_FORMS}, of whole characters and neither of them empty"
        )
    return Labelled(text, label)
