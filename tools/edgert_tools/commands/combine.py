"""`edgert combine`: one bundle for boards of several kinds."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgert_tools.commands import options


@click.command()
@click.argument("bundles", nargs=-1, required=True, type=options.BUNDLE)
@options.output("Bundle folder to make.")
@click.option("--force", is_flag=True, help="Replace a bundle at DIR.")
@options.as_json
def combine(bundles: tuple[Path, ...], out: Path, force: bool, as_json: bool) -> None:
    """Make one bundle of several forms of a model; each board uses the first that is made for its processor.

    Give the preferred form first and last the one for boards that no other fits. A form that is the best on a
    Raspberry Pi 5 can be four times slower than float on a Pi 4, which has no dot product instructions.

    \b
    edgert convert all-minilm-l6-v2 --scheme nbits8-b32 -o accurate
    edgert convert all-minilm-l6-v2 --scheme dynamic-s8 -o everywhere
    edgert combine accurate everywhere -o all-minilm-l6-v2
    """
    from edgert_tools.combine import combine as run

    made = run(bundles, out, force=force)
    forms = [*((one.model.scheme, one.targets) for one in made.variants), (made.model.scheme, ("all others",))]
    if as_json:
        rows = [{"scheme": scheme, "targets": list(targets)} for scheme, targets in forms]
        click.echo(json.dumps({"folder": str(out), "name": made.name, "version": made.version, "forms": rows}))
        return
    click.echo(f"{out}: {made.name} {made.version}, {made.size_bytes / 1e6:.1f} MB")
    for scheme, targets in forms:
        click.echo(f"  {scheme:12} {', '.join(targets)}")
