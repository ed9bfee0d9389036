"""`edgert plan` from the outside: exit status, text, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import tiny
from tests.command import run
from tests.tools.planning.headers import LLAMA, gguf_bytes, llama_tensors
from tests.tools.planning.test_folder_model import TENSORS, write

Capture = pytest.CaptureFixture[str]


def large(folder: Path) -> Path:
    """A checkpoint of a gigabyte, of which only the header is there to be read."""
    tensors = {**TENSORS, "encoder.layer.1.huge.weight": ("F32", (16384, 16384), 1 << 30)}
    write(folder)
    from tests.tools.planning.headers import safetensors_header, write_sparse

    size = sum(entry[2] for entry in tensors.values())
    write_sparse(folder / "model.safetensors", safetensors_header(tensors), size)
    return folder


def test_what_fits_is_a_yes_with_every_sum(tmp_path: Path, capsys: Capture) -> None:
    status, out, err = run(capsys, "plan", write(tmp_path / "m"), "--board", "pi4")
    assert (status, err) == (0, "")
    assert "yes: it can be converted, and fits on pi4" in out
    for words in ("matrices", "stays float", "process", "tokenizer", "left for edgert: (1024 MB x 0.90", "[#"):
        assert words in out
    assert "estimated, not time" in out
    assert "<- take this" in out


def test_without_a_board_all_are_in_a_table(tmp_path: Path, capsys: Capture) -> None:
    status, out, _ = run(capsys, "plan", write(tmp_path / "m"))
    assert status == 0
    for name in ("zero2w", "pi4", "pi5", "rk3588", "i8mm", "x86-mini"):
        assert any(line.split()[:1] == [name] for line in out.splitlines())


def test_what_does_not_fit_is_a_no_with_what_is_nearest(tmp_path: Path, capsys: Capture) -> None:
    status, out, _ = run(capsys, "plan", large(tmp_path / "m"), "--board", "zero2w")
    assert status == 1
    assert "it does not fit on zero2w" in out
    assert "nearest for zero2w:" in out
    assert "it fits on pi" in out
    assert "#>" in out
    assert run(capsys, "plan", tmp_path / "m", "--board", "pi5-16g")[0] == 0


def test_on_two_boards_one_that_fits_is_enough(tmp_path: Path, capsys: Capture) -> None:
    status, out, _ = run(capsys, "plan", large(tmp_path / "m"), "--board", "zero2w", "--board", "pi5-8g")
    assert status == 0
    assert "and fits on pi5-8g" in out


def test_what_cannot_be_converted_is_a_no_with_the_reason(tmp_path: Path, capsys: Capture) -> None:
    metadata = {**LLAMA, "general.architecture": "mamba"}
    (tmp_path / "m.gguf").write_bytes(gguf_bytes(metadata, llama_tensors()))
    status, out, _ = run(capsys, "plan", tmp_path / "m.gguf", "--board", "pi5")
    assert status == 1
    assert "a GGUF file of the architecture mamba" in out
    assert "a token" in out
    assert "recipe all-minilm-l6-v2 (embed) fits" in out


def test_a_licence_that_a_policy_denies_is_a_no(tmp_path: Path, capsys: Capture) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('allowed = ["MIT"]\n')
    folder = write(tmp_path / "m")
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    status, out, _ = run(capsys, "plan", folder, "--board", "pi4", "--policy", policy)
    assert status == 1
    assert "licence cc-by-nc-4.0 is denied" in out
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    assert run(capsys, "plan", folder, "--board", "pi4", "--policy", policy)[0] == 0


def test_json_has_the_sums_with_their_parts(tmp_path: Path, capsys: Capture) -> None:
    status, out, _ = run(capsys, "plan", write(tmp_path / "m"), "--board", "pi5", "--json")
    document = json.loads(out)
    assert (status, document["schema"], document["possible"]) == (0, "edgert.plan/1", True)
    (board,) = document["boards"]
    for size in document["sizes"]:
        assert size["size_bytes"] == sum(part["size_bytes"] for part in size["parts"])
    for fit in board["schemes"]:
        memory = fit["memory"]
        parts = [value for name, value in memory.items() if name not in ("sum_mb", "max_tokens")]
        assert memory["sum_mb"] == pytest.approx(sum(parts), abs=0.3)
    assert board["schemes"][1]["instructions"]["short"]["basis"].startswith("scaled from MiniLM")


def test_longer_texts_need_more_memory(tmp_path: Path, capsys: Capture) -> None:
    folder = write(tmp_path / "m", max_position_embeddings=8192)
    needs = []
    for tokens in (64, 4096):
        _, out, _ = run(capsys, "plan", folder, "--board", "pi5", "--max-tokens", tokens, "--json")
        needs.append(json.loads(out)["boards"][0]["schemes"][0]["memory"]["sum_mb"])
    assert needs[1] > needs[0] + 100


def test_fewer_tokens_are_offered_where_they_help(tmp_path: Path, capsys: Capture) -> None:
    folder = write(tmp_path / "m", max_position_embeddings=8192, num_attention_heads=8)
    status, out, _ = run(capsys, "plan", folder, "--board", "zero2w", "--max-tokens", 4096)
    assert status == 1
    line = next(line for line in out.splitlines() if "fits with --max-tokens" in line)
    fewer = int(line.split("--max-tokens")[1].split()[0])
    assert run(capsys, "plan", folder, "--board", "zero2w", "--max-tokens", fewer)[0] == 0
    assert run(capsys, "plan", folder, "--board", "zero2w", "--max-tokens", fewer + 1)[0] == 1


def test_the_boards_are_listed(capsys: Capture) -> None:
    status, out, _ = run(capsys, "plan", "--boards")
    assert status == 0
    assert "Raspberry Pi Zero 2 W" in out
    status, out, _ = run(capsys, "plan", "--boards", "--json")
    assert {"name", "sources", "left_mb"} <= set(json.loads(out)[0])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["no-such-thing"], "no recipe and no hub id"),
        ([], "Give a SOURCE"),
        (["all-minilm-l6-v2", "--board", "pi9"], "did you mean"),
        (["bad.gguf"], "no GGUF file"),
        (["bad.onnx"], "not whole ONNX|no ONNX|not ONNX"),
        (["bad.safetensors"], "cut short|no safetensors file"),
        (["bad.txt"], "none of"),
        (["bad.toml"], "bad.toml"),
    ],
)
def test_bad_input_is_status_2_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, arguments: list[str], complaint: str
) -> None:
    import re

    monkeypatch.chdir(tmp_path)
    for ending in ("gguf", "onnx", "safetensors", "txt", "toml"):
        (tmp_path / f"bad.{ending}").write_bytes(b"\x93 is nothing of the kind")
    status, out, err = run(capsys, "plan", *arguments)
    assert (status, out) == (2, "")
    assert re.search(complaint, err)
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err


def test_an_error_is_json_where_json_was_asked_for(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF")
    status, out, _ = run(capsys, "plan", tmp_path / "bad.gguf", "--json")
    assert status == 2
    assert json.loads(out)["error"]["reason"] == "bad_source"


def test_the_real_minilm_is_planned_for_by_name_and_fits_on_the_smallest_board(
    minilm_folder: Path, capsys: Capture
) -> None:
    assert minilm_folder.is_dir()  # the recipe's checkpoint is in the cache
    status, out, _ = run(capsys, "plan", "all-minilm-l6-v2", "--board", "zero2w")
    assert status == 0
    assert "22.6 million" in out
    assert "nbits8-b32 fits, slower than float here" in out  # no dot product: the recipe's second scheme
    status, out, _ = run(capsys, "plan", "all-minilm-l6-v2", "--board", "pi5")
    assert "slower than float" not in out.partition("yes:")[2]


def test_a_refused_tokenizer_is_a_no_by_its_name(tmp_path: Path, capsys: Capture) -> None:
    folder = write(tmp_path / "m")
    document = tiny.tokenizer_json()
    document["model"]["type"] = "Novel"
    (folder / "tokenizer.json").write_text(json.dumps(document))
    status, out, _ = run(capsys, "plan", folder, "--board", "pi4")
    assert status == 1
    assert "refused: " in out
    assert "Novel" in out
