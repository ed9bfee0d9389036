"""The licence file of a bundle: whose weights these are, what was changed, and the licence's text."""

from __future__ import annotations

from pathlib import Path

from edgert_tools.checkpoint import Checkpoint
from edgert_tools.datasets.named import LABELLED, LESSONS
from edgert_tools.recipe import Recipe, recipe_folder

_FILES = ("LICENSE.txt", "LICENSE", "LICENSE.md")
_MOST_CHARACTERS = 100_000


def licence_text(checkpoint: Checkpoint, recipe: Recipe) -> str:
    """What `LICENSE.txt` of the bundle says; the text is the checkpoint's own, or the one kept with the recipes."""
    changes, data = "", None
    if recipe.head:
        changes, data = ", with a linear classifier trained and added", LABELLED[recipe.head.data]
    elif recipe.tune:
        changes = f", with its last layers trained on and a head for {recipe.task} added"
        data = LESSONS[recipe.tune.data]
    trained_on = f"Training texts: {data.licence}.\n" if data else ""
    further = f"\n{text_of_id(data.licence_text)}" if data and data.licence_text else ""
    return (
        f"Weights of {checkpoint.model}, revision {checkpoint.revision or 'unknown'}, licence: {checkpoint.license}.\n"
        f"Changed by edgert: exported to ONNX and quantized to int8{changes}.\n"
        f"{trained_on}\n{text_of_licence(checkpoint)}{further}"
    )


def text_of_licence(checkpoint: Checkpoint) -> str:
    """The checkpoint's own licence text, or the one kept with the recipes, or where it is to be had."""
    return text_in(checkpoint.folder) or text_of_id(checkpoint.license)


def text_in(folder: Path) -> str:
    """The licence text that lies in a folder; empty if there is none."""
    own = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    return own.read_text(encoding="utf-8", errors="replace")[:_MOST_CHARACTERS] if own else ""


def text_of_id(license: str) -> str:
    """The text of an SPDX id, if it is kept with the recipes; else where it is to be had."""
    kept = recipe_folder() / "licenses" / f"{license}.txt"
    if "/" not in license and kept.is_file():
        return kept.read_text(encoding="utf-8")
    if license == "unknown":
        return "The source states no licence: ask its author before passing this bundle on.\n"
    return f"The text of the licence is at its steward's site, under its SPDX id {license}.\n"
