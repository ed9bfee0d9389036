"""What the documents show can be typed, pasted and believed: commands, code, requests, topics and figures."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from setup_venv import CHECKPOINT_MB, planned, totals

from edge_runtime import load
from edge_runtime.cli import COMMANDS
from edge_runtime.client import Answer, Client
from edge_runtime.config import load_config
from edge_runtime.daemon import broker_address
from edge_runtime.errors import Busy
from edge_runtime.mqtt.contract import Address, encode_answer, encode_error, parse_request
from edge_runtime.mqtt.homeassistant import HomeAssistant, ModelFacts
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.pipeline import Pipeline
from edge_runtime.tokenizer import Tokenizer
from edgert_tools.recipe import find_recipe
from tests.test_docs import DOCUMENTS, ROOT, command, read


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of `language` in a document; "" for those that name none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", document.read_text(encoding="utf-8"), re.M | re.S)
    return [block for name, block in fenced if name == language]


def shown_commands(document: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and arguments of each `edgert` line in a document's code blocks and systemd units."""
    for block in blocks(document, "") + blocks(document, "ini"):
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.search(r"(?:^|[=/])edgert ([a-z]+) (.*)", line):
                yield found[1], shlex.split(found[2], comments=True)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_code_blocks_have_the_options_and_arguments_they_are_shown_with(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("home-intents-minilm", "my-checkpoint"):
        (tmp_path / folder).mkdir()
    for file in ("edgert.toml", "rows.npz", "licences.toml", "home-intents-minilm-1.1.0.edgert"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    for name, arguments in shown_commands(document):
        here = [argument.replace("/etc/edgert/", "") for argument in arguments]
        command(name).make_context(name, here)  # raises click's UsageError


def test_examples_in_help_texts_are_taken_and_never_write_over_their_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line.strip() for name in COMMANDS for line in (command(name).help or "").splitlines()]
    examples = [shlex.split(line)[1:] for line in lines if line.startswith("edgert ")]
    assert len(examples) >= 5
    monkeypatch.chdir(tmp_path)
    for folder in ("home-intents-minilm", "home-intents-1.0.0", "home-intents-1.1.0", "accurate", "everywhere"):
        (tmp_path / folder).mkdir()
    files = "my-sentences.txt labelled.jsonl rows.npz readings.npz speech.wav page.jpg licences.toml"
    files += " home-intents-minilm-1.1.0.edgert"
    for file in files.split():
        (tmp_path / file).touch()
    for name, *arguments in examples:
        taken = command(name).make_context(name, arguments).params
        if name == "convert" and find_recipe(taken["source"]) is None:
            assert Path(taken["source"]) != taken["out"], arguments


def test_code_blocks_hold_enough_commands_for_the_test_above_to_mean_something() -> None:
    names = [name for document in DOCUMENTS for name, _ in shown_commands(document)]
    assert {"ask", "convert", "serve", "verify"} <= set(names)
    assert len(names) >= 8


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_python_examples_use_what_there_is(document: Path) -> None:
    for block in blocks(document, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                assert node.module is not None
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr != "load":
                owner = {"client": Client, "pipeline": Pipeline, "tokenizer": Tokenizer}[ast.unparse(node.func.value)]
                parameters = inspect.signature(getattr(owner, node.func.attr)).parameters
                assert len(node.args) < len(parameters)  # one is self
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "answer":
                assert node.attr in {field.name for field in dataclasses.fields(Answer)}


def test_the_config_example_is_one(tmp_path: Path) -> None:
    (example,) = blocks(ROOT / "docs/config.md", "toml")
    password, file = tmp_path / "password", tmp_path / "edgert.toml"
    password.write_text("secret\n")
    file.write_text(example.replace("/etc/edgert/password", str(password)), encoding="utf-8")
    config = load_config(file)
    broker = broker_address(config)
    assert (config.device, broker.username, broker.password) == ("hub", "edgertd", "secret")
    assert (broker.scheme, broker.host, broker.port) == ("mqtts", "broker.lan", 8883)


def test_the_requests_in_the_contract_are_taken() -> None:
    topics = Topics("hub")
    examples = [line for block in blocks(ROOT / "docs/mqtt.md", "json") for line in bodies(block)]
    requests = [body for body in examples if "text" in body or "inputs" in body]
    assert len(requests) == 3
    for body in requests:
        message = Message(topics.infer("home-intents-minilm"), json.dumps(body).encode(), qos=1)
        request = parse_request(message, topics, 4096)
        assert request.texts[0] == "turn on the kitchen light"


def bodies(block: str) -> Iterator[dict[str, Any]]:
    """The JSON documents that follow each other in a block."""
    rest = block.strip()
    while rest:
        body, end = json.JSONDecoder().raw_decode(rest)
        yield body
        rest = rest[end:].strip()


# --- Home Assistant --------------------------------------------------------------------------------------------------


def home_assistant(*, discovery: bool = False) -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    with_discovery, by_hand = map(yaml.safe_load, blocks(ROOT / "docs/home-assistant.md", "yaml"))
    return with_discovery if discovery else by_hand


def rendered(template: str, **values: object) -> str:
    jinja2 = pytest.importorskip("jinja2", reason="Jinja2 is not installed")
    return str(jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(template).render(values))


def test_home_assistant_listens_and_asks_on_the_daemons_topics() -> None:
    configured, topics = home_assistant(), Topics("hub")
    (sensor,), asking = configured["mqtt"]["sensor"], configured["script"]["ask_edgert"]["sequence"][0]["data"]
    shared = topics.shared_reply("home-intents-minilm")
    assert sensor["state_topic"] == sensor["json_attributes_topic"] == shared
    assert sensor["availability_topic"] == topics.status
    assert asking["topic"] == topics.infer("home-intents-minilm")
    assert configured["automation"][0]["triggers"] == [{"trigger": "mqtt", "topic": shared}]
    payload = rendered(asking["payload"], sentence='say "hi" to Zoë\'s', context=SimpleNamespace(id="01ABC"))
    request = parse_request(Message(asking["topic"], payload.encode(), qos=asking["qos"]), topics, 4096)
    assert (request.texts, request.id, request.address.topic) == (('say "hi" to Zoë\'s',), "01ABC", shared)


def test_home_assistants_automation_obeys_its_own_example_sentence(home_bundle: Path) -> None:
    configured, topics = home_assistant(), Topics("hub")
    sentence = configured["script"]["ask_edgert"]["fields"]["sentence"]["example"]
    pipeline = load(home_bundle)
    address = Address(topics.shared_reply("home-intents-minilm"), 1, enveloped=True)
    label, score = best(pipeline, sentence)
    answer = json.dumps({"label": label, "score": score}).encode()
    reply = json.loads(encode_answer(address, answer, {}).payload)
    refused = json.loads(encode_error(address, Busy(32, 10)).payload)

    (sensor,), (automation,) = configured["mqtt"]["sensor"], configured["automation"]
    assert rendered(sensor["value_template"], value_json=reply) == label
    assert rendered(sensor["value_template"], value_json=refused) == "error"
    (condition,), (choice,) = automation["conditions"], automation["actions"][0]["choose"]
    heard = SimpleNamespace(payload_json=reply)
    assert rendered(condition, trigger=heard) == rendered(choice["conditions"], trigger=heard) == "True"
    assert rendered(condition, trigger=SimpleNamespace(payload_json=refused)) == "False"


def test_home_assistants_automation_names_the_entities_that_are_announced() -> None:
    configured = home_assistant(discovery=True)
    home = HomeAssistant(Topics("hub"), "1").description([ModelFacts("home-intents-minilm", "1", True)])
    document = json.loads(home.payload)
    entities = {
        f"{one['platform']}.{slug(document['device']['name'])}_{slug(one['name'])}"
        for one in document["components"].values()
    }
    (automation,) = configured["automation"]
    asking = configured["script"]["ask_edgert"]["sequence"][0]["target"]["entity_id"]
    assert {automation["triggers"][0]["entity_id"], asking} <= entities
    assert automation["triggers"][0]["entity_id"] in automation["conditions"][0]


def slug(name: str) -> str:
    """As Home Assistant makes an entity's id of a name."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def best(pipeline: Pipeline, text: str) -> tuple[str, float]:
    """Label and score of the most likely answer to `text`."""
    (row,) = pipeline.vectors([text])
    return pipeline.manifest.task.labels[int(row.argmax())], float(row.max())


# --- numbers ---------------------------------------------------------------------------------------------------------


def result(name: str) -> Any:
    return json.loads(read(f"benchmarks/results/{name}.json"))


def test_the_readmes_figures_are_those_of_the_committed_results() -> None:
    readme = read("README.md")
    latency = {(row["broker"], row["qos"]): row for row in result("request_latency")["rows"]}
    at_0, at_1 = latency["mosquitto, nodelay", 0], latency["mosquitto, nodelay", 1]
    start = next(row for row in result("startup")["rows"] if row["bundle"] == "home-intents-minilm")
    installed_mb = result("installed_size")["total_bytes"] / 1e6
    for figure in (
        f"{at_0['request p50']:.1f} / {at_1['request p50']:.1f} ms",
        f"{at_0['added p50']:.2f} / {at_1['added p50']:.2f} ms",
        f"{at_0['bare echo p50']:.2f} / {at_1['bare echo p50']:.2f} ms",
        f"| {latency['mosquitto, as installed', 1]['added p50']:.2f} ms (no 40 ms",
        f"| {start['later runs p50 s']:.1f} s |",
        f"| {start['RSS MB']:.0f} MB |",
        f"| {installed_mb:.0f} MB |",
        f"paho-mqtt: {installed_mb:.0f} MB",
    ):
        assert figure in readme, figure


def test_the_sizes_that_documents_announce_are_those_of_the_set_up() -> None:
    for document, extras in (
        ("README.md", {"convert", "broker"}),
        ("CONTRIBUTING.md", {"convert", "broker", "flash", "metrics", "wyoming", "dev"}),
    ):
        download_mb, disk_mb = totals(planned(extras))
        download, disk = re.findall(r"about (\d+) MB for the (?:demo|tests), ([\d.]+) GB", read(document))[0]
        assert abs(int(download) - (download_mb + CHECKPOINT_MB)) <= 10, document
        assert abs(float(disk) * 1000 - (disk_mb + CHECKPOINT_MB)) <= 100, document


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_and_variables_that_a_document_shows_exist(document: Path) -> None:
    makefile = read("Makefile")
    for line in re.findall(r"(?:^|`)make ([^`\n#]+)", document.read_text(encoding="utf-8"), re.M):
        if target := re.match(r"[a-z]+", line):
            assert re.search(rf"^{target[0]}:", makefile, re.M), line
        for variable in re.findall(r"\b([A-Z][A-Z_]+)=", line):
            assert re.search(rf"^{variable} \?=", makefile, re.M), line
