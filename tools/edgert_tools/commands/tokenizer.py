"""`edgert tokenizer`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edgert_tools.commands import options


@click.group()
def tokenizer() -> None:
    """Look at a model's tokenizer."""


@tokenizer.command()
@click.argument("place", metavar="PLACE", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--corpus",
    metavar="FILE",
    type=options.FILE,
    help="Compare on the lines of this UTF-8 text. Default: built-in texts in many scripts, and requests to homes.",
)
@options.as_json
def check(place: Path, corpus: Path | None, as_json: bool) -> None:
    """Compare edgert's tokenizer with Hugging Face's, and time both.

    PLACE is a tokenizer.json, a bundle, or the folder of a checkpoint. Exit status 1 if anything differs.

    \b
    edgert tokenizer check ./my-checkpoint
    edgert tokenizer check my-bundle --corpus sentences.txt
    """
    from edgert_tools.tokenizer_check import as_json as plain
    from edgert_tools.tokenizer_check import check_tokenizer_at, in_words

    found = check_tokenizer_at(place, corpus)
    click.echo(plain(found) if as_json else in_words(found))
    if found.comparison.mismatches:
        sys.exit(1)
