"""`edgert ask` and `edgert models`: what people ask of a device."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import click

from edge_runtime.commands.options import as_json, broker

if TYPE_CHECKING:
    from edge_runtime.client import Answer


def _checked_timeout(_context: click.Context, _option: click.Parameter, seconds: float) -> float:
    if math.isnan(seconds):  # click's range lets it pass
        raise click.BadParameter("nan is no number of seconds")
    return seconds


@click.command()
@click.argument("model")
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True)
@broker
@click.option("--device", metavar="NAME", help="Ask this device. Default: one that offers MODEL.")
@click.option("--truncate", is_flag=True, help="Cut a text that is too long instead of refusing it.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, 86_400, min_open=True),
    callback=_checked_timeout,
    default=10.0,
    show_default=True,
    help="Seconds, all tries together.",
)
@as_json
def ask(
    model: str,
    texts: tuple[str, ...],
    broker: str | None,
    device: str | None,
    truncate: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Ask MODEL on a device for TEXT and print its answer.

    \b
    edgert ask home-intents-minilm "turn on the kitchen light"
    """
    from edge_runtime.client import Client
    from edge_runtime.up import find_broker

    with Client(find_broker(broker), device=device, timeout_s=min(5.0, timeout_s)) as client:
        text = texts[0] if len(texts) == 1 else texts
        answer = client.infer(model, text, truncate=truncate, timeout_s=timeout_s)
    click.echo(json.dumps(answer.body, ensure_ascii=False) if as_json else _told(answer, texts))


@click.command()
@broker
@as_json
def models(broker: str | None, as_json: bool) -> None:
    """List the models that devices on the broker offer."""
    from edge_runtime.client import Client
    from edge_runtime.up import find_broker

    with Client(find_broker(broker)) as client:
        found = client.models()
    if as_json:
        rows = [{"device": m.device, "model": m.name, "online": m.online, **m.document} for m in found]
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for m in found:
        state = "online" if m.online else "offline"
        task = m.document.get("task")
        click.echo(f"{m.device:20} {m.name:28} {task if isinstance(task, str) else '?':10} {state}")
    if not found:
        click.echo("no device has announced a model on this broker", err=True)


def _told(answer: Answer, texts: tuple[str, ...]) -> str:
    rows = answer.body.get("results", [answer.body])
    width = max(map(len, texts))
    lines = [f"{text:{width}}  {_said(row)}" for text, row in zip(texts, rows, strict=False)]
    times = f"{answer.round_trip_us / 1000:.1f} ms, {answer.infer_us / 1000:.1f} of them in the model"
    return "\n".join([*lines, f"{answer.device}: {times}"])


def _said(row: object) -> str:
    match row:
        case {"label": str(label), "score": int() | float() as score}:
            return f"{label}  {score:.2f}"
        case {"embedding": [*vector]} if all(isinstance(x, int | float) for x in vector):
            return f"[{', '.join(f'{x:.4f}' for x in vector[:4])}, ...] ({len(vector)} numbers)"
    return json.dumps(row)  # of a task that this version does not know, or of no device of ours
