"""How fast text becomes token ids, against Hugging Face `tokenizers` and native peers, and whether the ids are theirs.

    python -m benchmarks.tokenizers [--quick] [--family NAME]... [--json] [--output FILE]

Every row is one task with one real tokenizer file. "theirs" is the peer's median, "warm" ours on the second pass,
"cold" ours on the first pass of a freshly opened tokenizer that has only its compiled file. "warm x" and "cold x" say
how many times better than the peer that is: MB/s, or the inverse of time or memory. One thread each, interleaved,
medians of 5 or more, of CPU time, which is what a quiet machine takes. `tokenizers` gets its fastest call, in the
newest version, which is fetched into the cache together with the other peers. "differ" counts documents whose result is
not the one of `tokenizers`: it must be 0.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.corpora import corpus
from benchmarks.table import show
from benchmarks.tokenizing.files import OPENED
from benchmarks.tokenizing.peer_packages import TOKENIZERS, peer_folders
from benchmarks.tokenizing.rows import Row

ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = {
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def main() -> None:
    """Read the options, measure each file in a process of its own, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tokenizers", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="0.6 MB of text and 3 rounds: the order of magnitude")
    parser.add_argument("--family", action="append", choices=OPENED, help="only this file; may be repeated")
    parser.add_argument("--repeats", type=int, help="rounds of each measurement; default 5, or 3 with --quick")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    options = parser.parse_args()
    folders, missing = peer_folders()
    conditions: dict[str, object] = {"peer": TOKENIZERS, "clock": "CPU time", "load before": _load()}
    rows: list[Row] = []
    for name in options.family or OPENED:
        rows += _measure(name, folders, options.repeats or (3 if options.quick else 5), options.quick, missing)
    texts = {"en": corpus.english(), "ml": corpus.multilingual()}
    conditions |= {"load after": _load(), "not measured": missing}
    conditions |= {
        code: f"{own.size_bytes / 1e6:.1f} MB, {len(own.documents)} documents, {len(own.languages)} languages"
        for code, own in texts.items()
    }
    if not rows:
        sys.exit("nothing was measured")
    title = "tokenizers: quick" if options.quick else "tokenizers"
    show(title, [row.cells() for row in rows], as_json=options.json, output=options.output, conditions=conditions)


def _measure(name: str, folders: list[Path], repeats: int, quick: bool, missing: list[str]) -> list[Row]:
    path = os.pathsep.join([*map(str, folders), str(ROOT), str(ROOT / "tools"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", "from benchmarks.tokenizing.one_file import child; child()"]
    command += [name, str(repeats), "quick" if quick else "whole"]
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": path}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        missing.append(f"{name}: failed")
        print(f"{name}: the measurement failed, see above", file=sys.stderr)
        return []
    result = json.loads(done.stdout)
    missing += [f"{name}: {line}" for line in result["missing"]]
    return [Row.from_json(row) for row in result["rows"]]


def _load() -> str:
    """The load averages of the last 1 and 5 minutes: how far a figure can be trusted."""
    return " ".join(f"{load:.2f}" for load in os.getloadavg()[:2])


if __name__ == "__main__":
    main()
