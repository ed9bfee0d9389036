"""Commands of the workstation. Each reads its options, calls one function and prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edgert_tools.convert import ConvertResult
    from edgert_tools.demo import Demo
    from edgert_tools.existing.recipe import GraphRecipe
    from edgert_tools.recipe import Recipe
    from edgert_tools.speech.recipe import SpeechRecipe

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines.")


@click.command()
@click.argument("source")
@click.option(
    "-o",
    "--output",
    "out",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="Bundle folder to make. One that is up to date is left as it is.",
)
@click.option(
    "--task",
    type=click.Choice(
        ["embed", "classify", "token-classify", "question-answer", "rerank", "zero-shot", "tensors", "transcribe"]
    ),
    help="What the board answers (docs/tasks.md). Default: what the model's head is for, else embed; for an ONNX file "
    "tensors.",
)
@click.option("--revision", metavar="REV", help="Commit, branch or tag of a hub id. Default: the newest commit.")
@click.option("--name", help="The bundle's name, also its word in topics. Default: the recipe's or the model's.")
@click.option(
    "--data",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Own texts to judge on: .txt (a text a line), or with labels .jsonl or .tsv (text<TAB>label); for a model "
    "that is asked questions .jsonl, a request a line. For an ONNX file rows of numbers: .npz, .npy or .jsonl.",
)
@click.option("--max-tokens", type=click.IntRange(3), help="Longest text the board takes, in tokens.")
@click.option(
    "--scheme",
    metavar="NAME",
    default="auto",
    help="int8 scheme, docs/quantization.md lists them. auto: the first that is good enough.",
)
@click.option("--force", is_flag=True, help="Convert again, and replace a bundle at DIR.")
@as_json
def convert(
    source: str,
    out: Path,
    task: Any,
    revision: str | None,
    name: str | None,
    data: Path | None,
    max_tokens: int | None,
    scheme: Any,
    force: bool,
    as_json: bool,
) -> None:
    """Make an int8 bundle from SOURCE, measured against the original.

    SOURCE is a recipe's name (see `edgert recipes`), a folder with a Hugging Face checkpoint, a hub id, or an ONNX
    file of any origin. Weights must be safetensors or ONNX; pickles are refused and no code of the model is run. A
    bundle that is not as good as its budget asks is refused: exit status 1, and nothing is written. An ONNX file of
    which no int8 form is as good and faster becomes a bundle as it is, and that is said.

    \b
    edgert convert home-intents-minilm -o home-intents-minilm
    edgert convert ./my-checkpoint -o my-model --data my-sentences.txt
    edgert convert org/name --revision 1110a24... -o name --scheme nbits8-b32
    edgert convert ./my-classifier -o my-intents --data labelled.jsonl
    edgert convert model.onnx -o my-sensor --data rows.npz
    """
    from edgert_tools.convert import convert as run
    from edgert_tools.settings import Options

    options = Options(task, revision, name, max_tokens, None if scheme == "auto" else scheme)
    result = run(source, out, options, data=data, force=force)
    click.echo(json.dumps(_plain(result), indent=1) if as_json else _words(result))


@click.command()
@as_json
def recipes(as_json: bool) -> None:
    """List the recipes that `edgert convert` knows by name."""
    from edgert_tools.existing.convert import list_graph_recipes
    from edgert_tools.recipe import list_recipes
    from edgert_tools.speech.convert import list_speech_recipes

    rows = [_recipe_row(recipe) for recipe in list_recipes()] + [
        _speech_row(recipe) for recipe in list_speech_recipes()
    ]
    rows = sorted(rows + [_graph_row(recipe) for recipe in list_graph_recipes()], key=lambda row: row["name"])
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in ("name", "task", "licence", "budget")}
    for row in [{key: key for key in rows[0]}, *rows]:
        click.echo("  ".join(row[key].ljust(width) for key, width in widths.items()) + "  " + row["source"])


@click.command()
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    default="edgert-demo/home-intents-minilm",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Bundle folder; a bundle that is there and up to date is used.",
)
@click.option("--sentences", type=click.IntRange(1, 500), default=24, show_default=True, help="How many to ask.")
@as_json
def demo(folder: Path, sentences: int, as_json: bool) -> None:
    """Try it all: convert a model, start broker and daemon, ask them.

    The model is real, the sentences are ones that its training never saw, and everything started is stopped again.
    """
    from edgert_tools.demo import plain, run_demo, table

    done = run_demo(folder, sentences, lambda line: click.echo(line, err=True))
    click.echo(json.dumps(plain(done)) if as_json else f"{table(done.asked)}\n{_closing(done)}")


@click.group()
def tokenizer() -> None:
    """Look at a model's tokenizer."""


@tokenizer.command()
@click.argument("place", metavar="PLACE", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--corpus",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Compare on the lines of this UTF-8 text. Default: built-in texts in many scripts, and requests to homes.",
)
@as_json
def check(place: Path, corpus: Path | None, as_json: bool) -> None:
    """Compare edgert's tokenizer with Hugging Face's, and time both.

    PLACE is a tokenizer.json, a bundle, or the folder of a checkpoint. Exit status 1 if anything differs.

    \b
    edgert tokenizer check ./my-checkpoint
    edgert tokenizer check my-bundle --corpus sentences.txt
    """
    from edgert_tools.tokenizer_check import as_json as plain
    from edgert_tools.tokenizer_check import check_tokenizer_at, in_words

    found = check_tokenizer_at(place, corpus)
    click.echo(plain(found) if as_json else in_words(found))
    if found.comparison.mismatches:
        sys.exit(1)


def _words(result: ConvertResult) -> str:
    from edgert_tools.existing.report import GraphReport
    from edgert_tools.existing.report import summary as graph_summary
    from edgert_tools.report import summary
    from edgert_tools.speech.report import SpeechReport
    from edgert_tools.speech.report import summary as speech_summary

    if result.report is None:
        return f"{result.folder} is up to date: same source, recipe and tools (--force converts again)"
    if isinstance(result.report, GraphReport):
        told = graph_summary(result.report, result.manifest, result.folder)
    elif isinstance(result.report, SpeechReport):
        told = speech_summary(result.report, result.manifest, result.folder)
    else:
        told = summary(result.report, result.manifest, result.folder)
    return f"{told}\n  took      {result.seconds:.0f} s"


def _plain(result: ConvertResult) -> dict[str, object]:
    return {
        "folder": str(result.folder),
        "name": result.manifest.name,
        "version": result.manifest.version,
        "task": result.manifest.task.name,
        "scheme": result.manifest.model.scheme,
        "up_to_date": result.up_to_date,
        "measured": result.manifest.measured,
        "seconds": round(result.seconds, 2),
    }


def _recipe_row(recipe: Recipe) -> dict[str, str]:
    budget = recipe.budget
    quality = (
        f"cosine mean >= {budget.cosine_mean}, min >= {budget.cosine_min}"
        if recipe.task == "embed"
        else f"{'F1' if recipe.tagger else 'accuracy'} drop <= {budget.accuracy_drop_points} points"
    )
    source = recipe.source
    return {
        "name": recipe.name,
        "task": recipe.task,
        "licence": source.license if source else "",
        "budget": f"{quality}, size <= {budget.size_ratio:.0%}",
        "source": source.model if source else "",
    }


def _speech_row(recipe: SpeechRecipe) -> dict[str, str]:
    budget, source = recipe.budget, recipe.source
    quality = f"words wrong +{budget.loss_points} points or same transcript >= {budget.agreement_min:.0%}, else float"
    return {
        "name": recipe.name,
        "task": recipe.task,
        "licence": source.license if source else "",
        "budget": f"{quality}, size <= {budget.size_ratio:.0%}",
        "source": source.model if source else "",
    }


def _graph_row(recipe: GraphRecipe) -> dict[str, str]:
    budget, source = recipe.budget, recipe.source
    quality = f"cosine mean >= {budget.cosine_mean}, gap <= {budget.gap_max:.0%}, else float"
    return {
        "name": recipe.name,
        "task": recipe.task,
        "licence": source.license if source else "Apache-2.0",
        "budget": f"{quality}, size <= {budget.size_ratio:.0%}",
        "source": source.model if source else "trained by edgert",
    }


def _closing(done: Demo) -> str:
    """What the demo showed, in numbers of this run and of the bundle's measurement."""
    from edgert_tools.demo import round_trips_ms

    measured: Any = done.manifest.measured
    size, quality = measured["size"], measured["quality"]
    before, after = (quality[key] for key in ("float_accuracy", "int8_accuracy"))
    whole_ms, model_ms = round_trips_ms(done)
    right = sum(item.right for item in done.asked)
    return "\n".join(
        [
            "",
            f"right here   {right} of {len(done.asked)}",
            f"size         {size['float_bytes'] / 1e6:.1f} MB float32 -> {size['int8_bytes'] / 1e6:.1f} MB int8",
            f"accuracy     {before['value']:.2%} float32 -> {after['value']:.2%} int8, "
            f"on {quality['texts']} held-back sentences",
            f"latency      {whole_ms:.1f} ms over MQTT, of which {model_ms:.1f} ms model (median)",
            f"broker       {done.broker}",
            f"bundle       {done.folder}",
            f"report       {done.folder / 'report.html'}",
        ]
    )
