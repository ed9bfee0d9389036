"""`edgert inspect`, `verify`, `diff`: what is in a bundle, whether it is right here, how it differs from another."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from edge_runtime.commands.options import FOLDER, as_json


@click.command()
@click.argument("bundle", type=FOLDER)
@as_json
def inspect(bundle: Path, as_json: bool) -> None:
    """Show what is in BUNDLE, after checking every file's sha256."""
    from edge_runtime.bundle.manifest import read_bundle, to_json
    from edge_runtime.bundle.show import describe

    manifest = read_bundle(bundle)
    click.echo(to_json(manifest) if as_json else describe(manifest), nl=not as_json)


@click.command()
@click.argument("bundle", type=FOLDER)
@as_json
def verify(bundle: Path, as_json: bool) -> None:
    """Say whether BUNDLE is whole and answers here as recorded.

    Every file is hashed, then the golden rows run: texts whose token ids and values the workstation wrote down.
    """
    from edge_runtime.board import check_board

    check_board()
    from edge_runtime.model import open_model
    from edge_runtime.selftest import run_golden

    model = open_model(bundle)
    test = run_golden(model, bundle)
    manifest = model.manifest
    if as_json:
        result = {"name": manifest.name, "files": len(manifest.files), "rows": test.rows, test.measure: test.worst}
        click.echo(json.dumps({"ok": True, **result}))
        return
    click.echo(f"{manifest.name} {manifest.version}: {len(manifest.files)} files as in the manifest")
    click.echo(f"{test.rows} of {test.rows} golden rows agree, {test.measure} {test.worst:.6f}")


@click.command()
@click.argument("before", type=FOLDER)
@click.argument("after", type=FOLDER)
@as_json
def diff(before: Path, after: Path, as_json: bool) -> None:
    """Say how bundle AFTER differs from bundle BEFORE: settings, measured figures, files.

    Exit status 0 if they are the same, 1 if not.

    \b
    edgert diff home-intents-1.0.0 home-intents-1.1.0
    """
    from edge_runtime.bundle.difference import compare, describe, plain
    from edge_runtime.bundle.manifest import read_bundle

    found = compare(read_bundle(before), read_bundle(after))
    click.echo(json.dumps(plain(found), ensure_ascii=False) if as_json else describe(found))
    if not found.same:
        sys.exit(1)
