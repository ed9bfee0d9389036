"""`edgert ask MODEL --image FILE`, against a daemon on a broker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_runtime.mqtt.broker import Kind
from tests.command import run
from tests.served import broker, daemon, wait_online
from tests.tiny_pictures import plain, write_classifier

BROKER: Kind = "mosquitto"


@pytest.mark.broker
def test_a_picture_is_asked_about_from_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_classifier(tmp_path / "bundle")
    file = tmp_path / "wall.png"  # a JPEG all the same: names do not count
    file.write_bytes(plain("blue", format="JPEG"))
    with broker(BROKER) as running, daemon(running.address, [folder]):
        wait_online(running.address)
        arguments = ["ask", "tiny-pictures", "--image", str(file), "--broker", running.address.url()]
        status, out, _ = run(capsys, *arguments)
        as_json = run(capsys, *arguments, "--json")
    assert status == 0
    assert out.splitlines()[0].split() == ["wall.png", "blue", "1.00"]
    assert json.loads(as_json[1])["label"] == "blue"


@pytest.mark.parametrize(
    ("more", "says"),
    [([], "TEXT"), (["x", "--image", "FILE"], "TEXT"), (["--image", "FILE"], "no JPEG"), (["--image", "none"], "none")],
)
def test_what_is_no_question_about_a_picture_is_said_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], says: str
) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("hello")
    arguments = [str(file) if one == "FILE" else one for one in more]
    status, _, err = run(capsys, "ask", "tiny-pictures", *arguments, "--broker", "mqtt://127.0.0.1:9")
    assert status == 2
    assert says in err
