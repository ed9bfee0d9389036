"""`edgert wyoming`: a model as Home Assistant's conversation agent."""

from __future__ import annotations

import click

from edge_runtime.commands.options import broker

# Whoever speaks waits so long at most; a model's answer takes milliseconds.
CONNECT_S = 3.0
ASK_S = 5.0


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
    import threading

    from edge_runtime.client import Client
    from edge_runtime.mqtt.address import BrokerAddress
    from edge_runtime.up import find_broker
    from edge_runtime.wyoming_agent import LANGUAGES, Ask, Connecting, serve

    address = BrokerAddress.parse(find_broker(broker))  # a URL that is none is said at once
    with contextlib.ExitStack() as opened, contextlib.suppress(KeyboardInterrupt):

        def connect() -> Ask:
            client = opened.enter_context(Client(address, device=device, timeout_s=CONNECT_S))
            return lambda text: client.infer(model, text, truncate=True, timeout_s=ASK_S).body

        ask = Connecting(connect)
        threading.Thread(target=ask.early, name="edgert-wyoming-connect", daemon=True).start()
        asyncio.run(
            serve(
                uri,
                ask,
                model,
                threshold=threshold,
                languages=languages or LANGUAGES,
                ready=lambda: click.echo(f"Home Assistant may connect to {uri} (Wyoming protocol)", err=True),
            )
        )
