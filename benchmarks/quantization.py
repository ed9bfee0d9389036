"""Every int8 scheme on MiniLM against fp32 ONNX Runtime and against what optimum makes by default, in one run.

    python -m benchmarks.quantization [--scheme NAME]... [--texts N] [--rounds N] [--json] [--output FILE]

Quality: cosine to the fp32 model's embedding of the same text, one text at a time, on product reviews that nothing was
calibrated on. Speed: the median of fp32's time over the scheme's, one thread, one text of the given number of tokens,
all taking turns so that they meet the same noise. "fp32" is the exporter's graph, "fp32 fused" what the schemes
start from. "apart" says that an answer depends on the texts that are in one batch with it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.quantizing_peers import PEERS, CannotQuantize
from benchmarks.table import show
from edgert_tools.cache import work_folder
from edgert_tools.evaluate import EmbedQuality, compare_embeddings
from edgert_tools.export.encoder import export_encoder
from edgert_tools.fuse import fuse
from edgert_tools.graph import keep_outputs, load_graph, save_graph
from edgert_tools.progress import to_stderr
from edgert_tools.quantization.build import quantize
from edgert_tools.quantization.calibration import Feeds, encode_rows, feeds_for
from edgert_tools.quantization.held_back import split_rows
from edgert_tools.quantization.scheme import SEARCHED, facts_of
from edgert_tools.recipe import QuantizeRecipe, Recipe, find_recipe
from edgert_tools.source import open_recipe_source
from edgert_tools.texts import Texts, load_texts

RECIPE = "all-minilm-l6-v2"
LENGTHS = (16, 32, 64, 128)  # tokens of the timed texts
FP32, FUSED = "fp32", "fp32 fused"
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Made:
    """One graph on disk: who made it how, and the seconds that took."""

    name: str
    file: Path
    seconds: float


def main() -> None:
    """Read the options, make all graphs, judge and time them, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quantization", description=__doc__.split("\n")[0])
    parser.add_argument("--scheme", action="append", help="only this scheme; may be repeated")
    parser.add_argument("--texts", type=int, default=500, help="how many reviews to judge on; default 500")
    parser.add_argument("--rounds", type=int, default=15, help="times each text length is timed; default 15")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    with work_folder() as work:
        recipe, texts, calibration = _texts(options.scheme or SEARCHED, options.texts)
        made, tokenizer, missing = _make(recipe, calibration, work)
        judged = encode_rows(tokenizer, texts.texts, recipe.max_tokens)
        vectors = {graph.name: _embeddings(graph.file, judged) for graph in made}
        speeds = _speeds(made, _timed_rows(tokenizer, texts.texts), options.rounds)
        rows = [_row(graph, vectors, speeds[graph.name]) for graph in made]
    conditions = {
        "texts": f"{len(judged)} {texts.description}",
        "threads": 1,
        "load before, after": f"{load_before:.1f} {os.getloadavg()[0]:.1f}",
        "not measured": missing,
    }
    show("quantization of MiniLM", rows, as_json=options.json, output=options.output, conditions=conditions)


def _texts(schemes: Sequence[str], count: int) -> tuple[Recipe, Texts, tuple[str, ...]]:
    """The recipe, texts to judge on, and others to calibrate on."""
    recipe = find_recipe(RECIPE)
    assert recipe is not None
    recipe = replace(
        recipe,
        quantize=QuantizeRecipe(tuple(schemes)),
        evaluate=replace(recipe.evaluate, count=count),
    )
    return recipe, *split_rows(load_texts(recipe, None, to_stderr), recipe, own_data=False)


def _make(recipe: Recipe, calibration: Sequence[str], work: Path) -> tuple[list[Made], Path, list[str]]:
    """All graphs, fp32 first; the tokenizer's file; who could not be measured."""
    assert recipe.source is not None
    checkpoint = open_recipe_source(recipe.source, to_stderr)
    tokenizer = checkpoint.folder / "tokenizer.json"
    start = time.perf_counter()
    exported = export_encoder(checkpoint, "embed", work / "export")
    model = load_graph(fuse(exported, checkpoint, work / "fused-whole.onnx")[0])
    keep_outputs(model)
    fused = save_graph(model, work / "fused.onnx")
    took = time.perf_counter() - start
    made, missing = [Made(FP32, exported, took), Made(FUSED, fused, took)], []
    rows = encode_rows(tokenizer, calibration, recipe.max_tokens)
    for number, scheme in enumerate(recipe.quantize.candidates):
        to_stderr(f"making {scheme}")
        start = time.perf_counter()
        file = quantize(fused, scheme, work / f"{number}.onnx", rows=rows)
        made.append(Made(scheme, file, time.perf_counter() - start))
    for name, peer in PEERS.items():
        to_stderr(f"making {name}")
        start = time.perf_counter()
        try:
            made.append(Made(name, peer(exported.parent, work), time.perf_counter() - start))
        except CannotQuantize as error:
            missing.append(f"{name}: {error}")
    return made, tokenizer, missing


def _session(file: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def _embeddings(file: Path, rows: Sequence[Feeds]) -> FloatArray:
    """(texts, width): each text alone, so no padding, and the mean of its tokens."""
    session = _session(file)
    output = session.get_outputs()[0].name
    vectors = [session.run([output], feeds_for(session, row))[0][0].mean(axis=0) for row in rows]
    return np.stack(vectors)


def _timed_rows(tokenizer: Path, texts: Sequence[str]) -> dict[int, Feeds]:
    """For each number of tokens a piece of real text that is cut to it."""
    together = " ".join(texts[:20])
    return {length: encode_rows(tokenizer, [together], length)[0] for length in LENGTHS}


def _speeds(made: Sequence[Made], rows: Mapping[int, Feeds], rounds: int) -> dict[str, dict[int, float]]:
    """By graph and length: how many times fp32's speed, the median over the rounds."""
    sessions = {graph.name: _session(graph.file) for graph in made}
    speeds: dict[str, dict[int, float]] = {name: {} for name in sessions}
    for length, row in rows.items():
        to_stderr(f"timing {length} tokens")
        for session in sessions.values():
            session.run(None, feeds_for(session, row))  # the first run allocates
        seconds: dict[str, list[float]] = {name: [] for name in sessions}
        for _ in range(rounds):
            for name, session in sessions.items():
                feeds = feeds_for(session, row)
                start = time.perf_counter()
                session.run(None, feeds)
                seconds[name].append(time.perf_counter() - start)
        for name, own in seconds.items():
            pairs = zip(seconds[FP32], own, strict=True)
            speeds[name][length] = statistics.median(before / after for before, after in pairs)
    return speeds


def _row(graph: Made, vectors: Mapping[str, FloatArray], speeds: Mapping[int, float]) -> dict[str, object]:
    quality: EmbedQuality = compare_embeddings(vectors[FP32], vectors[graph.name])
    interval = quality.cosine_mean_interval
    return {
        "graph": graph.name,
        "MB": graph.file.stat().st_size / 1e6,
        "cosine": f"{quality.cosine_mean:.5f}",
        "95 %": f"{interval.low:.5f} to {interval.high:.5f}",
        "worst": f"{quality.cosine_min:.5f}",
        **{f"{length} tokens": f"{ratio:.2f}x" for length, ratio in speeds.items()},
        "batches": _batches(graph.name),
        "made in s": graph.seconds,
    }


def _batches(name: str) -> str:
    if name in (FP32, FUSED):
        return "any"
    return "any" if name not in PEERS and facts_of(name).batch_invariant else "apart"


if __name__ == "__main__":
    main()
