"""Speech recognition on the board: a WAV file in, text out; the tokens are those of transformers."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.bundle.golden import GoldenQuestion, GoldenTensor, write_questions
from edge_runtime.bundle.manifest import Manifest, read_bundle, seal_bundle
from edge_runtime.client import Client
from edge_runtime.documents import model_document
from edge_runtime.engine import FloatArray
from edge_runtime.errors import BadRequest, GoldenMismatch, InputTooLong, UnsupportedModel
from edge_runtime.model import asked_again, open_model, takes_of
from edge_runtime.models.sound.dictation import Said
from edge_runtime.models.sound.transcribe import MOST_S, TranscribeModel
from edge_runtime.mqtt.message import Message
from edge_runtime.selftest import run_golden
from tests.served import DEVICE, broker, daemon, wait_online
from tests.service_bench import TOPICS, Bench
from tests.tiny_whisper import LANGUAGES, POSITIONS, RATE, asked, sound, wav, write_bundle, write_checkpoint

PROMPT = 4  # start, language, task, no times


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("whisper") / "checkpoint")


@pytest.fixture(scope="module")
def bundle(checkpoint: Path) -> Path:
    return write_bundle(checkpoint, checkpoint.parent / "bundle")


@pytest.fixture(scope="module")
def model(bundle: Path) -> TranscribeModel:
    opened = open_model(bundle)
    assert isinstance(opened, TranscribeModel)
    opened.warm_up()
    return opened


def oracle(checkpoint: Path, samples: FloatArray, prompt: int = PROMPT, **how: Any) -> list[int]:
    """The text's tokens as transformers' own loop finds them."""
    torch = pytest.importorskip("torch")
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

    network = WhisperForConditionalGeneration.from_pretrained(checkpoint).eval()
    features = WhisperFeatureExtractor()(samples, sampling_rate=RATE, return_tensors="pt").input_features
    with torch.no_grad():
        found = network.generate(features, do_sample=False, num_beams=1, return_timestamps=False, **how)[0].tolist()
    return found[prompt:] if found[0] == network.generation_config.decoder_start_token_id else found


def tokens_of(
    model: TranscribeModel, samples: FloatArray, most: int, language: str | None = None
) -> tuple[list[int], Said]:
    said = Said(language=language)
    return list(model.write_window(samples, said, most)), said


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_token_is_that_of_transformers(
    model: TranscribeModel, checkpoint: Path, seed: int, language: str
) -> None:
    samples, most = sound(1 + 4 * seed, 200 * (seed + 1), seed), POSITIONS - PROMPT
    found, _ = tokens_of(model, samples, most, language)
    theirs = oracle(checkpoint, samples, language=language, task="transcribe", max_new_tokens=most)
    assert found == theirs
    assert len(set(found)) > 3  # so that equality says something


def test_the_language_it_hears_is_that_of_transformers(model: TranscribeModel, checkpoint: Path) -> None:
    pytest.importorskip("torch")
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

    network = WhisperForConditionalGeneration.from_pretrained(checkpoint).eval()
    for pitch in (100, 400, 1600, 3200):
        samples = sound(2, pitch, pitch)
        features = WhisperFeatureExtractor()(samples, sampling_rate=RATE, return_tensors="pt").input_features
        (theirs,) = network.detect_language(features).tolist()
        assert LANGUAGES[str(tokens_of(model, samples, 1)[1].language)] == theirs


def test_a_model_of_one_language_gives_transformers_tokens_too(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "checkpoint", multilingual=False, seed=5)
    model = open_model(write_bundle(checkpoint, tmp_path / "bundle"))
    assert isinstance(model, TranscribeModel)
    samples = sound(3, 300, 9)
    found, said = tokens_of(model, samples, 20)
    assert found == oracle(checkpoint, samples, max_new_tokens=20, prompt=2)[:20]
    assert said.language is None
    answer = answered(model, samples, language="en")
    assert "language" not in answer
    with pytest.raises(BadRequest, match="parameter language is 'de', this model knows its one language"):
        model.check(asked(wav(samples), language="de"))


def answered(model: TranscribeModel, samples: FloatArray, **parameters: str | int | float | bool) -> dict[str, Any]:
    (answer,) = model.answer([asked(wav(samples), **parameters)]).answers
    (row,) = answer.rows()
    return {**row, "truncated": answer.truncated[0]}


def test_the_answer_is_the_text_of_the_tokens_with_its_language_and_length(model: TranscribeModel) -> None:
    samples = heard_as_sent(sound(2.5))
    answer = answered(model, samples, language="de", max_tokens=12)
    found, _ = tokens_of(model, samples, 12, "de")
    assert answer["text"] == text_of(found)
    assert (answer["seconds"], answer["language"], answer["truncated"]) == (2.5, "de", True)
    text, seconds, language = model.answer([asked(wav(samples), language="de", max_tokens=12)]).answers[0].tensors()
    assert (text.data, text.datatype, text.shape) == ([answer["text"]], "BYTES", (1,))
    assert (seconds.data, language.data) == ([2.5], ["de"])


def heard_as_sent(samples: FloatArray) -> FloatArray:
    """Samples after 16 bits."""
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.float32) / 32768


def text_of(tokens: list[int]) -> str:
    """What the tokens' bytes say, by the tokenizer's maker."""
    from tokenizers import Tokenizer

    from tests.tiny_whisper import tokenizer_json

    return str(Tokenizer.from_str(json.dumps(tokenizer_json())).decode(tokens)).strip()


def test_silence_and_no_sound_at_all_give_no_text(model: TranscribeModel) -> None:
    for samples in (np.zeros(0, np.float32), np.zeros(RATE, np.float32), sound(1) * np.float32(1e-4)):
        answer = answered(model, samples)
        assert (answer["text"], answer["truncated"]) == ("", False)


def test_where_nobody_speaks_the_text_is_dropped_if_the_model_is_not_sure_of_it(
    model: TranscribeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = sound(2)
    _, said = tokens_of(model, heard_as_sent(samples), POSITIONS - PROMPT)
    less, more = said.no_speech * 0.99, said.no_speech * 1.01
    assert said.log_likelihood > -1
    assert answered(model, samples, no_speech=less)["text"]  # sure of it
    monkeypatch.setattr("edge_runtime.models.sound.transcribe._UNSURE", 0.0)
    assert answered(model, samples, no_speech=less)["text"] == ""
    assert answered(model, samples, no_speech=more)["text"]
    with pytest.raises(BadRequest, match="parameter no_speech"):
        model.check(asked(wav(samples), no_speech=1.5))


def test_a_long_sound_is_heard_in_windows_and_in_the_language_of_the_first(model: TranscribeModel) -> None:
    samples = heard_as_sent(np.concatenate([sound(29, 300, 1), np.zeros(RATE, np.float32), sound(20, 1200, 2)]))
    windows = list(model.windows(samples))
    assert len(windows) == 2
    first, said = tokens_of(model, windows[0], 6)
    second, _ = tokens_of(model, windows[1], 6, said.language)
    answer = answered(model, samples, max_tokens=6, no_speech=1.0)
    assert (answer["text"], answer["seconds"]) == (text_of(first + second), 50.0)


def test_a_sound_over_the_limit_is_refused_or_cut_if_asked(model: TranscribeModel) -> None:
    samples = np.zeros((MOST_S + 1) * RATE, np.float32)
    with pytest.raises(InputTooLong, match=f"text is {MOST_S + 1} seconds of sound, this model takes {MOST_S}"):
        model.answer([asked(wav(samples))])
    (answer,) = model.answer([asked(wav(samples), truncate=True)]).answers
    assert (answer.truncated, answer.rows()[0]["seconds"]) == ((True,), MOST_S)


def test_pieces_of_a_stream_are_the_text_and_the_last_is_the_answer(model: TranscribeModel) -> None:
    request = asked(wav(sound(2)), language="en", max_tokens=20)
    *pieces, last = model.stream(request)
    assert len(pieces) > 3
    assert "".join(str(piece["piece"]) for piece in pieces).strip() == last["text"]
    assert last == answered(model, sound(2), language="en", max_tokens=20)


def test_what_is_no_sound_or_no_way_to_answer_is_refused(model: TranscribeModel) -> None:
    with pytest.raises(BadRequest, match="hears sound"):
        model.check(asked(None))
    with pytest.raises(BadRequest, match="no WAV"):
        model.answer([asked(b"OggS" + bytes(40))])
    for parameters, named in (
        ({"language": "tlh"}, "language"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 99}, "max_tokens"),
    ):
        with pytest.raises(BadRequest, match=f"parameter {named}"):
            model.check(asked(wav(sound()), **parameters))


def without(bundle: Path, tmp_path: Path, **changes: Any) -> Path:
    """The bundle with another manifest."""
    import shutil

    folder = Path(shutil.copytree(bundle, tmp_path / "changed"))
    manifest = dataclasses.replace(read_bundle(folder), **changes)
    seal_bundle(folder, manifest, {entry.path: entry.role for entry in manifest.files})
    return folder


def test_a_bundle_without_a_decoder_or_settings_is_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"needs task.transcribe and more.decoder"):
        open_model(without(bundle, tmp_path, more={}))


def test_golden_sounds_hold_and_another_model_is_noticed(bundle: Path, tmp_path: Path) -> None:
    folder = without(bundle, tmp_path)
    model = open_model(folder)
    raw64 = base64.b64encode(wav(sound(1))).decode()
    question = GoldenQuestion((), raw64=raw64, media_type="audio/wav", parameters={"max_tokens": 10})
    outputs = model.answer([asked_again(question)]).answers[0].tensors()
    tensors = tuple(GoldenTensor(one.name, one.datatype, one.shape, tuple(one.data)) for one in outputs)  # type: ignore[arg-type]
    write_questions(folder / "golden.json", [dataclasses.replace(question, outputs=tensors)])
    manifest = read_manifest_of(folder)
    roles = {entry.path: entry.role for entry in manifest.files} | {"golden.json": "golden"}
    seal_bundle(folder, manifest, roles)  # type: ignore[arg-type]
    assert run_golden(open_model(folder), folder).rows == 1
    other = dataclasses.replace(tensors[0], data=("something else",))
    write_questions(folder / "golden.json", [dataclasses.replace(question, outputs=(other, *tensors[1:]))])
    seal_bundle(folder, manifest, roles)  # type: ignore[arg-type]
    with pytest.raises(GoldenMismatch, match="recorded is"):
        run_golden(open_model(folder), folder)


def read_manifest_of(folder: Path) -> Manifest:
    from edge_runtime.bundle.manifest import read_manifest

    return read_manifest(folder)


def test_the_document_says_how_to_ask_and_what_comes_back(model: TranscribeModel) -> None:
    document = model_document(model.manifest)
    assert (document["inputs"], document["takes"]) == ([], ["audio/wav"])
    assert [one["name"] for one in document["outputs"]] == ["text", "seconds"]  # type: ignore[attr-defined]
    assert takes_of(model.manifest).words == "none"


def sound_message(raw: bytes, *user: tuple[str, str]) -> Message:
    topic = TOPICS.infer("tiny")
    return Message(
        topic, raw, response_topic="edgert/v1/r/ann/ear", correlation=b"c", content_type="audio/wav", user=user
    )


def test_the_service_answers_at_once_or_in_pieces(model: TranscribeModel, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench({"tiny": model})
    how = ("parameters", '{"language": "de", "max_tokens": 8}')
    bench.send(sound_message(wav(sound()), how))
    status, body = bench.next()
    assert (status, body["model"], body["language"], body["truncated"]) == (200, "tiny", "de", True)
    bench.send(sound_message(wav(sound()), how, ("stream", "1")))
    pieces = list(streamed(bench))
    assert "".join(str(piece["piece"]) for piece in pieces[:-1]).strip() == pieces[-1]["text"] == body["text"]


def streamed(bench: Bench) -> Iterator[Mapping[str, object]]:
    while True:
        reply = bench.replies.get(timeout=20)
        yield json.loads(reply.payload)
        if dict(reply.user).get("last") == "1":
            return


@pytest.mark.broker
def test_a_daemon_writes_down_a_sound_over_a_broker(bundle: Path, model: TranscribeModel) -> None:
    samples = sound(1.5)
    with broker("mosquitto") as running, daemon(running.address, [bundle]):
        wait_online(running.address)
        with Client(running.address, device=DEVICE, timeout_s=30) as client:
            parameters = {"language": "en", "max_tokens": 5}
            answer = client.request("tiny-whisper", wav(samples), media_type="audio/wav", parameters=parameters)
    expected = answered(model, samples, language="en", max_tokens=5)
    assert {name: answer.body[name] for name in expected} == expected
