"""docs/asyncapi.yaml and docs/mqtt.md against the code, in both directions."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from edge_runtime import errors
from edge_runtime.config import Config
from edge_runtime.documents import info_document
from edge_runtime.errors import Busy, EdgertError
from edge_runtime.mqtt.contract import (
    BINARY,
    CBOR,
    CONTENT_TYPES,
    JSON,
    Address,
    address,
    bodies,
    encode_answer,
    encode_chunk,
    encode_error,
    questions,
    requests,
    tensors,
)
from edge_runtime.mqtt.topics import VERBS, Topics
from edge_runtime.takes import INPUTS, MEDIA_TYPES

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "docs/asyncapi.yaml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs/mqtt.md").read_text(encoding="utf-8")
MESSAGES, SCHEMAS = DOCUMENT["components"]["messages"], DOCUMENT["components"]["schemas"]
TIMING = {"queue-us": 1, "infer-us": 2}


def addresses_of_code() -> set[str]:
    topics = Topics("{device}", group="{group}")
    plain = {topics.status, topics.info, topics.load, topics.stats, topics.event("{source}"), topics.model("{model}")}
    asked = {topics.infer("{model}"), topics.group_infer("{group}", "{model}"), *map(topics.control, VERBS)}
    answered = {topics.reply("{user}", "{client}"), topics.shared_reply("{model}"), *map(topics.shared_reply_to, VERBS)}
    return plain | asked | answered


def wire_reasons() -> dict[str, int]:
    """Reasons that an error reply can have, by their place in errors.py."""
    source = inspect.getsource(errors)
    parts = dict(re.findall(r"^# --- (.+?) -+\n(.*?)(?=^# ---|\Z)", source, re.MULTILINE | re.DOTALL))
    names = re.findall(r"^class (\w+)", parts["requests"] + parts["models and bundles"], re.MULTILINE)
    kinds: list[type[EdgertError]] = [EdgertError, *(getattr(errors, name) for name in names)]
    return {kind.code: kind.status for kind in kinds}


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        yield from (value for key, value in part.items() if key == "$ref")
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def user_properties(schema: str) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMAS[schema]["properties"]["userProperties"]["properties"]
    return found


def test_every_reference_leads_somewhere() -> None:
    for reference in set(references(DOCUMENT)):
        part: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]


def test_the_topics_are_those_of_the_code() -> None:
    assert {channel["address"] for channel in DOCUMENT["channels"].values()} == addresses_of_code()


def test_every_placeholder_of_an_address_is_a_parameter() -> None:
    for channel in DOCUMENT["channels"].values():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel["parameters"])


def test_every_channel_is_used_and_every_message_sent() -> None:
    used = {reference.rsplit("/", 1)[1] for reference in references(DOCUMENT["operations"])}
    assert used == set(DOCUMENT["channels"])
    sent = {reference.rsplit("/", 1)[1] for reference in references(DOCUMENT["channels"]) if "/messages/" in reference}
    assert sent == set(MESSAGES)


def test_the_reasons_and_their_codes_are_those_of_errors() -> None:
    error = SCHEMAS["error"]["properties"]["error"]["properties"]
    assert error["reason"]["x-codes"] == wire_reasons()
    assert set(error["code"]["enum"]) == set(wire_reasons().values())


def test_the_page_has_every_reason_with_its_code() -> None:
    rows = re.findall(r"^\| (\d{3}) \| ((?:`\w+`(?:, )?)+) \|", PAGE, re.MULTILINE)
    told = {reason: int(code) for code, reasons in rows for reason in re.findall(r"`(\w+)`", reasons)}
    assert told == wire_reasons()


def test_the_page_has_every_topic() -> None:
    rows = set(re.findall(r"^\| `(edgert/v1/[^`]+)`", PAGE, re.MULTILINE))
    verbs = {Topics("<device>").control(verb) for verb in VERBS} | {
        Topics("<device>").shared_reply_to(verb) for verb in VERBS
    }
    code = {address.replace("{", "<").replace("}", ">") for address in addresses_of_code()} - verbs
    assert rows == code | {"edgert/v1/d/<device>/req/<verb>", "edgert/v1/d/<device>/res/<verb>"}


def test_the_content_types_are_those_of_the_code() -> None:
    for name in ("request", "control", "answer"):
        assert set(MESSAGES[name]["x-content-types"]) == set(CONTENT_TYPES) == {JSON, CBOR, BINARY}
    assert MESSAGES["request"]["x-media-types"] == list(MEDIA_TYPES)
    for kind in (*CONTENT_TYPES, *MEDIA_TYPES):
        assert f"`{kind}`" in PAGE


def test_the_words_to_choose_from_are_those_of_the_code() -> None:
    priorities = list(get_args(requests.Priority))
    assert user_properties("requestProperties")["priority"]["enum"] == priorities
    assert SCHEMAS["request"]["properties"]["priority"]["enum"] == priorities
    assert set(user_properties("requestProperties")["stream"]["enum"]) == set(requests.STREAM_WORDS)
    assert tuple(SCHEMAS["tensor"]["properties"]["datatype"]["enum"]) == tensors.DATATYPES
    assert SCHEMAS["tensor"]["properties"]["shape"]["maxItems"] == tensors.MAX_DIMENSIONS


def test_the_user_properties_are_those_that_are_read_and_written() -> None:
    """Every literal name that the reader asks the user properties for, and every one that a reply can carry."""
    source = "".join(inspect.getsource(module) for module in (requests, bodies))
    read = set(re.findall(r'user(?:\.get\(|\[)"([\w-]+)"', source)) | {"inference-header-content-length"}
    assert read == set(user_properties("requestProperties"))
    here = Address("t", 0, enveloped=False, server="hub")
    replies = [
        encode_answer(here, b"{}", TIMING, 1),
        encode_chunk(here, b"{}", 0, last=True),
        encode_error(here, Busy(1, 2)),
    ]
    assert {name for reply in replies for name, _ in reply.user} == set(user_properties("replyProperties"))
    for name in {*user_properties("requestProperties"), *user_properties("replyProperties")}:
        assert f"`{name}`" in PAGE


def test_enveloped_replies_have_the_keys_that_the_document_names() -> None:
    where = Address("t", 0, enveloped=True, id="1", transaction=2, server="hub")
    whole = yaml.safe_load(encode_answer(where, b"{}", {**TIMING, "seq": 0, "last": 1}).payload)
    assert set(whole) == set(SCHEMAS["envelopedAnswer"]["properties"])
    failed = yaml.safe_load(encode_error(where, Busy(1, 2)).payload)
    assert set(failed) == set(SCHEMAS["envelopedError"]["properties"])
    assert set(failed["error"]) == set(SCHEMAS["error"]["properties"]["error"]["properties"])


def test_the_request_s_keys_are_those_that_are_read() -> None:
    modules = (requests, questions, address, bodies)
    source = "".join(inspect.getsource(module) for module in modules)
    read = set(re.findall(r'(?:fields|body|parameters)\.get\(\s*"(\w+)"', source)) | set(
        re.findall(r'_text_or_none\(fields, "(\w+)"', source)
    )
    read |= {name for names in INPUTS.values() for name in names}
    documented = set(SCHEMAS["request"]["properties"]) | set(SCHEMAS["control"]["properties"])
    assert read | {"inputs"} == documented


def test_the_info_document_has_the_keys_that_the_document_names() -> None:
    assert set(info_document(Config(), ["tiny"], list(CONTENT_TYPES))) == set(SCHEMAS["info"]["properties"])
