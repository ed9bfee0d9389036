"""Commands of the board and of those who ask it. Each reads its options, calls one function and prints."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edge_runtime.client import Answer
    from edge_runtime.config import Config
    from edge_runtime.daemon import Daemon

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines.")
broker = click.option(
    "--broker",
    metavar="URL",
    help="mqtt://[user:password@]host[:port], mqtts://... or unix:///path. "
    "Default: EDGERT_BROKER_URL, else a running `edgert up`, else mqtt://127.0.0.1:1883.",
)


def _checked_timeout(_context: click.Context, _option: click.Parameter, seconds: float) -> float:
    if math.isnan(seconds):  # click's range lets it pass
        raise click.BadParameter("nan is no number of seconds")
    return seconds


@click.command()
@click.option("--bundle", "bundles", multiple=True, type=FOLDER, help="Bundle folder to serve; may be repeated.")
@click.option("--broker", metavar="URL", help="MQTT broker; see docs/config.md for users, passwords and TLS.")
@click.option("--device", metavar="NAME", help="This device's word in all topics. Default: the host name.")
@click.option("--config", "config_file", type=FILE, help="TOML file with all settings (docs/config.md).")
def serve(bundles: tuple[Path, ...], broker: str | None, device: str | None, config_file: Path | None) -> None:
    """Answer requests over MQTT until SIGTERM or Ctrl-C.

    \b
    edgert serve --bundle home-intents-minilm --broker mqtt://hub.local
    """
    from edge_runtime.running import prepare, run_until_stopped

    config = _config(config_file, bundles, broker, device)
    prepare(config)
    run_until_stopped(config)


@click.command()
@click.option("--bundle", "bundles", multiple=True, required=True, type=FOLDER, help="Bundle folder; may be repeated.")
@click.option("--broker", metavar="URL", help="Use this broker instead of starting one.")
@click.option("--device", metavar="NAME", help="This device's word in all topics. Default: the host name.")
@click.option("--config", "config_file", type=FILE, help="TOML file with all settings (docs/config.md).")
def up(bundles: tuple[Path, ...], broker: str | None, device: str | None, config_file: Path | None) -> None:
    """Try it at home: a broker and the daemon in one command.

    Takes the broker given by URL, else starts a private Mosquitto, else the embedded one; says which, and prints
    lines to paste into another terminal.
    """
    from edge_runtime.mqtt.broker import start_broker
    from edge_runtime.running import prepare, run_until_stopped
    from edge_runtime.up import lines_to_try, note_for

    config = _config(config_file, bundles, None, device)
    prepare(config)
    with start_broker(broker, root=config.broker.root) as running, note_for(running.client_address) as note:
        click.echo(f"broker: {running.describe()}", err=True)

        def tell(daemon: Daemon) -> None:
            model, only_mqtt_5 = next(iter(daemon.models)), running.kind == "embedded"
            lines = lines_to_try(
                running.client_address, daemon.topics, model, only_mqtt_5=only_mqtt_5, noted=note is not None
            )
            click.echo("\nReady. In another terminal:\n\n  " + "\n  ".join(lines) + "\n\nCtrl-C stops it.", err=True)

        run_until_stopped(config, running.address, tell)


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


def _config(file: Path | None, bundles: tuple[Path, ...], broker: str | None, device: str | None) -> Config:
    from edge_runtime.config import load_config, overridden

    return overridden(load_config(file), bundles=tuple(map(str, bundles)), url=broker, device=device)


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
