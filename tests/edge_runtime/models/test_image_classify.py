"""Image classification on a board: from a JPEG in a message to a label."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.bundle.picture_specs import ImageSpec, PixelSpec
from edge_runtime.client import Client
from edge_runtime.documents import model_document
from edge_runtime.engine import open_session
from edge_runtime.errors import BadPicture, BadRequest, GoldenMismatch, RemoteError, UnsupportedModel
from edge_runtime.model import open_model, takes_of
from edge_runtime.models.pictures.image_classify import ImageClassifyModel
from edge_runtime.mqtt.message import Message
from edge_runtime.selftest import run_golden
from tests.served import DEVICE, broker, daemon, wait_online
from tests.service_bench import TOPICS, Bench
from tests.tiny_pictures import COLOURS, asked, encoded, plain, write_classifier

from PIL import Image  # isort: skip


@pytest.fixture
def model(tmp_path: Path) -> ImageClassifyModel:
    opened = open_model(write_classifier(tmp_path / "bundle"))
    assert isinstance(opened, ImageClassifyModel)
    return opened


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_picture_gets_the_label_of_what_it_shows(model: ImageClassifyModel, colour: str, format: str) -> None:
    (answer,) = model.answer([asked(plain(colour, format=format), f"image/{format.lower()}")]).answers
    (row,) = answer.rows()
    assert row["label"] == colour
    labels = [one["label"] for one in row["top"]]  # type: ignore[attr-defined]
    assert sorted(labels) == sorted(COLOURS)
    assert sum(one["score"] for one in row["top"]) == pytest.approx(1, abs=1e-5)  # type: ignore[attr-defined]


def test_the_tensors_say_what_the_row_says(model: ImageClassifyModel) -> None:
    (answer,) = model.answer([asked(plain("blue"), "image/jpeg")]).answers
    label, score, probabilities = answer.tensors()
    assert (label.data, label.shape) == (["blue"], (1,))
    assert probabilities.shape == (1, 3)
    assert score.data[0] == max(probabilities.data)  # type: ignore[type-var]
    assert answer.rows()[0]["score"] == pytest.approx(score.data[0], abs=1e-6)


def test_probabilities_of_a_graph_that_gives_them_are_left_as_they_are(tmp_path: Path) -> None:
    ready = open_model(write_classifier(tmp_path / "bundle", scores="probabilities"))
    (answer,) = ready.answer([asked(plain("#0000ff", format="PNG"))]).answers
    assert answer.tensors()[2].data == [0.0, 0.0, 10.0]


def test_top_is_how_many_labels_are_listed(model: ImageClassifyModel) -> None:
    (answer,) = model.answer([asked(plain("red"), "image/jpeg", top=1)]).answers
    assert [one["label"] for one in answer.rows()[0]["top"]] == ["red"]  # type: ignore[attr-defined]
    for wrong in (0, 1001, "many", True, 1.5):
        with pytest.raises(BadRequest, match="parameter top"):
            model.check(asked(plain("red"), "image/jpeg", top=wrong))


def test_each_picture_of_several_gets_its_own_answer(model: ImageClassifyModel) -> None:
    answered = model.answer([asked(plain(colour), "image/jpeg") for colour in COLOURS])
    assert [answer.rows()[0]["label"] for answer in answered.answers] == list(COLOURS)
    assert min(answered.encode_ns, answered.run_ns, answered.answer_ns) > 0


def test_no_picture_and_a_damaged_one_are_refused(model: ImageClassifyModel) -> None:
    with pytest.raises(BadRequest, match="there is no picture"):
        model.check(asked(None))
    with pytest.raises(BadPicture, match="no bytes"):
        model.check(asked(b""))
    with pytest.raises(BadPicture, match="payload of 4 bytes"):
        model.answer([asked(b"oops")])


def test_golden_questions_hold_and_another_answer_is_noticed(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "bundle")
    assert run_golden(open_model(folder), folder).rows == 1
    other = open_model(write_classifier(tmp_path / "other", ImageSpec(8, 8, pixels=PixelSpec("bgr", scale=1 / 50))))
    with pytest.raises(GoldenMismatch):
        run_golden(other, folder)


def test_labels_and_scores_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"must have task\.image"):
        open_without(tmp_path / "a", image=None)
    with pytest.raises(UnsupportedModel, match="must list its labels"):
        open_without(tmp_path / "b", labels=())
    with pytest.raises(UnsupportedModel, match="lists 2 labels"):
        open_without(tmp_path / "c", labels=("a", "b")).answer([asked(plain("red"), "image/jpeg")])


def open_without(folder: Path, **task: object) -> ImageClassifyModel:
    manifest = read_bundle(write_classifier(folder))
    changed = dataclasses.replace(manifest, task=dataclasses.replace(manifest.task, **task))  # type: ignore[arg-type]
    return ImageClassifyModel(changed, open_session(folder, manifest.model))


def test_the_document_says_how_to_ask_and_what_comes_back(model: ImageClassifyModel) -> None:
    document = model_document(model.manifest)
    assert (document["inputs"], document["takes"]) == ([], ["image/jpeg", "image/png"])
    assert [one["name"] for one in document["outputs"]] == ["label", "score", "probabilities"]  # type: ignore[attr-defined]
    assert takes_of(model.manifest).words == "none"


def picture_message(raw: bytes, content_type: str | None = "image/jpeg") -> Message:
    return Message(
        TOPICS.infer("tiny"), raw, response_topic="edgert/v1/r/ann/camera", correlation=b"c", content_type=content_type
    )


def test_the_service_answers_a_jpeg_and_refuses_the_rest(
    model: ImageClassifyModel, make_bench: Callable[..., Bench]
) -> None:
    bench = make_bench({"tiny": model})
    bench.send(picture_message(plain("green")))
    status, body = bench.next()
    assert (status, body["label"], body["model"]) == (200, "green", "tiny")
    bench.send(picture_message(plain("green")[:200]))
    bench.send(picture_message(b'{"text": "a cat"}', "application/json"))
    bench.send(picture_message(b"RIFF", "audio/wav"))
    bench.send(picture_message(b""))
    found = [bench.next() for _ in range(4)]
    assert sorted((status, body["error"]["reason"]) for status, body in found) == [
        (400, "bad_request"),
        (415, "unsupported_media_type"),
        (422, "bad_picture"),
        (422, "bad_picture"),
    ]


def test_one_picture_sent_twice_under_one_id_is_run_once(
    model: ImageClassifyModel, make_bench: Callable[..., Bench]
) -> None:
    bench = make_bench({"tiny": model})
    message = picture_message(plain("red"))
    for _ in range(2):
        bench.send(dataclasses.replace(message, user=(("id", "7"),)))
    assert [bench.next()[1]["label"] for _ in range(2)] == ["red", "red"]
    assert bench.service.counters.repeated == 1


@pytest.mark.broker
def test_a_daemon_answers_a_photograph_over_a_broker(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "bundle")
    with broker("mosquitto") as running, daemon(running.address, [folder]):
        wait_online(running.address)
        with Client(running.address, device=DEVICE) as client:
            photograph = encoded(Image.new("RGB", (2000, 1500), "green"), "JPEG", quality=90)
            answer = client.request("tiny-pictures", photograph, media_type="image/jpeg", parameters={"top": 2})
            with pytest.raises(RemoteError, match="no whole PNG picture") as refused:
                client.request("tiny-pictures", photograph, media_type="image/png")
    assert (answer.body["label"], len(answer.body["top"])) == ("green", 2)
    assert refused.value.code == "bad_picture"
