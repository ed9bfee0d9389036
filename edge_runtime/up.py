"""`edgert up`: a broker and the daemon in one command, and the note by which `edgert ask` finds them."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_runtime.errors import UsageError
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.topics import Topics
from edge_runtime.takes import Takes, Words

log = logging.getLogger("edgert")

DEFAULT_URL = "mqtt://127.0.0.1:1883"


def note_file() -> Path:
    """Where a running `edgert up` says how to reach it; only this user can read it."""
    base = os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/edgert-{os.getuid()}"
    return Path(base) / "edgert-up.json"


@contextlib.contextmanager
def note_for(address: BrokerAddress) -> Iterator[Path | None]:
    """Leave the client's URL, password included, for this user's other terminals, as long as the context lasts.

    Gives None, after a warning, where no file can be written: then other terminals must be told the URL.
    """
    file = note_file()
    try:
        _write_note(file, address)
    except OSError as error:
        log.warning("cannot leave a note at %s (%s): other terminals need --broker", file, error.strerror)
        yield None
        return
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):
            if _note(file).get("pid") == os.getpid():  # else another `edgert up` has left its own since
                file.unlink(missing_ok=True)


def _write_note(file: Path, address: BrokerAddress) -> None:
    file.parent.mkdir(mode=0o700, exist_ok=True)
    if file.parent.stat().st_uid != os.getuid():
        raise UsageError(f"{file.parent} belongs to somebody else: set XDG_RUNTIME_DIR to a folder of yours")
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump({"pid": os.getpid(), "url": address.url()}, stream)


def find_broker(given: str | None) -> str:
    """The broker that a client should use: given, EDGERT_BROKER_URL, a running `edgert up`, or this machine's."""
    return given or os.environ.get("EDGERT_BROKER_URL") or _noted() or DEFAULT_URL


# A request for each kind of words, as `edgert ask` takes it and as JSON.
_EXAMPLES: dict[Words, tuple[list[str], dict[str, object]]] = {
    "text": (["turn on the kitchen light"], {"text": "turn on the kitchen light"}),
    "question": (
        ["--question", "where is it warm?", "--context", "It is warm in the kitchen."],
        {"question": "where is it warm?", "context": "It is warm in the kitchen."},
    ),
    "query": (
        ["--query", "heating", "the light is on", "the radiator is warm"],
        {"query": "heating", "documents": ["the light is on", "the radiator is warm"]},
    ),
    "labels": (
        ["it is cold in here", "--labels", "heating,light"],
        {"text": "it is cold in here", "labels": ["heating", "light"]},
    ),
}


def lines_to_try(
    address: BrokerAddress, topics: Topics, model: str, takes: Takes, *, only_mqtt_5: bool, noted: bool = True
) -> list[str]:
    """Commands that a person can paste into another terminal.

    Args:
        address: the broker with a client's login; for a unix socket only edgert's own client is shown.
        topics: of the device.
        model: the model to ask.
        takes: what it can be asked with.
        only_mqtt_5: the broker takes no MQTT 3.1.1 clients.
        noted: whether edgert's client finds the broker by itself.
    """
    told = "" if noted else f" --broker {shlex.quote(address.url())}"
    arguments, request = _EXAMPLES.get(takes.words, (_file_of(takes), None))
    lines = [f"edgert ask {model} {shlex.join(arguments)}{told}"]
    if address.scheme == "unix" or request is None:  # a file as payload needs its content type: edgert's client has it
        return lines
    login = f"-u {shlex.quote(address.username)} -P {shlex.quote(address.password)} " if address.username else ""
    where = f"-h {address.host} -p {address.port} {login}"
    reply = topics.reply(address.username or "anonymous", "shell")
    body = shlex.quote(json.dumps(request))
    lines.append(f"mosquitto_rr {where}-V 5 -t {topics.infer(model)} -e {reply} -m {body}")
    if not only_mqtt_5:
        lines.append(f"mosquitto_sub {where}-t {topics.shared_reply(model)} &")
        lines.append(f"mosquitto_pub {where}-t {topics.infer(model)} -m {body}")
    return lines


def _file_of(takes: Takes) -> list[str]:
    """The option of `edgert ask` for a model that reads no words, with a file to put one's own in the place of."""
    if takes.tensors:
        return ["--tensors", "numbers.npz"]
    return ["--wav", "sound.wav"] if "audio/wav" in takes.media else ["--image", "picture.jpg"]


def _noted() -> str | None:
    file = note_file()
    try:
        if file.stat().st_uid != os.getuid():
            return None
        note = _note(file)
        os.kill(note["pid"], 0)
    except (OSError, KeyError, TypeError, OverflowError):
        return None
    url = note.get("url")
    return url if isinstance(url, str) else None


def _note(file: Path) -> dict[str, Any]:
    try:
        note = json.loads(file.read_text())
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}
