"""`edgert quantize`: reads its options, calls the search, prints."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edgert_tools.convert import ConvertResult


@click.command()
@click.argument("source")
@click.option(
    "-o",
    "--output",
    "out",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="Bundle folder to make. One that is up to date is left as it is.",
)
@click.option(
    "--data",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Own texts: a fifth is calibrated on, the rest judged on. .txt, or with labels .jsonl or .tsv.",
)
@click.option(
    "--scheme",
    "schemes",
    metavar="NAME",
    multiple=True,
    help="Try only this scheme; may be repeated. Default: twelve of them, docs/quantization.md lists all.",
)
@click.option("--task", metavar="TASK", help="What the board answers. Default: what the model's head is for.")
@click.option("--revision", metavar="REV", help="Commit, branch or tag of a hub id. Default: the newest commit.")
@click.option("--name", help="The bundle's name, also its word in topics. Default: the recipe's or the model's.")
@click.option("--max-tokens", type=click.IntRange(3), help="Longest text the board takes, in tokens.")
@click.option("--force", is_flag=True, help="Search again, and replace a bundle at DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines.")
def quantize(
    source: str,
    out: Path,
    data: Path | None,
    schemes: tuple[str, ...],
    task: Any,
    revision: str | None,
    name: str | None,
    max_tokens: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Try every int8 scheme on SOURCE and make a bundle of the best.

    SOURCE is what `edgert convert` takes: a recipe's name, a checkpoint folder or a hub id. Each scheme is measured
    against float through the board's own pipeline. Of those that are within the budget and not slower than float on
    this machine the fastest is taken, of equally fast ones the smallest. If there is none, nothing is written and the
    exit status is 1. A search that was interrupted goes on where it was.

    \b
    edgert quantize all-minilm-l6-v2 -o minilm
    edgert quantize ./my-classifier -o my-intents --data labelled.jsonl
    edgert quantize org/name -o name --scheme dynamic-s8-smooth --scheme nbits8-b32
    """
    from edgert_tools.convert import convert
    from edgert_tools.progress import to_stderr
    from edgert_tools.settings import Options

    options = Options(task, revision, name, max_tokens, search=True, schemes=schemes)
    say = to_stderr if sys.stderr.isatty() else _unheard
    result = convert(source, out, options, data=data, force=force, say=say)
    click.echo(json.dumps(_plain(result), indent=1) if as_json else _words(result))


def _unheard(line: str) -> None:
    """Progress that nobody watches."""


def _words(result: ConvertResult) -> str:
    from edgert_tools.report import Report, summary

    if not isinstance(result.report, Report):
        scheme = result.manifest.model.scheme
        return f"{result.folder} is up to date with {scheme}: same source, recipe and tools (--force searches again)"
    return f"{summary(result.report, result.manifest, result.folder)}\n  took      {result.seconds:.0f} s"


def _plain(result: ConvertResult) -> dict[str, object]:
    from edgert_tools.report import Report

    plain: dict[str, object] = {
        "folder": str(result.folder),
        "name": result.manifest.name,
        "scheme": result.manifest.model.scheme,
        "batch_invariant": result.manifest.model.batch_invariant,
        "up_to_date": result.up_to_date,
        "seconds": round(result.seconds, 2),
    }
    if isinstance(result.report, Report):
        outcome = result.report.outcome
        plain |= {
            "candidates": [dataclasses.asdict(one) for one in outcome.candidates],
            "pareto": outcome.pareto,
            "failed": dict(outcome.failed),
        }
    return plain
