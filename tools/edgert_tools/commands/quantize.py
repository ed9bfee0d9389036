"""`edgert quantize`: reads its options, calls the search, prints."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgert_tools.commands import options
from edgert_tools.commands.convert import in_words, plain

if TYPE_CHECKING:
    from edgert_tools.convert_result import ConvertResult


@click.command()
@click.argument("source")
@options.output(options.OUT)
@click.option(
    "--data",
    metavar="FILE",
    type=options.FILE,
    help="Own texts: a fifth is calibrated on, the rest judged on. .txt, or with labels .jsonl or .tsv.",
)
@click.option(
    "--scheme",
    "schemes",
    metavar="NAME",
    multiple=True,
    help="Try only this scheme; may be repeated. Default: twelve of them, docs/quantization.md lists all.",
)
@options.target
@click.option("--task", metavar="TASK", help="What the board answers. Default: what the model's head is for.")
@options.revision
@options.name
@options.max_tokens
@click.option("--force", is_flag=True, help="Search again, and replace a bundle at DIR.")
@options.as_json
def quantize(
    source: str,
    out: Path,
    data: Path | None,
    schemes: tuple[str, ...],
    target: tuple[str, ...],
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

    With --target the schemes within the budget are run on those boards, emulated, and each gets the one with the fewest
    instructions, never more than float's. If boards of two kinds get different ones the bundle holds both.

    \b
    edgert quantize all-minilm-l6-v2 -o minilm
    edgert quantize ./my-classifier -o my-intents --data labelled.jsonl
    edgert quantize all-minilm-l6-v2 -o minilm --target pi4,pi5
    edgert quantize org/name -o name --scheme dynamic-s8-smooth --scheme nbits8-b32
    """
    from edgert_tools.arm.boards import parse_targets
    from edgert_tools.convert import convert
    from edgert_tools.progress import to_stderr
    from edgert_tools.settings import Options

    settings = Options(task, revision, name, max_tokens, search=True, schemes=schemes)
    say = to_stderr if sys.stderr.isatty() else _unheard
    result = convert(source, out, settings, data=data, targets=parse_targets(target), force=force, say=say)
    click.echo(json.dumps(_plain(result), indent=1) if as_json else in_words(result, "--force searches again"))


def _unheard(line: str) -> None:
    """Progress that nobody watches."""


def _plain(result: ConvertResult) -> dict[str, object]:
    from edgert_tools.report import Report, targets_as_plain

    found = {**plain(result), "batch_invariant": result.manifest.model.batch_invariant}
    if isinstance(result.report, Report):
        outcome = result.report.outcome
        found |= {
            "candidates": [dataclasses.asdict(one) for one in outcome.candidates],
            "pareto": outcome.pareto,
            "failed": dict(outcome.failed),
            "forms": [dataclasses.asdict(one) for one in outcome.forms],
            "targets": targets_as_plain(outcome),
        }
    return found
