"""`edgert inspect` and `edgert verify`: what is in a bundle, and whether it is right here."""

from __future__ import annotations

import json
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
    from edge_runtime.pipeline import open_pipeline
    from edge_runtime.selftest import run_golden

    pipeline = open_pipeline(bundle)
    test = run_golden(pipeline, bundle)
    manifest = pipeline.manifest
    if as_json:
        result = {"name": manifest.name, "files": len(manifest.files), "rows": test.rows, test.measure: test.worst}
        click.echo(json.dumps({"ok": True, **result}))
        return
    click.echo(f"{manifest.name} {manifest.version}: {len(manifest.files)} files as in the manifest")
    click.echo(f"{test.rows} of {test.rows} golden rows agree, {test.measure} {test.worst:.6f}")
