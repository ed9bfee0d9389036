"""The long proof: ids, masks, type ids, offsets, overflow and decoded text are those of Hugging Face, 100 %.

    python -m tests.edge_runtime.tokenizer.parity [--mb 50] [--fuzz 1000000] [--name NAME]... [--workers 2]
                                                  [--output FILE] [--again]

Over every real file: MB of real text in over 30 languages, code, logs, telemetry and commands. For every family: so
many random texts, through its real files and through random files with every option drawn. Batches of 1 to 300 texts,
the vector path, the scalar path, a tokenizer that forgets all the time, and the plain definition (on a share of the
texts) against `tokenizers`; the worker processes map one compiled file. What is done is kept in the cache and not done
again, until the code or the peer changes. Progress goes to stderr; exit status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

import tokenizers

import edge_runtime.tokenizer
from benchmarks.table import show
from benchmarks.tokenizing.files import document_of
from edge_runtime.errors import SourceUnavailable
from edgert_tools.cache import cache_folder
from tests.edge_runtime.tokenizer.proof import texts
from tests.edge_runtime.tokenizer.proof.work import FAMILIES, Result, Unit, units, work

NAMES = tuple(name for family, files in FAMILIES.items() for name in (*files, family))
FIGURES = (
    *("texts", "bytes", "rows", "tokens", "batches", "rows decoded", "texts one by one", "texts by the reference"),
    *("files", "not compiled", "refused"),
)


def main() -> int:
    """Read the options, do what is not done, summarize."""
    parser = argparse.ArgumentParser(prog="python -m tests.edge_runtime.tokenizer.parity")
    parser.add_argument("--mb", type=float, default=50, help="real text for each real file")
    parser.add_argument("--fuzz", type=int, default=1_000_000, help="random texts for each family")
    parser.add_argument("--name", action="append", choices=NAMES, help="only this file or family; may be repeated")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--output", type=Path, help="also write the summary as JSON here")
    parser.add_argument("--again", action="store_true", help="do again what is done")
    options = parser.parse_args()
    size_bytes = int(options.mb * 1e6)
    folder = cache_folder() / "parity" / _state(size_bytes)
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "done.jsonl"
    if options.again:
        done.unlink(missing_ok=True)
    names, missing = _available(options.name or NAMES)
    wanted = list(units(size_bytes, options.fuzz, names))
    results = _read(done)
    results = {unit: results[unit] for unit in wanted if unit in results}
    started, before = time.perf_counter(), len(results)
    for result in _work([unit for unit in wanted if unit not in results], size_bytes, folder, options.workers):
        results[result.unit] = result
        with done.open("a", encoding="utf-8") as log:
            log.write(json.dumps(asdict(result)) + "\n")
        _progress(result, len(results), len(wanted), (time.perf_counter() - started) / (len(results) - before))
    return _summarize(results.values(), missing, size_bytes, options.output)


def _available(names: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """The names whose files can be had here, and why the others cannot."""
    missing = {}
    for name in names:
        try:
            if name not in FAMILIES:
                document_of(name)
        except SourceUnavailable as error:
            missing[name] = f"{name}: {error}"
    return tuple(name for name in names if name not in missing), [*missing.values()]


def _work(missing: Sequence[Unit], size_bytes: int, folder: Path, workers: int) -> Iterable[Result]:
    """Do units in worker processes, neighbours at the same time so that they map the same file."""
    if not missing:
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_start) as pool:
        try:
            for future in as_completed([pool.submit(work, unit, size_bytes, folder) for unit in missing]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _start() -> None:
    """Prepare a worker: one thread each, and no word from the peer, which writes a page for every refusal (a panic)."""
    os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "RUST_BACKTRACE": "0"}
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _state(size_bytes: int) -> str:
    """Hash over all that decides what comes out: our code, the peer, the tests, the corpus."""
    digest = hashlib.sha256(f"{tokenizers.__version__} {size_bytes}".encode())
    for top in (Path(edge_runtime.tokenizer.__file__).parent, Path(__file__).parent):
        for file in sorted(path for path in top.rglob("*") if path.suffix in {".py", ".txt", ".json", ".npz", ".bin"}):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _read(done: Path) -> dict[Unit, Result]:
    """The results of earlier runs; a last line that was cut off is done again."""
    results = {}
    for line in done.read_text(encoding="utf-8").splitlines() if done.exists() else []:
        try:
            data = json.loads(line)
        except json.JSONDecodeError:
            continue
        unit = Unit(**data["unit"])
        results[unit] = Result(unit, data["totals"], data["examples"])
    return results


def _progress(result: Result, count: int, wanted: int, each_s: float) -> None:
    unit = result.unit
    left_min = (wanted - count) * each_s / 60
    sys.stderr.write(
        f"{count}/{wanted} {unit.kind} {unit.name} {unit.at}: {result.totals['different']} different, "
        f"about {left_min:.0f} min left\n" + "".join(f"    {example}\n" for example in result.examples)
    )
    sys.stderr.flush()


def _summarize(results: Iterable[Result], missing: Sequence[str], size_bytes: int, output: Path | None) -> int:
    rows: dict[tuple[str, str], Counter[str]] = {}
    for result in sorted(results, key=lambda result: result.unit):
        rows.setdefault((result.unit.name, result.unit.kind), Counter(different=0)).update(result.totals)
    corpus = texts.documents(size_bytes) if size_bytes else None
    conditions: dict[str, object] = {"peer": f"tokenizers {tokenizers.__version__}", "not here": list(missing)}
    if corpus:
        conditions |= {"corpus sha256": corpus.sha256, "packages": len(corpus.sources)}
        conditions["languages"] = len(texts.languages(size_bytes))
    show(
        "parity with Hugging Face",
        [_row(name, kind, totals) for (name, kind), totals in rows.items()],
        as_json=False,
        output=output,
        conditions=conditions,
    )
    # Files that are all refused, or a name without a file, prove nothing.
    return int(not rows or any(totals["different"] or not totals["texts"] for totals in rows.values()))


def _row(name: str, kind: str, totals: Mapping[str, int]) -> dict[str, object]:
    figures: dict[str, object] = {figure: totals.get(figure, 0) for figure in FIGURES}
    return {"name": name, "texts are": kind, **figures, "different": totals["different"]}


if __name__ == "__main__":
    sys.exit(main())
