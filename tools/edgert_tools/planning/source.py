"""SOURCE of a plan -> `Model`: a recipe, a folder, a file or a hub id. No byte of weights is read."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from edge_runtime.errors import SourceUnavailable, UnsupportedModel, UnsupportedTokenizer
from edgert_tools.cache import cache_folder
from edgert_tools.checkpoint import WEIGHTS, pickle_refusal
from edgert_tools.existing.recipe import GraphRecipe, is_graph_recipe, read_graph_recipe
from edgert_tools.generation.convert import decoder_recipe_of
from edgert_tools.generation.recipe import read_decoder_recipe
from edgert_tools.hub import HUB_ID
from edgert_tools.packages import safe_path
from edgert_tools.planning.folder_model import Asked, Place, model_of_folder
from edgert_tools.planning.gguf_model import model_of_gguf
from edgert_tools.planning.hub_headers import read_hub
from edgert_tools.planning.model import Model
from edgert_tools.planning.onnx_model import model_of_onnx
from edgert_tools.planning.refusal import BadSource
from edgert_tools.planning.safetensors_header import INDEX, read_safetensors, read_split
from edgert_tools.planning.tensors import Tensor
from edgert_tools.recipe import Recipe, SourceRecipe, find_recipe, list_recipes, read_recipe, recipe_file
from edgert_tools.speech.convert import takes as is_speech

_FROM_HUB = "model hub, headers only"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def read_model(source: str, asked: Asked = Asked()) -> Model:  # noqa: B008  # frozen
    """What SOURCE is: a recipe's name or file first, then a folder or file that is here, then a hub id.

    Raises:
        BadSource: it is none of them, cannot be had, or its header cannot be read.
        RecipeError: a recipe file that is not right.
        MissingExtra: it needs a package that is not installed.
    """
    try:
        return _read(source, asked)
    except (SourceUnavailable, UnsupportedModel, UnsupportedTokenizer) as error:
        raise BadSource(str(error)) from error


def _read(source: str, asked: Asked) -> Model:
    path = Path(source)
    graph = graph_recipe_of(source)
    if graph is not None:
        return _of_graph_recipe(graph, source, asked)
    decoder = decoder_recipe_of(source)
    if decoder is not None:
        return _of_decoder_recipe(decoder, source, asked)
    if is_speech(source):
        raise BadSource(
            f"{source[:120]!r} is a speech model, of which nothing can be said before it is converted: "
            "models/README.md has the sizes of the recipe"
        )
    recipe = read_recipe(path) if source.endswith(".toml") else find_recipe(source)
    if recipe is not None and recipe.source is not None:
        return model_of_recipe(recipe, recipe.source, source, asked)
    if path.is_dir():
        return _of_folder(path, source, asked)
    if path.is_file():
        return _of_file(path, source, asked)
    if HUB_ID.fullmatch(source):
        hub = read_hub(source, asked.revision)
        place = Place(source, source, _FROM_HUB, hub.commit, hub.split)
        return model_of_folder(hub.folder, hub.tensors, place, asked)
    names = ", ".join(recipe.name for recipe in list_recipes())
    raise BadSource(
        f"{source[:120]!r} is no folder or file here, no recipe and no hub id (organisation/name): recipes are {names}"
    )


def model_of_recipe(recipe: Recipe, upstream: SourceRecipe, source: str, asked: Asked) -> Model:
    """A recipe's model: from its checkpoint if an earlier conversion left it here, else from the hub.

    Raises:
        SourceUnavailable: it is not here and the hub does not answer.
    """
    if asked.revision is not None:
        raise BadSource(f"recipe {recipe.name} pins its revision: leave out --revision")
    folder = fetched_checkpoint(upstream)
    if folder is not None:
        place = Place(source, upstream.model, f"recipe {recipe.name}, checkpoint in the cache", upstream.revision)
        return model_of_folder(folder, read_safetensors(folder / WEIGHTS), place, asked, recipe)
    try:
        hub = read_hub(upstream.model, upstream.revision)
    except SourceUnavailable as error:
        raise SourceUnavailable(
            f"{error}. `edgert convert {recipe.name} -o DIR` fetches it from another place as well, and keeps it"
        ) from error
    place = Place(source, upstream.model, f"recipe {recipe.name}, {_FROM_HUB}", upstream.revision, hub.split)
    return model_of_folder(hub.folder, hub.tensors, place, asked, recipe)


def fetched_checkpoint(upstream: SourceRecipe) -> Path | None:
    """The folder where `edgert convert` keeps a checkpoint that came in a package, if it is there."""
    if upstream.package is None:
        return None
    folder = cache_folder() / "checkpoints" / f"{upstream.package.name}-{upstream.package.version}"
    return folder if (folder / WEIGHTS).is_file() else None


def _of_graph_recipe(recipe: GraphRecipe, source: str, asked: Asked) -> Model:
    """A recipe of a graph that exists: from the file that an earlier conversion left in the cache."""
    fetch = f"`edgert convert {recipe.name} -o DIR`"
    if recipe.source is None:
        raise BadSource(f"recipe {recipe.name} is trained by {fetch}: there is no file to plan with before that")
    if recipe.architecture:
        raise BadSource(f"recipe {recipe.name} has weights alone, its graph is written by {fetch}: plan with that")
    folder = cache_folder() / "graphs" / f"{recipe.source.package}-{recipe.source.version}"
    file = folder / safe_path(recipe.source.path, 0)
    if not file.is_file():
        raise BadSource(f"the graph of recipe {recipe.name} is not here yet: {fetch} fetches it and keeps it")
    asked = dataclasses.replace(asked, max_tokens=asked.max_tokens or recipe.max_tokens)
    return dataclasses.replace(
        model_of_onnx(file, source, asked),
        origin=f"recipe {recipe.name}, graph in the cache",
        task=recipe.task,
        license=recipe.source.license,
    )


def _of_decoder_recipe(file: Path, source: str, asked: Asked) -> Model:
    """A recipe of a model that writes: from the GGUF file that an earlier conversion left in the cache."""
    recipe = read_decoder_recipe(file)
    assert recipe.source is not None
    folder = cache_folder() / "checkpoints" / f"{recipe.source.package}-{recipe.source.version}"
    found = folder / safe_path(recipe.source.file, 0).name
    if not found.is_file():
        raise BadSource(
            f"the model of recipe {recipe.name} is not here yet: `edgert convert {recipe.name} -o DIR` fetches it"
        )
    described = model_of_gguf(found, source, dataclasses.replace(asked, max_tokens=asked.max_tokens or recipe.context))
    return dataclasses.replace(
        described,
        origin=f"recipe {recipe.name}, GGUF file in the cache",
        license=recipe.source.license,
        made_for=recipe.schemes,
    )


def graph_recipe_of(source: str) -> GraphRecipe | None:
    """The recipe of a graph that SOURCE names, by its file or its name."""
    file = recipe_file(source)
    return read_graph_recipe(file) if file is not None and is_graph_recipe(file) else None


def _of_folder(folder: Path, source: str, asked: Asked) -> Model:
    if (folder / "config.json").is_file():
        split = not (folder / WEIGHTS).is_file()
        place = Place(source, folder.resolve().name, "folder", asked.revision or "", split)
        return model_of_folder(folder, _folder_tensors(folder), place, asked)
    files = [*folder.glob("*.gguf"), *folder.glob("*.onnx"), *folder.glob("onnx/model.onnx")]
    if len(files) == 1:
        return _of_file(files[0], source, asked)
    if files:
        raise BadSource(f"{folder} holds several models: give the path of one, as {sorted(files)[0]}")
    raise BadSource(f"{folder} has no config.json, no *.gguf and no *.onnx: there is nothing to plan with")


def _folder_tensors(folder: Path) -> tuple[Tensor, ...]:
    if (folder / WEIGHTS).is_file():
        return read_safetensors(folder / WEIGHTS)
    if (folder / INDEX).is_file():
        return read_split(folder / INDEX)
    pickles = sorted(file.name for pattern in _PICKLES for file in folder.glob(pattern))
    if pickles:
        raise BadSource(pickle_refusal(pickles[0]))
    raise BadSource(f"{folder} has neither {WEIGHTS} nor {INDEX}")


def _of_file(file: Path, source: str, asked: Asked) -> Model:
    if file.suffix == ".gguf":
        return model_of_gguf(file, source, asked)
    if file.suffix == ".onnx":
        return model_of_onnx(file, source, asked)
    if file.suffix == ".safetensors":
        place = Place(source, file.name, "safetensors file", asked.revision or "")
        return model_of_folder(file.parent, read_safetensors(file), place, asked)
    raise BadSource(f"{file.name} is none of *.safetensors, *.gguf, *.onnx and *.toml")
