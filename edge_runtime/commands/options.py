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
trust_folder = click.option(
    "--trust",
    type=click.Path(file_okay=False, path_type=Path),
    default="/etc/edgert/trust",
    show_default=True,
    help="Folder of trusted keys.",
)
allow_dev = click.option("--allow-dev", is_flag=True, help="Take what is signed for development, too.")
policy_file = click.option("--policy", type=FILE, help="Licences that are allowed (docs/plan.md); others are refused.")
passphrase_file = click.option("--passphrase-file", type=FILE, help="File whose first line is the key's passphrase.")


def passphrase_in(file: Path | None) -> str | None:
    """The passphrase in a file; None: no file was given."""
    if file is None:
        return None
    lines = file.read_text(encoding="utf-8").splitlines()
    return lines[0] if lines else ""
