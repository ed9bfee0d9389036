"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines.")
broker = click.option(
    "--broker",
    metavar="URL",
    help="mqtt://[user:password@]host[:port], mqtts://... or unix:///path. "
    "Default: EDGERT_BROKER_URL, else a running `edgert up`, else mqtt://127.0.0.1:1883.",
)
