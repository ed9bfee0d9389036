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
from edgert_tools.quantization.outcome import Outcome
from edgert_tools.recipe import Recipe, find_recipe
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
    recipe = dataclasses.replace(recipe, quantize=dataclasses.replace(recipe.quantize, candidates=tuple(schemes)))
    with work_folder() as work:
        kind = _against(kind_of(recipe))
        conversion = kind(recipe, checkpoint, lock_of_recipe(recipe, checkpoint, None), None, work, Steps(7, to_stderr))
        try:
            conversion.run()
        except _Seen as seen:
            missing += [f"{name}, {form}: {why}" for form, why in seen.failed.items()]
            return _rows(recipe, seen)
    raise AssertionError("a conversion that ends is none of a benchmark")


class _Seen(Exception):
    """All forms of a recipe were judged and timed: by form its megabytes, quality and speed; or why it is missing."""

    def __init__(
        self,
        megabytes: Mapping[str, float],
        qualities: Mapping[str, Quality],
        speeds: Mapping[str, float],
        failed: Mapping[str, str],
    ) -> None:
        super().__init__("judged")
        self.megabytes, self.qualities, self.speeds, self.failed = megabytes, qualities, speeds, failed


def _against(kind: type[Conversion]) -> type[Conversion]:
    """The conversion of this kind, which ends when all forms are judged."""

    class Against(kind):  # type: ignore[misc,valid-type]
        def _first(self, note: Say) -> Outcome:
            return self._search(note)

        def _search(self, note: Say) -> Outcome:
            folders: dict[str, Path] = {}
            qualities: dict[str, Quality] = {}
            failed: dict[str, str] = {}
            for form in (*self.recipe.quantize.candidates, *OTHERS):
                to_stderr(f"  {form}")
                try:
                    folders[form] = self._made(form)
                    qualities[form] = self._judge(form, folders[form])
                except CannotQuantize as error:
                    failed[form] = str(error)
            timed = self._stopwatch(self.work / FLOAT, folders, self.texts.texts)
            megabytes = {form: (folder / MODEL).stat().st_size / 1e6 for form, folder in folders.items()}
            raise _Seen(megabytes, qualities, {form: speed.ratio for form, speed in timed.items()}, failed)

        def _exported(self, task: TextTaskName, note: Say) -> Path:
            exported: Path = super()._exported(task, note)
            model, plain = load_graph(exported), self._folder("plain")
            keep_outputs(model, len(FACTS[task].outputs))
            save_graph(model, plain / MODEL)
            shutil.copy(self.checkpoint.folder / "config.json", plain / "config.json")
            return exported

        def _train(self, body: Path, note: Say) -> Head:
            head: Head = super()._train(body, note)
            plain = self.work / "plain" / MODEL
            attach_head(plain, head, self.recipe.pooling, self.recipe.normalize, plain)
            return head

        def _made(self, form: str) -> Path:
            folder: Path = self._folder(form.replace(" ", "-"))
            if form not in OTHERS:
                self._make(form, folder)
                return folder
            source = self.work / "plain"
            shutil.move(PEERS[form](source, self._folder(f"by-{folder.name}")), folder / MODEL)
            pack_model(folder, "dynamic-s8", self.parts)  # what both make by default, too
            return folder

    return Against


def _rows(recipe: Recipe, seen: _Seen) -> Rows:
    rows: Rows = []
    for form, quality in seen.qualities.items():
        score, what = score_of(quality)
        peers = [one for one in OTHERS if one in seen.qualities and form not in OTHERS]
        better = all(score > score_of(seen.qualities[one])[0] + _ROUNDING for one in peers)
        rows.append(
            {
                "recipe": recipe.name,
                "form": form,
                "MB": seen.megabytes[form],
                "score": f"{score:.4f} {what}",
                "same as float": f"{same_as_float(quality):.4f}",
                "speed over float": f"{seen.speeds[form]:.2f}x",
                "better": ("yes" if better else "no") if peers else "",
                "speed over peers": f"{min(seen.speeds[form] / seen.speeds[one] for one in peers):.2f}x"
                if peers
                else "",
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
