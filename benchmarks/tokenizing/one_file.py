"""All rows of one tokenizer file, in a process of its own: so that one file's memory does not slow the next."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.corpora import corpus
from benchmarks.tokenizing import batches, ours, requests
from benchmarks.tokenizing.files import MEASURED, prepare
from benchmarks.tokenizing.hugging_face import NAME, HuggingFace
from benchmarks.tokenizing.native import load_peers
from benchmarks.tokenizing.opening import measure_opening

QUICK_BYTES = 600_000


def child() -> None:
    """Measure the file named on the command line and print its rows as JSON."""
    name, repeats, quick = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "quick"
    with tempfile.TemporaryDirectory() as folder:
        path = prepare(name, Path(folder))
        compiled = ours.compiled(path)
        _progress(name, "opening")
        rows = measure_opening(name, path, compiled, NAME, repeats)
        missing: list[str] = []
        if name in MEASURED:
            subject = batches.Subject(name, MEASURED[name], path, compiled, HuggingFace(path), repeats)
            peers, missing = load_peers(path, subject.kind)
            corpora = {"en": corpus.english().texts, "ml": corpus.multilingual().texts}
            for code, texts in corpora.items():
                _progress(name, f"batches, {code}")
                texts = _first(texts, QUICK_BYTES) if quick else texts
                rows.append(batches.measure_padded(subject, code, texts))
                rows += batches.measure_ids(subject, code, texts, peers)
                rows.append(batches.measure_offsets(subject, code, texts))
            _progress(name, "requests")
            rows += requests.measure_requests(subject, corpora["en"])
            rows.append(requests.measure_stream(subject, corpora["en"]))
            _progress(name, "megabytes")
            rows += requests.measure_linear(subject)
    print(json.dumps({"rows": [row.to_json() for row in rows], "missing": missing}))


def _first(texts: Sequence[str], size_bytes: int) -> list[str]:
    chosen, size = [], 0
    for text in texts:
        if size >= size_bytes:
            break
        chosen.append(text)
        size += len(text.encode())
    return chosen


def _progress(name: str, what: str) -> None:
    print(f"{name}: {what}", file=sys.stderr, flush=True)
