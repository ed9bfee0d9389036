"""The licence file of a bundle: whose weights these are, what was changed, and the licence's text."""

from __future__ import annotations

from edgert_tools.checkpoint import Checkpoint
from edgert_tools.recipe import Recipe, recipe_folder

_FILES = ("LICENSE.txt", "LICENSE", "LICENSE.md")
_MOST_CHARACTERS = 100_000


def licence_text(checkpoint: Checkpoint, recipe: Recipe) -> str:
    """What `LICENSE.txt` of the bundle says; the text is the checkpoint's own, or the one kept with the recipes."""
    head = (
        f"Weights of {checkpoint.model}, revision {checkpoint.revision or 'unknown'}, licence: {checkpoint.license}.\n"
        "Changed by edgert: exported to ONNX and quantized to int8"
        + (", with a linear classifier trained and added.\n" if recipe.head else ".\n")
    )
    if recipe.head:
        head += "Training sentences: templates of home-assistant-intents, licence: Apache-2.0.\n"
    return head + "\n" + text_of_licence(checkpoint)


def text_of_licence(checkpoint: Checkpoint) -> str:
    """The checkpoint's own licence text, or the one kept with the recipes, or where it is to be had."""
    own = next((checkpoint.folder / name for name in _FILES if (checkpoint.folder / name).is_file()), None)
    kept = recipe_folder() / "licenses" / f"{checkpoint.license}.txt"
    file = own or (kept if "/" not in checkpoint.license and kept.is_file() else None)
    if file is not None:
        return file.read_text(encoding="utf-8", errors="replace")[:_MOST_CHARACTERS]
    if checkpoint.license == "unknown":
        return "The source states no licence: ask its author before passing this bundle on.\n"
    return f"The text of the licence is at its steward's site, under its SPDX id {checkpoint.license}.\n"
