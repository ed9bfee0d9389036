"""`edgert demo`: a real model from checkpoint to answers over MQTT, as real processes, in one command."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.manifest import Manifest, read_bundle
from edge_runtime.client import Answer, Client
from edge_runtime.errors import BundleError, EdgertError
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import start_broker
from edgert_tools.convert import convert
from edgert_tools.datasets import Labelled
from edgert_tools.datasets.home_intents import sample_home_intents
from edgert_tools.recipe import find_recipe

RECIPE = "home-intents-minilm"
DEVICE = "demo"
START_S = 30.0
STOP_S = 10.0


@dataclass(frozen=True)
class Asked:
    """One sentence, what it should mean and what the device said."""

    expected: Labelled
    answer: Answer

    @property
    def label(self) -> str:
        """The intent that the device found."""
        return str(self.answer.body["label"])

    @property
    def right(self) -> bool:
        """Whether it is the expected one."""
        return self.label == self.expected.label


@dataclass(frozen=True)
class Demo:
    """What happened: the bundle, the broker that was used, and every sentence asked."""

    folder: Path
    manifest: Manifest
    broker: str
    asked: tuple[Asked, ...]


def run_demo(folder: Path, sentences: int, say: Callable[[str], None]) -> Demo:
    """Convert (or reuse) the bundle, start a broker and the daemon, ask, stop both.

    Args:
        folder: where the bundle lies or will lie.
        sentences: how many held-back ones to ask.
        say: gets a line for each stage.

    Raises:
        EdgertError: a stage failed, with what it could not get or do.
    """
    say(f"1. Convert all-MiniLM-L6-v2 to int8 with an intent head, into {folder}")
    convert(RECIPE, folder, replace=_is_own(folder))
    chosen = held_back(sentences)
    with start_broker(None) as broker:
        say(f"2. Broker: {broker.describe()}")
        with daemon_process(folder, broker.address, DEVICE) as process:
            say(f"3. Daemon: edgert serve, process {process.pid}")
            with Client(broker.client_address, device=DEVICE) as client:
                _wait_until_online(client, process)
                say(f"4. Ask {len(chosen)} sentences that the training never saw, with names it never saw\n")
                asked = tuple(Asked(wanted, client.infer(RECIPE, wanted.text)) for wanted in chosen)
        return Demo(folder, read_bundle(folder), broker.describe(), asked)


def held_back(count: int, seed: int = 2026) -> list[Labelled]:
    """Some of the recipe's held-back sentences, of as many different intents as possible."""
    recipe = find_recipe(RECIPE)
    assert recipe is not None
    assert recipe.head is not None
    head = recipe.head
    pool = list(sample_home_intents(head.train_per_label, head.held_back_per_label, head.seed).held_back)
    random.Random(seed).shuffle(pool)
    seen: Counter[str] = Counter()
    turns = []
    for item in pool:
        seen[item.label] += 1
        turns.append(seen[item.label])
    order = sorted(range(len(pool)), key=lambda at: (turns[at], at))  # one of each intent, then a second of each ...
    return [pool[at] for at in order[:count]]


def table(asked: Sequence[Asked]) -> str:
    """The answers as aligned text: sentence, intent, confidence, milliseconds; a wrong one shows what was right."""
    width = max(len(item.expected.text) for item in asked)
    lines = [f"{'sentence':{width}}  {'intent':28} conf.     ms", "-" * (width + 44)]
    for item in asked:
        note = "" if item.right else f"  <- {item.expected.label}"
        score, took_ms = float(item.answer.body["score"]), item.answer.round_trip_us / 1000
        lines.append(f"{item.expected.text:{width}}  {item.label:28} {score:5.2f}  {took_ms:5.1f}{note}")
    return "\n".join(lines)


def plain(demo: Demo) -> dict[str, object]:
    """All of it as JSON data."""
    rows = [
        {"text": item.expected.text, "expected": item.expected.label, "round_trip_us": item.answer.round_trip_us}
        | {"label": item.label, "score": item.answer.body["score"], "infer_us": item.answer.infer_us}
        for item in demo.asked
    ]
    paths = {"bundle": str(demo.folder), "report": str(demo.folder / "report.html")}
    return {**paths, "broker": demo.broker, "measured": demo.manifest.measured, "asked": rows}


def round_trips_ms(demo: Demo) -> tuple[float, float]:
    """(median round trip, median time in the model), in milliseconds."""
    whole = statistics.median(item.answer.round_trip_us for item in demo.asked)
    model = statistics.median(item.answer.infer_us for item in demo.asked)
    return whole / 1000, model / 1000


def _is_own(folder: Path) -> bool:
    """Whether there is a bundle of an earlier demo, which a newer recipe or tool may replace."""
    try:
        return read_bundle(folder).name == RECIPE
    except BundleError:
        return False


@contextlib.contextmanager
def daemon_process(folder: Path, address: BrokerAddress, device: str) -> Iterator[subprocess.Popen[bytes]]:
    """`edgert serve` as a process of its own, ended with SIGTERM (and killed if it does not obey)."""
    command = [sys.executable, "-m", "edge_runtime", "serve", "--bundle", str(folder), "--device", device]
    # By environment, since a command line shows the password to every user of the machine.
    environment = {**os.environ, "EDGERT_BROKER_URL": address.url(), "EDGERT_RUNTIME_LOG_LEVEL": "warning"}
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_online(client: Client, process: subprocess.Popen[bytes]) -> None:
    if client.wait_online(DEVICE, START_S):
        return
    state = "is still starting" if process.poll() is None else f"ended with status {process.returncode}"
    raise EdgertError(f"the daemon did not come online in {START_S:g} s: it {state}, see its lines above")
