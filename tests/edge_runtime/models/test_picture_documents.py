"""What docs/tasks.md shows of pictures is what models answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.model import Model, open_model
from edge_runtime.mqtt.contract import answer_body, parse_request
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.takes import Takes
from tests.conftest import converted
from tests.edge_runtime.models.test_detect import write_detector
from tests.tiny_pictures import encoded, plain, write_classifier

from PIL import Image, ImageDraw, ImageFont  # isort: skip

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "tasks.md"


def shown(task: str) -> Any:
    """The reply in a task's section."""
    section = re.search(rf"^## {task}\n(.*?)(?=^## |\Z)", DOCUMENT.read_text(encoding="utf-8"), re.M | re.S)
    assert section
    (block,) = re.findall(r"^```json\n(.*?)^```$", section[1], re.M | re.S)
    return json.loads(block)


def reply(model: Model, name: str, raw: bytes) -> Any:
    """The whole way of a request, without a broker."""
    topics = Topics("hub")
    message = Message(topics.infer(name), raw, content_type="image/png", response_topic="edgert/v1/r/ann/x")
    request = parse_request(message, topics, 1 << 22, lambda _: Takes(frozenset({"image/png"}), words="none"))
    answer = model.answer([request]).answers[0]
    return json.loads(answer_body(request, model.manifest.version, answer.rows(), answer.truncated))


def test_a_blue_wall(tmp_path: Path) -> None:
    model = open_model(write_classifier(tmp_path / "bundle"))
    assert reply(model, "my-colours", plain("blue", format="PNG")) == shown("image-classify")


def test_two_squares(tmp_path: Path) -> None:
    image = Image.new("RGB", (640, 640), (90, 90, 90))
    draw = ImageDraw.Draw(image)
    draw.rectangle((80, 160, 159, 239), (0, 0, 255))
    draw.rectangle((400, 240, 479, 319), (200, 0, 0))
    model = open_model(write_detector(tmp_path / "bundle"))
    assert reply(model, "my-detector", encoded(image)) == shown("detect")


def test_a_receipt() -> None:
    image = Image.new("RGB", (400, 300), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    for y, text in ((50, "Garden Centre"), (120, "Total: 12.50")):
        draw.text((40, y), text, font=ImageFont.load_default(36), fill=(0, 0, 0), anchor="lm")
    found, expected = reply(open_model(converted("ocr-ppocrv4")), "ocr-ppocrv4", encoded(image)), shown("ocr")
    assert found["text"] == expected["text"]
    for line, other in zip(found["lines"], expected["lines"], strict=True):
        assert line["text"] == other["text"]
        assert line["score"] == pytest.approx(other["score"], abs=0.03)
        for corner, other_corner in zip(line["box"], other["box"], strict=True):
            assert corner == pytest.approx(other_corner, abs=3)
