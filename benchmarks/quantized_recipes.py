"""Recipes made int8 by edgert and by what optimum and Olive do by default: same float graph, same texts, same run.

    python -m benchmarks.quantized_recipes [RECIPE]... [--scheme NAME]... [--json] [--output FILE]

Each recipe is converted as `edgert convert` does it, up to its float graph; trained heads are trained. edgert's schemes
start from that graph, the others' defaults from the exporter's graph, which is what they can read, with the same head.
Each answers the recipe's held-back texts through the board's pipeline, and all are timed by turns, one text at a time
on one thread. "better" says that a form's score is
above both peers' (by more than the rounding of the table), "speed over peers" is the smaller of the two ratios.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quantizing_peers import PEERS, CannotQuantize
from benchmarks.table import show
from edgert_tools.cache import work_folder
from edgert_tools.conversion import FLOAT, Conversion
from edgert_tools.convert import kind_of, lock_of_recipe
from edgert_tools.evaluate import EmbedQuality, Quality
from edgert_tools.graph import keep_outputs, load_graph, save_graph
from edgert_tools.head import Head, attach_head
from edgert_tools.pack import MODEL, pack_model
from edgert_tools.progress import Say, Steps, to_stderr
from edgert_tools.recipe import QuantizeRecipe, find_recipe
from edgert_tools.source import open_recipe_source
from edgert_tools.text_tasks import FACTS, TextTaskName

RECIPES = (
    "all-minilm-l6-v2",
    "home-intents-minilm",
    "review-sentiment-minilm",
    "prompt-guard-minilm",
    "pii-minilm",
    "home-ranker-minilm",
    "home-answers-minilm",
    "kind-chooser-minilm",
)
OTHERS = ("optimum default", "olive default")
SCHEMES = ("dynamic-s8", "dynamic-s8-smooth", "static-s8-smooth", "mixed-50", "nbits8-b32")
PLAIN = "plain"
_ROUNDING = 5e-5
Rows = list[dict[str, object]]


def main() -> None:
    """Read the options, make and judge all forms of each recipe, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quantized_recipes", description=__doc__.split("\n")[0])
    parser.add_argument("recipe", nargs="*", help=f"default: {', '.join(RECIPES)}")
    parser.add_argument("--scheme", action="append", help=f"only this of edgert's; default: {', '.join(SCHEMES)}")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    options = parser.parse_args()
    rows: Rows = []
    missing: list[str] = []
    load_before = os.getloadavg()[0]
    for name in options.recipe or RECIPES:
        rows += against_peers(name, options.scheme or SCHEMES, missing)
    conditions = {"threads": 1, "load before, after": f"{load_before:.1f} {os.getloadavg()[0]:.1f}"}
    conditions |= {"not measured": missing} if missing else {}
    show("int8 recipes against defaults", rows, as_json=options.json, output=options.output, conditions=conditions)


def against_peers(name: str, schemes: Sequence[str], missing: list[str]) -> Rows:
    """The rows of one recipe; what cannot be made is said in `missing`."""
    recipe = find_recipe(name)
    assert recipe is not None
    assert recipe.source is not None
    to_stderr(f"{name}:")
    checkpoint = open_recipe_source(recipe.source, to_stderr)
    # The schemes decide whether texts are kept to calibrate on.
    recipe = dataclasses.replace(recipe, quantize=QuantizeRecipe(tuple(schemes)))
    with work_folder() as work:
        kind = _keeping_plain(kind_of(recipe))
        conversion = kind(recipe, checkpoint, lock_of_recipe(recipe, checkpoint, None), None, work, Steps(5, to_stderr))
        conversion.prepare()
        seen, failed = _judged(conversion, schemes)
    missing += [f"{name}, {form}: {why}" for form, why in failed.items()]
    return _rows(name, seen)


def _keeping_plain(kind: type[Conversion]) -> type[Conversion]:
    """The conversion of this kind, which also leaves the exporter's graph, with the head, in `work/plain`."""

    class KeepingPlain(kind):  # type: ignore[misc,valid-type]
        def _exported(self, task: TextTaskName, note: Say) -> Path:
            exported: Path = super()._exported(task, note)
            model, plain = load_graph(exported), self.folder(PLAIN)
            keep_outputs(model, len(FACTS[task].outputs))
            save_graph(model, plain / MODEL)
            shutil.copy(self.checkpoint.folder / "config.json", plain / "config.json")
            return exported

        def _train(self, body: Path, note: Say) -> Head:
            head: Head = super()._train(body, note)
            plain = self.work / PLAIN / MODEL
            attach_head(plain, head, self.recipe.pooling, self.recipe.normalize, plain)
            return head

    return KeepingPlain


@dataclass(frozen=True)
class Seen:
    """One form of a recipe: its size, how good it is, and how many times float's speed it has."""

    megabytes: float
    quality: Quality
    speed: float


def _judged(conversion: Conversion, schemes: Sequence[str]) -> tuple[dict[str, Seen], dict[str, str]]:
    """Each form judged and timed; and why the others could not be made."""
    folders: dict[str, Path] = {}
    failed: dict[str, str] = {}
    for form in (*schemes, *OTHERS):
        to_stderr(f"  {form}")
        try:
            folders[form] = _made(conversion, form)
        except CannotQuantize as error:
            failed[form] = str(error)
    qualities = {form: conversion.judge(form, folder) for form, folder in folders.items()}
    speeds = conversion.stopwatch(conversion.work / FLOAT, folders, conversion.texts.texts)
    return {
        form: Seen((folder / MODEL).stat().st_size / 1e6, qualities[form], speeds[form].ratio)
        for form, folder in folders.items()
    }, failed


def _made(conversion: Conversion, form: str) -> Path:
    folder = conversion.folder(form.replace(" ", "-"))
    if form not in OTHERS:
        conversion.make(form, folder)
        return folder
    shutil.move(PEERS[form](conversion.work / PLAIN, conversion.folder(f"by-{folder.name}")), folder / MODEL)
    pack_model(folder, "dynamic-s8", conversion.parts)  # what both make by default, too
    return folder


def _rows(name: str, seen: Mapping[str, Seen]) -> Rows:
    rows: Rows = []
    peers = [seen[form] for form in OTHERS if form in seen]
    for form, one in seen.items():
        score, what = score_of(one.quality)
        own = form not in OTHERS and bool(peers)
        better = all(score > score_of(peer.quality)[0] + _ROUNDING for peer in peers)
        rows.append(
            {
                "recipe": name,
                "form": form,
                "MB": one.megabytes,
                "score": f"{score:.4f} {what}",
                "same as float": f"{same_as_float(one.quality):.4f}",
                "speed over float": f"{one.speed:.2f}x",
                "better": ("yes" if better else "no") if own else "",
                "speed over peers": f"{min(one.speed / peer.speed for peer in peers):.2f}x" if own else "",
            }
        )
    return rows


def score_of(quality: Quality) -> tuple[float, str]:
    """How right a form is: of labelled texts the share that it gets right, else how like float it answers."""
    if isinstance(quality, EmbedQuality):
        return quality.cosine_mean, "cosine"
    if quality.int8_accuracy is None:
        return quality.agreement.value, "same"
    return quality.int8_accuracy.value, str(getattr(quality, "measure", None) or "accuracy")


def same_as_float(quality: Quality) -> float:
    """How like float a form answers: mean cosine, or the share of texts with the same answer."""
    return quality.cosine_mean if isinstance(quality, EmbedQuality) else quality.agreement.value


if __name__ == "__main__":
    main()
