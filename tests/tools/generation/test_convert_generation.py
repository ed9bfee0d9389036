"""A folder or a GGUF file with a model that writes becomes a bundle that says all that an engine has to know."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.bundle.digest import content_digest
from edge_runtime.bundle.golden import read_golden
from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.errors import BudgetMissed, SourceUnavailable, UnsupportedModel, UsageError
from edge_runtime.model import open_model
from edge_runtime.tokenizer import open_tokenizer
from edgert_tools.convert import convert
from edgert_tools.convert_result import ConvertResult
from edgert_tools.generation import convert as decoder_convert
from edgert_tools.generation.convert import takes
from edgert_tools.generation.decoder import Decoder
from edgert_tools.generation.pack import LEAD
from edgert_tools.generation.report import DecoderReport
from edgert_tools.generation.surgery import with_all_logits
from edgert_tools.planning.refusal import BadSource
from edgert_tools.settings import Options
from tests.command import run
from tests.tools.checkpoints import WORDS
from tests.tools.generation.tiny_decoder import HEAD, KV_HEADS, TEXT, FakeExporter, opened, plain_logits, write_folder

REAL = "REAL_EXPORTERS"
Convert = Callable[..., ConvertResult]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("decoder") / "tiny-llama")


@pytest.fixture
def prose(tmp_path: Path) -> Path:
    file = tmp_path / "prose.txt"
    file.write_text(TEXT)
    return file


@pytest.fixture
def converted(tmp_path: Path, prose: Path, monkeypatch: pytest.MonkeyPatch) -> Convert:
    """Convert with an exporter that needs no environment; on a few kilobytes no budget makes sense."""
    monkeypatch.setattr(decoder_convert, "misses", lambda *_: ())

    def run_it(
        source: Path, exporter: FakeExporter | None = None, out: str = "out", **options: object
    ) -> ConvertResult:
        monkeypatch.setattr(decoder_convert, "genai_exporter", lambda say: opened(exporter or FakeExporter()))
        settings = Options(**options)  # type: ignore[arg-type]
        return convert(str(source), tmp_path / out, settings, data=prose, say=lambda line: None)

    return run_it


def test_the_bundle_says_all_that_an_engine_has_to_know(folder: Path, converted: Convert) -> None:
    result = converted(folder)
    manifest = read_bundle(result.folder)
    spec = manifest.task.generate
    assert manifest.task.name == "generate"
    assert spec is not None
    assert (spec.positions, spec.words, spec.end, spec.start) == (64, WORDS, (1, 3), 2)
    assert (spec.cache.layers, spec.cache.heads, spec.cache.width, spec.cache.in_place) == (1, KV_HEADS, HEAD, True)
    assert spec.cache.bytes_per_token == 2 * KV_HEADS * HEAD * 4
    assert (spec.sampling.sample, spec.sampling.temperature, spec.sampling.top_p) == (True, 0.7, 0.9)
    assert spec.chat is not None
    assert dict(spec.chat.tokens) == {"bos_token": "[CLS]", "eos_token": "[SEP]"}
    assert (result.folder / spec.chat.template).read_text().startswith("{% for m in messages %}")
    names = {tensor.name for tensor in manifest.model.inputs}
    assert names == {spec.tokens, spec.mask, *spec.cache.names(spec.cache.past)}
    assert {spec.logits, *spec.cache.names(spec.cache.present)} == {tensor.name for tensor in manifest.model.outputs}
    roles = {entry.path: entry.role for entry in manifest.files}
    assert (roles["model.onnx.data"], roles["chat_template.jinja"]) == ("model", "template")
    assert manifest.limits.max_tokens == 64  # the model has no places for more


def test_int8_is_near_the_original_and_the_embedding_is_in_the_file_once(folder: Path, converted: Convert) -> None:
    result = converted(folder)
    assert isinstance(result.report, DecoderReport)
    quality, chosen = result.report.chosen.quality, result.report.chosen
    assert 0 < quality.kl < 0.01
    assert quality.agreement.value > 0.95
    assert chosen.shared
    assert result.report.operators["GroupQueryAttention"] == 1
    assert result.report.export_gap < 1e-3
    measured = result.manifest.measured["quality"]
    assert isinstance(measured, dict)
    assert {"kl", "agreement", "float_perplexity", "int8_perplexity", "perplexity_rise"} <= set(measured)
    assert json.loads((result.folder / "report.json").read_text())["scheme"] == "nbits8-b32"


def test_reading_word_by_word_gives_what_reading_at_once_gives(folder: Path, converted: Convert) -> None:
    from safetensors.numpy import load_file

    result = converted(folder)
    spec = result.manifest.task.generate
    assert spec is not None
    tokens = [2, 9, 5, 11, 7, 5, 6]
    at_once = Decoder(result.folder / "model.onnx", spec, 32, 1).read(tokens)
    stepwise = Decoder(result.folder / "model.onnx", spec, 32, 1)
    stepwise.read(tokens[:1])
    for token in tokens[1:]:
        last = stepwise.read([token])
    assert np.abs(at_once - last).max() < 1e-4
    every = Decoder(with_all_logits(result.folder, "all.onnx"), spec, 32, 1).read(tokens)
    exact = plain_logits(load_file(folder / "model.safetensors"), tokens)
    assert every.shape == exact.shape
    assert np.corrcoef(every.ravel(), exact.ravel())[0, 1] > 0.999
    assert np.abs(every[-1] - at_once[0]).max() < 1e-5


def test_golden_texts_are_the_models_own_sure_words(folder: Path, converted: Convert) -> None:
    result = converted(folder)
    spec = result.manifest.task.generate
    assert spec is not None
    tokenizer = open_tokenizer(result.folder / "tokenizer.json")
    model = Decoder(result.folder / "model.onnx", spec, 256, 1)
    questions = read_golden(result.folder / "golden.json").questions
    assert questions
    for question in questions:
        prompt, written = ([int(one) for one in tensor.data if not isinstance(one, str)] for tensor in question.outputs)
        assert prompt == tokenizer.encode(question.texts[0])[:-1]  # [CLS] and the words, no [SEP]
        assert written
        for token in written:
            model.forget()
            best, second = np.sort(model.read(prompt)[-1])[[-1, -2]]
            model.forget()
            assert int(model.read(prompt)[-1].argmax()) == token
            assert best - second >= LEAD
            prompt.append(token)


def test_it_is_shown_but_not_served_and_that_is_said(
    folder: Path, converted: Convert, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = converted(folder).folder
    status, out, _ = run(capsys, "inspect", bundle)
    assert status == 0
    assert "ends at 1, 3; chat template chat_template.jinja" in out
    assert f"1 layers, {KV_HEADS} heads of {HEAD}" in out
    assert content_digest(read_bundle(bundle)) in out
    with pytest.raises(UnsupportedModel, match="generation is not served yet"):
        open_model(bundle)
    status, _, err = run(capsys, "verify", bundle)
    assert status == 1
    assert "generation is not served yet" in err


def test_the_same_folder_again_is_up_to_date_and_elsewhere_has_the_same_digest(
    folder: Path, converted: Convert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = converted(folder)
    assert converted(folder).up_to_date
    monkeypatch.setenv("EDGERT_CACHE", str(tmp_path / "another-cache"))
    second = converted(folder, out="other")
    assert not second.up_to_date
    assert content_digest(read_bundle(first.folder)) == content_digest(read_bundle(second.folder))
    other = converted(folder, out="renamed", name="another-name")
    assert content_digest(other.manifest) != content_digest(first.manifest)


def test_weights_that_are_not_there_are_named(folder: Path, converted: Convert, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"the weights lack model\.layers\.0\.x and 1 more"):
        converted(folder, FakeExporter(missing=("model.layers.0.x", "model.layers.0.y")))
    assert not (tmp_path / "out").exists()


def test_a_graph_that_answers_otherwise_than_the_original_is_refused(
    folder: Path, converted: Convert, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedModel, match="differ by up to 1"):
        converted(folder, FakeExporter(wrong=1.0))
    assert not (tmp_path / "out").exists()


def test_a_form_outside_the_budget_is_refused_and_nothing_is_written(
    folder: Path, converted: Convert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder_convert, "misses", lambda *_: ("KL 0.5 > 0.02",))
    with pytest.raises(BudgetMissed, match=r"nbits8-b32 .* misses KL 0\.5 > 0\.02"):
        converted(folder)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"architectures": ["MambaForCausalLM"]}, "MambaForCausalLM: models that write are taken of LlamaForCausalLM"),
        ({"quantization_config": {"quant_method": "gptq"}}, r"quantized already \(gptq\)"),
        ({"auto_map": {"AutoModel": "own.Own"}}, "never run"),
        ({"eos_token_id": None}, ""),
    ],
)
def test_what_cannot_be_taken_is_refused_before_anything_is_built(
    tmp_path: Path, converted: Convert, changes: dict[str, object], told: str
) -> None:
    exporter = FakeExporter()
    source = write_folder(tmp_path / "source", **changes)
    if told == "":
        (source / "generation_config.json").unlink()
        told = "neither config.json nor generation_config.json says eos_token_id"
    with pytest.raises(UnsupportedModel, match=told):
        converted(source, exporter)
    assert exporter.built in ([], ["float32"])
    assert not (tmp_path / "out").exists()


def test_pickled_weights_are_refused(tmp_path: Path, converted: Convert) -> None:
    source = write_folder(tmp_path / "source")
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    with pytest.raises(UnsupportedModel, match="is a pickle, which can run any code"):
        converted(source)


def test_weights_that_are_cut_short_or_not_of_the_config_are_refused_before_anything_is_built(
    tmp_path: Path, converted: Convert
) -> None:
    from safetensors.numpy import load_file, save_file

    exporter, source = FakeExporter(), write_folder(tmp_path / "source", hidden_size=48)
    file = source / "model.safetensors"
    weights = load_file(file)
    save_file({**weights, "model.embed_tokens.weight": weights["table"]}, file)
    with pytest.raises(UnsupportedModel, match=rf"says {WORDS} tokens of width 48, .* has {WORDS} x 64"):
        converted(source, exporter)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BadSource, match="cut short"):
        converted(source, exporter)
    assert exporter.built == []


def test_a_gguf_file_that_is_none_or_of_another_kind_is_refused_by_its_header(
    tmp_path: Path, converted: Convert
) -> None:
    from tests.tools.planning.headers import LLAMA, gguf_bytes, llama_tensors

    file = tmp_path / "m.gguf"
    with pytest.raises(SourceUnavailable, match="no file"):
        converted(file)
    file.write_bytes(b"GGUF")
    with pytest.raises(BadSource, match="cut short"):
        converted(file)
    file.write_bytes(gguf_bytes({**LLAMA, "general.architecture": "mamba"}, llama_tensors()))
    with pytest.raises(UnsupportedModel, match="architecture 'mamba': GGUF files are taken of llama"):
        converted(file)
    file.write_bytes(gguf_bytes(LLAMA, llama_tensors())[:-40])
    with pytest.raises(BadSource, match="cut short"):
        converted(file)


def test_options_that_do_not_fit_are_refused(folder: Path, converted: Convert, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="scheme 'dynamic-s8' is not for models that write"):
        converted(folder, scheme="dynamic-s8")
    with pytest.raises(UsageError, match="is for generate, not classify"):
        converted(tmp_path / "m.gguf", task="classify")


def test_a_folder_that_writes_is_taken_unless_another_task_is_asked_for(folder: Path, bert_folder: Path) -> None:
    assert takes(str(folder), None)
    assert takes(str(folder), "generate")
    assert not takes(str(folder), "embed")
    assert not takes(str(bert_folder), None)
    assert takes("org/name", "generate")
    assert not takes("org/name", None)
    assert takes("smollm2-135m-instruct", None)
    assert takes("any.gguf", None)


real = pytest.mark.skipif(not os.environ.get(REAL), reason=f"makes an exporter's environment, 1.3 GB: set {REAL}=1")


def write_llama(folder: Path, kind: str = "Llama") -> Path:
    """A random decoder, saved by transformers, with the tiny tokenizer."""
    import torch
    import transformers

    from tests import tiny

    torch.manual_seed(3)
    common = {
        "vocab_size": WORDS, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128, "bos_token_id": 2,
        "eos_token_id": 3, "pad_token_id": 0, "tie_word_embeddings": True, "initializer_range": 0.3,
    }  # fmt: skip
    config = getattr(transformers, f"{kind}Config")(**common)
    getattr(transformers, f"{kind}ForCausalLM")(config).eval().save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(tiny.tokenizer_json()))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return folder


@real
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["Llama", "Mistral", "Qwen2", "Qwen3"])
def test_a_random_decoder_goes_through_the_real_exporter(
    kind: str, tmp_path: Path, prose: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install 'edgert[convert]'")
    monkeypatch.setattr(decoder_convert, "misses", lambda *_: ())
    result = convert(str(write_llama(tmp_path / "model", kind)), tmp_path / "out", data=prose, say=lambda line: None)
    assert isinstance(result.report, DecoderReport)
    assert result.report.export_gap < 1e-3
    # Random weights: many words are nearly as likely as the best one. A wrong graph would agree on one in 59.
    assert result.report.chosen.quality.kl < 0.05
    assert result.report.chosen.quality.agreement.value > 0.8
    assert read_bundle(result.folder).task.name == "generate"


@real
@pytest.mark.timeout(3600)
def test_the_recipe_gives_an_assistant_near_its_original(tmp_path: Path) -> None:
    try:
        result = convert("smollm2-135m-instruct", tmp_path / "out", say=lambda line: None)
    except SourceUnavailable as error:
        pytest.skip(str(error))
    assert isinstance(result.report, DecoderReport)
    chosen = result.report.chosen
    assert chosen.scheme == "nbits8-b32"
    assert chosen.quality.kl <= 0.006
    assert chosen.quality.agreement.value >= 0.94
    assert chosen.size_ratio <= 0.3
    spec = result.manifest.task.generate
    assert spec is not None
    tokenizer = open_tokenizer(result.folder / "tokenizer.json")
    model = Decoder(result.folder / "model.onnx", spec, 64, 1)
    written = model.write(tokenizer.encode("The capital of France is"), 3, lead=0.0)
    assert "Paris" in tokenizer.decode(written)
