"""`edgert quantize` from the command line, on a tiny real checkpoint whose speeds the test tells."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.bundle.variants import for_targets
from edge_runtime.engine.processor import targets_of
from edge_runtime.pipeline import open_pipeline
from edge_runtime.selftest import run_golden
from edgert_tools import conversion
from edgert_tools.arm import measuring, programs
from edgert_tools.arm.boards import emulated_board
from edgert_tools.arm.measuring import Requests
from edgert_tools.progress import Say
from edgert_tools.quantization import targets as targets_module
from edgert_tools.timing import Speed
from tests.command import run
from tests.tools import checkpoints
from tests.tools.arm.counted import figures

pytestmark = pytest.mark.usefixtures("own_cache")

SPEEDS = {"dynamic-s8": 2.2, "static-s8-smooth": 2.0, "rows-s8-smooth": 1.8, "mixed-50": 1.7, "nbits8-b32": 1.2}
TWO = ("--scheme", "dynamic-s8", "--scheme", "nbits8-b32")
CHOSEN_FROM = [part for name in SPEEDS for part in ("--scheme", name)]


@dataclass(frozen=True)
class Done:
    """What a call of the command left behind."""

    exit_code: int
    stdout: str
    stderr: str


Quantize = Callable[..., Done]


@pytest.fixture
def quantize(capsys: pytest.CaptureFixture[str]) -> Quantize:
    """Calls `edgert quantize` with these arguments."""
    return lambda *arguments: Done(*run(capsys, "quantize", *arguments))


@pytest.fixture
def told_speeds(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What the stopwatch tells; on a model of 32 values a token int8 never is faster."""
    ratios = dict(SPEEDS)

    def watch(original: Path, folders: Mapping[str, Path], texts: Sequence[str]) -> Mapping[str, Speed]:
        return {name: Speed(1, 9, 1.0, 1.0 / ratios[name], ratios[name]) for name in folders}

    monkeypatch.setattr(conversion, "time_by_turns", watch)
    return ratios


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    return checkpoints.write_texts(tmp_path / "texts.txt")


def test_the_best_scheme_becomes_a_bundle_and_every_one_is_accounted_for(
    quantize: Quantize, bert_folder: Path, tmp_path: Path, texts: Path, told_speeds: dict[str, float], own_cache: Path
) -> None:
    out = tmp_path / "bundle"
    done = quantize(bert_folder, "-o", out, "--data", texts, "--json", *CHOSEN_FROM)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert [one["scheme"] for one in told["candidates"]] == list(SPEEDS)
    assert told["scheme"] == "dynamic-s8"
    assert told["batch_invariant"] is False
    assert set(told["pareto"]) <= set(SPEEDS)
    for one in told["candidates"]:
        interval = one["quality"]["cosine_mean_interval"]
        assert interval["low"] <= one["quality"]["cosine_mean"] <= interval["high"]
        assert one["quality"]["texts"] == len(checkpoints.TEXTS) * 4 // 5  # a fifth was calibrated on
        assert one["peak_bytes"] > 10e6
    assert run_golden(open_pipeline(out), out).worst > 0.9999
    assert read_bundle(out).measured["peak_bytes"] == told["candidates"][0]["peak_bytes"]
    page = (out / "report.html").read_text()
    assert all(page.count(f">{name}") >= 2 for name in SPEEDS)  # in the plot and in the table
    assert not list((own_cache / "searches").glob("*"))


def test_boards_of_two_kinds_get_a_form_each_in_one_bundle(
    quantize: Quantize,
    bert_folder: Path,
    tmp_path: Path,
    texts: Path,
    told_speeds: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = {"static-s8-smooth": {"pi4": 0.9, "pi5": 0.6}, "nbits8-b32": {"pi4": 4.1, "pi5": 0.5}}

    def count(original: Path, graphs: Mapping[str, Path], requests: Requests, targets: Sequence[str], note: Say) -> Any:
        assert (set(graphs), targets) == (set(counts), ("pi4", "pi5"))
        assert {"input_ids", "attention_mask"} <= set(requests.rows[0])
        return figures(counts)

    monkeypatch.setattr("edgert_tools.convert.check_programs", lambda: None)
    monkeypatch.setattr(targets_module, "on_boards", count)
    monkeypatch.setattr(measuring, "qemu_version", lambda: (7, 2, 22))
    told_speeds["static-s8-smooth"] = 0.4  # here; not a target
    out = tmp_path / "bundle"
    schemes = [part for name in counts for part in ("--scheme", name)]
    done = quantize(bert_folder, "-o", out, "--data", texts, "--json", "--target", "pi4,pi5", *schemes)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert [(one["scheme"], one["boards"]) for one in told["forms"]] == [
        ("nbits8-b32", ["pi5"]),
        ("static-s8-smooth", ["pi4"]),
    ]
    assert told["targets"]["nbits8-b32"]["pi4"]["ratio"] == 4.1
    manifest = read_bundle(out)
    on_pi5, on_pi4 = (
        for_targets(manifest, targets_of("aarch64", emulated_board(board).cpu_info)) for board in ("pi5", "pi4")
    )
    assert (on_pi5.model.scheme, on_pi4.model.scheme) == ("nbits8-b32", "static-s8-smooth")
    assert run_golden(open_pipeline(out), out).worst > 0.9999
    boards: Any = manifest.measured["boards"]
    assert boards["pi4"]["basis"] == "emulated, QEMU 7.2.22, cortex-a72; instructions, not time"
    variants: Any = manifest.measured["variants"]
    assert list(variants["nbits8-b32"]["boards"]) == ["pi5"]  # nothing of the board that it is not for
    assert (manifest.lock["targets"], manifest.lock["qemu"]) == ("pi4,pi5", "7.2.22")
    page = (out / "report.html").read_text()
    assert "Instructions on the targets" in page
    assert "4.1x float&#x27;s instructions on pi4" in page


def test_without_emulation_a_target_is_refused_before_anything_is_made(
    quantize: Quantize, bert_folder: Path, tmp_path: Path, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "missing_packages", lambda: ["mmdebstrap", "qemu-user"])
    done = quantize(bert_folder, "-o", tmp_path / "b", "--data", texts, "--target", "pi4")
    assert done.exit_code == 1
    assert "apt-get install --no-install-recommends mmdebstrap qemu-user" in done.stderr
    done = quantize(bert_folder, "-o", tmp_path / "b", "--data", texts, "--target", "pi6")
    assert done.exit_code == 2
    assert "did you mean pi" in done.stderr


def test_the_table_says_each_verdict(
    quantize: Quantize, bert_folder: Path, tmp_path: Path, texts: Path, told_speeds: dict[str, float]
) -> None:
    told_speeds["nbits8-b32"] = 0.6
    done = quantize(bert_folder, "-o", tmp_path / "b", "--data", texts, *TWO)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any("dynamic-s8 " in line and line.endswith("taken") for line in lines)
    assert any("0.60x float's speed on this machine, at least 1x" in line for line in lines)
    assert done.stderr == ""  # nobody watches: no progress


def test_a_second_call_does_nothing(
    quantize: Quantize, bert_folder: Path, tmp_path: Path, texts: Path, told_speeds: dict[str, float]
) -> None:
    arguments = (bert_folder, "-o", tmp_path / "b", "--data", texts, *CHOSEN_FROM[-2:])
    assert quantize(*arguments).exit_code == 0
    told_speeds.clear()  # timing again would now fail
    again = quantize(*arguments)
    assert (again.exit_code, "up to date" in again.stdout) == (0, True)


def test_nothing_as_fast_as_float_is_refused_and_nothing_written(
    quantize: Quantize, bert_folder: Path, tmp_path: Path, texts: Path, told_speeds: dict[str, float]
) -> None:
    told_speeds.update(dict.fromkeys(SPEEDS, 0.5))
    out = tmp_path / "made" / "b"
    done = quantize(bert_folder, "-o", out, "--data", texts, "--json", *TWO)
    assert done.exit_code == 1
    error = json.loads(done.stdout)["error"]
    assert error["reason"] == "budget_missed"
    assert all(name in error["message"] for name in TWO[1::2])
    assert not out.parent.exists()


def test_a_model_that_int8_spoils_is_refused(
    quantize: Quantize, bert_folder: Path, tmp_path: Path, texts: Path, told_speeds: dict[str, float]
) -> None:
    source = checkpoints.spoil(Path(shutil.copytree(bert_folder, tmp_path / "source")))
    done = quantize(source, "-o", tmp_path / "b", "--data", texts, *TWO)
    assert done.exit_code == 1
    assert "cosine mean" in done.stderr


def test_rows_of_an_outlier_model_are_saved_by_smoothing(
    quantize: Quantize, bert_folder: Path, tmp_path: Path, texts: Path, told_speeds: dict[str, float]
) -> None:
    # What `spoil` does is one channel that takes the scale of its tensor.
    source = checkpoints.spoil(Path(shutil.copytree(bert_folder, tmp_path / "source")))
    told_speeds["dynamic-s8-smooth"] = 2.0
    options = ("--scheme", "dynamic-s8", "--scheme", "dynamic-s8-smooth", "--json")
    done = quantize(source, "-o", tmp_path / "b", "--data", texts, *options)
    assert done.exit_code == 0, done.stderr
    plain, smooth = json.loads(done.stdout)["candidates"]
    assert 1 - smooth["quality"]["cosine_mean"] < 0.5 * (1 - plain["quality"]["cosine_mean"])


@pytest.mark.parametrize(
    ("option", "says"), [("int3", "'int3' is no int8 scheme"), ("float32", "'float32' is no int8 scheme")]
)
def test_an_unknown_scheme_is_refused_with_those_there_are(
    quantize: Quantize, bert_folder: Path, tmp_path: Path, texts: Path, option: str, says: str
) -> None:
    done = quantize(bert_folder, "-o", tmp_path / "b", "--data", texts, "--scheme", option)
    assert done.exit_code != 0
    assert says in done.stderr
    assert "mixed" in done.stderr


def test_labels_stay_with_their_texts_when_some_are_left_out(
    quantize: Quantize, classifier_folder: Path, tmp_path: Path, told_speeds: dict[str, float]
) -> None:
    from edgert_tools.convert import convert
    from edgert_tools.settings import Options

    # The model's own answers as labels: float must then be right on all texts that remain.
    plain = checkpoints.write_texts(tmp_path / "texts.txt")
    first = convert(
        str(classifier_folder), tmp_path / "first", Options(scheme="nbits8-b32"), data=plain, say=checkpoints.unheard
    )
    pipeline = open_pipeline(first.folder)
    rows = [f"{text}\t{checkpoints.LABELS[int(pipeline.vectors([text])[0].argmax())]}" for text in checkpoints.TEXTS]
    labelled = tmp_path / "labelled.tsv"
    labelled.write_text("\n".join(rows) + "\n")
    options = ("--data", labelled, "--scheme", "rows-s8-smooth", "--json")
    done = quantize(classifier_folder, "-o", tmp_path / "b", *options)
    assert done.exit_code == 0, done.stderr
    quality = json.loads(done.stdout)["candidates"][0]["quality"]
    assert quality["float_accuracy"]["value"] > 0.9


@pytest.mark.parametrize("source", ["ocr-ppocrv4", "whisper-tiny-en", "model.onnx"])
def test_what_is_not_searched_is_refused_with_the_command_that_does_it(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = run(capsys, "quantize", source, "-o", tmp_path / "out")
    assert status == 2
    assert "`edgert convert` tries all forms that suit it" in err
    assert not (tmp_path / "out").exists()
