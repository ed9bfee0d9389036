"""`edgert wyoming`: a model as Home Assistant's conversation agent."""

from __future__ import annotations

import click

from edge_runtime.commands.options import broker


@click.command()
@click.argument("model")
@broker
@click.option("--device", metavar="NAME", help="Ask this device. Default: the least loaded one that offers MODEL.")
@click.option("--uri", default="tcp://127.0.0.1:10500", show_default=True, help="Where Home Assistant connects to.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Least score of a label that is taken for an intent.",
)
@click.option("--language", "languages", multiple=True, help="Announce this language only; may be repeated.")
def wyoming(
    model: str, broker: str | None, device: str | None, uri: str, threshold: float, languages: tuple[str, ...]
) -> None:
    """Let Home Assistant's Assist use MODEL as its conversation agent, until Ctrl-C.

    \b
    edgert wyoming home-intents-minilm --uri tcp://0.0.0.0:10500
    """
    import asyncio
    import contextlib

    from edge_runtime.client import Client
    from edge_runtime.up import find_broker
    from edge_runtime.wyoming_agent import LANGUAGES, serve

    with Client(find_broker(broker), device=device) as client, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            serve(
                uri,
                lambda text: client.infer(model, text, truncate=True).body,
                model,
                threshold=threshold,
                languages=languages or LANGUAGES,
                ready=lambda: click.echo(f"Home Assistant may connect to {uri} (Wyoming protocol)", err=True),
            )
        )
