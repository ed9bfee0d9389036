"""`edgert convert`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgert_tools.commands import options

if TYPE_CHECKING:
    from edgert_tools.convert_result import ConvertResult

TASKS = (
    *("embed", "classify", "token-classify", "question-answer", "rerank", "zero-shot"),
    *("generate", "tensors", "transcribe"),
)


@click.command()
@click.argument("source")
@options.output(options.OUT)
@click.option(
    "--task",
    type=click.Choice(TASKS),
    help="What the board answers (docs/tasks.md). Default: what the model's head is for, else embed; for an ONNX file "
    "tensors.",
)
@options.revision
@options.name
@click.option(
    "--data",
    metavar="FILE",
    type=options.FILE,
    help="Own texts to judge on: .txt (a text a line), or with labels .jsonl or .tsv (text<TAB>label); for a model "
    "that is asked questions .jsonl, a request a line. For an ONNX file rows of numbers: .npz, .npy or .jsonl.",
)
@options.max_tokens
@click.option(
    "--scheme",
    metavar="NAME",
    default="auto",
    help="int8 scheme, docs/quantization.md lists them. auto: the first that is good enough.",
)
@options.target
@click.option("--force", is_flag=True, help="Convert again, and replace a bundle at DIR.")
@options.as_json
def convert(
    source: str,
    out: Path,
    task: Any,
    revision: str | None,
    name: str | None,
    data: Path | None,
    max_tokens: int | None,
    scheme: Any,
    target: tuple[str, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Make an int8 bundle from SOURCE, measured against the original.

    SOURCE is a recipe's name (see `edgert recipes`), a folder with a Hugging Face checkpoint, a hub id, a GGUF file,
    or an ONNX file of any origin. Weights must be safetensors, GGUF or ONNX; pickles are refused and no code of the
    model is run. A
    bundle that is not as good as its budget asks is refused: exit status 1, and nothing is written. An ONNX file of
    which no int8 form is as good and faster becomes a bundle as it is, and that is said.

    \b
    edgert convert home-intents-minilm -o home-intents-minilm
    edgert convert ./my-checkpoint -o my-model --data my-sentences.txt
    edgert convert org/name --revision 1110a24... -o name --scheme nbits8-b32
    edgert convert ./my-classifier -o my-intents --data labelled.jsonl
    edgert convert model.onnx -o my-sensor --data rows.npz
    edgert convert model.gguf -o my-assistant
    """
    from edgert_tools.arm.boards import parse_targets
    from edgert_tools.convert import convert as run
    from edgert_tools.settings import Options

    settings = Options(task, revision, name, max_tokens, None if scheme == "auto" else scheme)
    result = run(source, out, settings, data=data, targets=parse_targets(target), force=force)
    click.echo(json.dumps(plain(result), indent=1) if as_json else in_words(result, "--force converts again"))


def in_words(result: ConvertResult, again: str) -> str:
    """What came of a conversion, for people; `again`: how to do it all the same if there was nothing to do."""
    from edgert_tools.existing.report import GraphReport
    from edgert_tools.existing.report import summary as graph_summary
    from edgert_tools.generation.report import DecoderReport
    from edgert_tools.generation.report import summary as decoder_summary
    from edgert_tools.report import summary
    from edgert_tools.speech.report import SpeechReport
    from edgert_tools.speech.report import summary as speech_summary

    if result.report is None:
        scheme = result.manifest.model.scheme
        return f"{result.folder} is up to date with {scheme}: same source, recipe and tools ({again})"
    if isinstance(result.report, GraphReport):
        told = graph_summary(result.report, result.manifest, result.folder)
    elif isinstance(result.report, SpeechReport):
        told = speech_summary(result.report, result.manifest, result.folder)
    elif isinstance(result.report, DecoderReport):
        told = decoder_summary(result.report, result.manifest, result.folder)
    else:
        told = summary(result.report, result.manifest, result.folder)
    return f"{told}\n  took      {result.seconds:.0f} s"


def plain(result: ConvertResult) -> dict[str, object]:
    """What came of a conversion, as JSON data."""
    from edge_runtime.bundle.digest import content_digest

    return {
        "folder": str(result.folder),
        "name": result.manifest.name,
        "version": result.manifest.version,
        "task": result.manifest.task.name,
        "scheme": result.manifest.model.scheme,
        "digest": content_digest(result.manifest),
        "up_to_date": result.up_to_date,
        "measured": result.manifest.measured,
        "seconds": round(result.seconds, 2),
    }
