"""`edgert demo`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgert_tools.commands import options

if TYPE_CHECKING:
    from edgert_tools.demo import Demo


@click.command()
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    default="edgert-demo/home-intents-minilm",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Bundle folder; a bundle that is there and up to date is used.",
)
@click.option("--sentences", type=click.IntRange(1, 500), default=24, show_default=True, help="How many to ask.")
@options.as_json
def demo(folder: Path, sentences: int, as_json: bool) -> None:
    """Try it all: convert a model, start broker and daemon, ask them.

    The model is real, the sentences are ones that its training never saw, and everything started is stopped again.
    """
    from edgert_tools.demo import plain, run_demo, table

    done = run_demo(folder, sentences, lambda line: click.echo(line, err=True))
    click.echo(json.dumps(plain(done)) if as_json else f"{table(done.asked)}\n{_closing(done)}")


def _closing(done: Demo) -> str:
    """What the demo showed, in numbers of this run and of the bundle's measurement."""
    from edgert_tools.demo import round_trips_ms

    measured: Any = done.manifest.measured
    size, quality = measured["size"], measured["quality"]
    before, after = (quality[key] for key in ("float_accuracy", "int8_accuracy"))
    whole_ms, model_ms = round_trips_ms(done)
    right = sum(item.right for item in done.asked)
    return "\n".join(
        [
            "",
            f"right here   {right} of {len(done.asked)}",
            f"size         {size['float_bytes'] / 1e6:.1f} MB float32 -> {size['int8_bytes'] / 1e6:.1f} MB int8",
            f"accuracy     {before['value']:.2%} float32 -> {after['value']:.2%} int8, "
            f"on {quality['texts']} held-back sentences",
            f"latency      {whole_ms:.1f} ms over MQTT, of which {model_ms:.1f} ms model (median)",
            f"broker       {done.broker}",
            f"bundle       {done.folder}",
            f"report       {done.folder / 'report.html'}",
        ]
    )
