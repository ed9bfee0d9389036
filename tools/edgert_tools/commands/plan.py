"""`edgert plan`: reads its options, calls one function and prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from edge_runtime.errors import UsageError
from edgert_tools.commands import options


@click.command()
@click.argument("source", required=False)
@click.option(
    "--board",
    "names",
    metavar="NAME",
    multiple=True,
    help="Board to plan for, as pi4 or pi4-4g; repeatable. Default: all.",
)
@click.option("--boards", "list_boards", is_flag=True, help="List the boards that are known, and end.")
@click.option(
    "--max-tokens",
    type=click.IntRange(3, 1_000_000),
    help="Longest text to plan for. Default: the recipe's or the model's.",
)
@options.revision
@click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    type=options.FILE,
    help="TOML with the licences that are allowed: allowed, denied, unlisted, unknown.",
)
@options.as_json
def plan(
    source: str | None,
    names: tuple[str, ...],
    list_boards: bool,
    max_tokens: int | None,
    revision: str | None,
    policy_file: Path | None,
    as_json: bool,
) -> None:
    """Say whether SOURCE runs on a board, before its weights are fetched.

    SOURCE is a recipe's name, a folder, a *.safetensors, *.gguf or *.onnx file, or a hub id. Only headers and configs
    are read. Sizes and memory are sums of named parts, instructions are estimates. Exit status: 0 it can be converted
    and fits (on one of the boards at least), 1 it does not or must not, 2 SOURCE cannot be read.

    \b
    edgert plan all-minilm-l6-v2 --board pi4
    edgert plan ./my-checkpoint --board pi5-4g --policy licences.toml
    edgert plan model.gguf --json
    edgert plan --boards
    """
    from edge_runtime.bundle.policy import read_policy
    from edgert_tools.planning.boards import boards, find_board
    from edgert_tools.planning.folder_model import Asked
    from edgert_tools.planning.plan import make_plan
    from edgert_tools.planning.shown import as_plain, boards_as_plain, boards_in_words, in_words
    from edgert_tools.planning.source import read_model

    if list_boards:
        click.echo(json.dumps(boards_as_plain(boards()), indent=1) if as_json else boards_in_words(boards()))
        return
    if source is None:
        raise UsageError("plan for which model? Give a SOURCE, or --boards for the list of boards")
    asked = [find_board(name) for name in names]
    policy = None if policy_file is None else read_policy(policy_file)
    made = make_plan(read_model(source, Asked(revision, max_tokens)), asked, policy)
    click.echo(json.dumps(as_plain(made), indent=1, ensure_ascii=False) if as_json else in_words(made))
    if made.reasons:
        sys.exit(1)
