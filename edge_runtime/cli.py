"""The `edgert` command: a table of subcommands, each imported when it is used, and one place for exit codes."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
from collections.abc import Sequence

import click

from edge_runtime import __version__
from edge_runtime.errors import EdgertError, MissingExtra, UsageError

# name -> (module, extra that its module needs or "")
COMMANDS = {
    "ask": ("edge_runtime.commands.ask", ""),
    "broker": ("edge_runtime.commands.broker", ""),
    "bundle": ("edge_runtime.commands.bundle", "updates"),
    "combine": ("edgert_tools.commands.combine", "convert"),
    "confirm": ("edge_runtime.commands.store", "updates"),
    "convert": ("edgert_tools.commands.convert", "convert"),
    "demo": ("edgert_tools.commands.demo", "convert"),
    "diff": ("edge_runtime.commands.bundles", ""),
    "flash": ("firmware_bridge.commands.flash", "flash"),
    "gc": ("edge_runtime.commands.store", "updates"),
    "inspect": ("edge_runtime.commands.bundles", ""),
    "install": ("edge_runtime.commands.store", "updates"),
    "keys": ("edge_runtime.commands.keys", "updates"),
    "models": ("edge_runtime.commands.ask", ""),
    "plan": ("edgert_tools.commands.plan", "convert"),
    "quantize": ("edgert_tools.commands.quantize", "convert"),
    "receive": ("firmware_bridge.commands.flash", "updates"),
    "recipes": ("edgert_tools.commands.recipes", ""),
    "rollback": ("edge_runtime.commands.store", "updates"),
    "serve": ("edge_runtime.commands.serve", ""),
    "serve-smp": ("firmware_bridge.commands.serve_smp", "updates"),
    "service": ("edge_runtime.commands.service", ""),
    "status": ("edge_runtime.commands.top", ""),
    "tokenizer": ("edgert_tools.commands.tokenizer", "convert"),
    "top": ("edge_runtime.commands.top", ""),
    "up": ("edge_runtime.commands.serve", ""),
    "verify": ("edge_runtime.commands.bundles", ""),
    "wyoming": ("edge_runtime.commands.wyoming", "wyoming"),
}


class LazyGroup(click.Group):
    """A group that imports a subcommand's module when it is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command, or None for an unknown name."""
        if name not in COMMANDS:
            return None
        module, _ = COMMANDS[name]
        command: click.Command = getattr(importlib.import_module(module), name.replace("-", "_"))
        return command


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="edgert")
def edgert() -> None:
    """Open models in, int8 answers out of a small board over MQTT.

    On a workstation: plan, convert, quantize, combine, recipes, demo, tokenizer. On the board: serve, service, verify;
    for its broker: broker. For bundles anywhere: inspect, diff, bundle, keys. For a board's store: install, status,
    confirm, rollback, gc, serve-smp, receive. From a workstation to a board: flash.
    To try and ask: up, ask, models, status, top.
    For Home Assistant's Assist: wyoming.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exit status 0 done, 1 refused, 2 used wrongly.

    With `--json` among the arguments an error is one JSON object on stdout, as the results are.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a label must not end in a traceback on an old terminal
    try:
        edgert.main(given, prog_name="edgert", standalone_mode=False)
        sys.stdout.flush()  # here, where an output that cannot be written is told in words
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        if "--json" in given:
            _print_json(UsageError(error.format_message()))
        error.show()
        sys.exit(2)
    except EdgertError as error:
        _fail(error, as_json="--json" in given)
    except OSError as error:  # what no part has translated: a full disk, a folder that may not be written
        _let_output_go()
        _fail(EdgertError(f"{error.filename or 'output'}: {error.strerror or error}"), as_json=False)
    except ModuleNotFoundError as error:
        command = next((word for word in given if word in COMMANDS), "")
        extra = COMMANDS[command][1] if command else ""
        if not extra or error.name is None or error.name.startswith(("edge", "firmware")):
            raise
        _fail(MissingExtra(error.name, extra), as_json="--json" in given)


def _let_output_go() -> None:
    """Forget what cannot be written to stdout: Python would try once more when it ends, and end with status 120."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error: EdgertError, *, as_json: bool) -> None:
    if as_json:
        _print_json(error)
    click.echo(f"edgert: {error}", err=True)
    sys.exit(error.exit_code)


def _print_json(error: EdgertError) -> None:
    click.echo(json.dumps({"error": {"reason": error.code, "code": error.status, "message": str(error)}}))
