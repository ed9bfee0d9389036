"""`edgert ask` and `edgert models`: what people ask of a device."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
@click.argument("texts", metavar="TEXT...", nargs=-1)
@click.option(
    "--image",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A JPEG or PNG to ask about, instead of TEXT.",
)
@click.option(
    "--tensors",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Numbers to ask about, instead of TEXT: .npz with arrays by the inputs' names, or .npy.",
)
@click.option(
    "--wav",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A sound to ask about, instead of TEXT.",
)
@click.option("--question", metavar="TEXT", help="Ask this about --context.")
@click.option("--context", metavar="TEXT", help="Where the answer to --question is.")
@click.option("--query", metavar="TEXT", help="Rank each TEXT by how well it answers this.")
@click.option("--labels", metavar="A,B,...", help="Choose among these for TEXT.")
@click.option(
    "--parameter", "parameters", metavar="NAME=VALUE", multiple=True, help="How to answer; docs/tasks.md has them."
)
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
    image: Path | None,
    tensors: Path | None,
    wav: Path | None,
    question: str | None,
    context: str | None,
    query: str | None,
    labels: str | None,
    parameters: tuple[str, ...],
    broker: str | None,
    device: str | None,
    truncate: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Ask MODEL on a device for TEXT and print its answer.

    \b
    edgert ask home-intents-minilm "turn on the kitchen light"
    edgert ask my-answers --question "where is it warm?" --context "It is warm in the kitchen."
    edgert ask my-ranking --query "heating" "the light is on" "the radiator is warm"
    edgert ask my-chooser "it is cold in here" --labels heating,light
    edgert ask page-orientation-pplcnet --image page.jpg
    edgert ask room-temperature-forecast --tensors readings.npz
    edgert ask voice-activity-silero --wav speech.wav --parameter threshold=0.6
    """
    from edge_runtime.client import Client
    from edge_runtime.commands.asked_files import parameters_of, tensors_body
    from edge_runtime.commands.asked_words import AskedWords
    from edge_runtime.mqtt.contract import JSON
    from edge_runtime.up import find_broker

    files = [file for file in (image, tensors, wav) if file is not None]
    words = AskedWords(texts, question, context, query, labels)
    if len(files) + words.any != 1:
        raise click.UsageError("Give TEXT..., or one of --image FILE, --tensors FILE and --wav FILE instead.")
    how, media_type = parameters_of(parameters), JSON
    body: dict[str, Any] | bytes = words.body(truncate=truncate)
    if image or wav:
        body, media_type = _picture(image) if image else (wav.read_bytes() if wav else b"", "audio/wav")
    elif tensors:
        body = tensors_body(tensors)
    beside = how if isinstance(body, bytes) else None
    if isinstance(body, dict) and how:
        body["parameters"] = how
    with Client(find_broker(broker), device=device, timeout_s=min(5.0, timeout_s)) as client:
        answer = client.request(model, body, media_type=media_type, parameters=beside, timeout_s=timeout_s)
    asked = (files[0].name,) if files else words.shown
    click.echo(json.dumps(answer.body, ensure_ascii=False) if as_json else _told(answer, asked))


_STARTS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}


def _picture(file: Path) -> tuple[bytes, str]:
    """The file's bytes and what they are, whatever its name says. UsageError: no picture that a model reads."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"cannot read {file}: {error.strerror}") from error
    media_type = next((kind for start, kind in _STARTS.items() if raw.startswith(start)), None)
    if media_type is None:
        raise click.UsageError(f"{file} is no JPEG and no PNG: convert it to one of them.")
    return raw, media_type


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
    from edge_runtime.commands.asked_words import said_of_ranking

    rows = answer.body.get("results", [answer.body])
    width = max(map(len, texts))
    lines = said_of_ranking(rows, texts) or [
        f"{text:{width}}  {_said(row)}" for text, row in zip(texts, rows, strict=False)
    ]
    times = f"{answer.round_trip_us / 1000:.1f} ms, {answer.infer_us / 1000:.1f} of them in the model"
    return "\n".join([*lines, f"{answer.device}: {times}"])


def _said(row: object) -> str:
    from edge_runtime.commands.asked_files import said_of_events, said_of_outputs, said_of_speech
    from edge_runtime.commands.asked_words import said_of_answer, said_of_entities

    match row:
        case {"entities": [*entities]}:
            return said_of_entities(entities)
        case {"answer": str(found), "score": int() | float() as score}:
            return said_of_answer(found, score)
        case {"label": str(label), "score": int() | float() as score}:
            return f"{label}  {score:.2f}"
        case {"objects": [*objects]}:
            return "\n".join(map(_said, objects)) or "nothing"
        case {"text": str(text), "lines": list()}:
            return text or "no text"
        case {"embedding": [*vector]} if all(isinstance(x, int | float) for x in vector):
            return f"[{', '.join(f'{x:.4f}' for x in vector[:4])}, ...] ({len(vector)} numbers)"
        case {"outputs": [*outputs]} if all(isinstance(output, dict) for output in outputs):
            return said_of_outputs(outputs)
        case {"events": [*events], "highest": int() | float() as highest}:
            return said_of_events(events, highest)
        case {"speech": [*stretches], "share": int() | float() as share}:
            return said_of_speech(stretches, share)
    return json.dumps(row)  # of a task that this version does not know, or of no device of ours
