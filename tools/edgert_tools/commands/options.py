"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
BUNDLE = click.Path(exists=True, file_okay=False, path_type=Path)

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines.")
name = click.option("--name", help="The bundle's name, also its word in topics. Default: the recipe's or the model's.")
revision = click.option(
    "--revision", metavar="REV", help="Commit, branch or tag of a hub id. Default: the newest commit."
)
target = click.option(
    "--target",
    metavar="BOARDS",
    multiple=True,
    help="Choose for these boards, emulated here, instead of for this machine: pi4,pi5. docs/boards.md lists them.",
)
max_tokens = click.option("--max-tokens", type=click.IntRange(3), help="Longest text the board takes, in tokens.")


def output(help: str) -> Callable[[Any], Any]:
    """`-o DIR`, the bundle folder to make."""
    return click.option(
        "-o", "--output", "out", metavar="DIR", required=True, type=click.Path(path_type=Path), help=help
    )


OUT = "Bundle folder to make. One that is up to date is left as it is."
