"""`tokenizer.json` by transformers' own converters, which know what each model class adds to its vocabulary."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from edge_runtime.errors import MissingExtra, UnsupportedTokenizer
from edgert_tools.quiet import quiet
from edgert_tools.tokenizer_sources import TokenizerSource
from edgert_tools.tokenizer_sources.sentencepiece import check_model


def convert_by_class(source: TokenizerSource, made: Path) -> None:
    """Write the `tokenizer.json` that transformers makes of the source's folder.

    Raises:
        UnsupportedTokenizer: transformers has no converter for the class, or read the files otherwise than they are.
        MissingExtra: sentencepiece is needed and not installed.
    """
    if source.kind == "sentencepiece":
        check_model(source.file)
        if importlib.util.find_spec("sentencepiece") is None:
            raise MissingExtra("sentencepiece", "convert")
    _save(source, made)
    if source.kind == "merges":
        _check_merges(source.file, made)


def _save(source: TokenizerSource, made: Path) -> None:
    from transformers import AutoTokenizer

    folder = str(source.file.parent)
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                folder, use_fast=True, trust_remote_code=False, local_files_only=True
            )
            tokenizer.backend_tokenizer.save(str(made))
    except Exception as error:  # each converter raises its own kinds, tokenizers plain Exception
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UnsupportedTokenizer(f"cannot make a tokenizer.json from {source.file.name}: {reason}") from error


def _check_merges(file: Path, made: Path) -> None:
    """Refuse a merge list whose first or last line was lost: readers disagree on the header and the final newline."""
    lines = [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    stated = len(lines) - int(lines[:1] != [] and lines[0].startswith("#version"))
    read = len(json.loads(made.read_bytes())["model"]["merges"])
    if read != stated:
        raise UnsupportedTokenizer(
            f"{file.name} has {stated} merges, of which transformers reads {read}: it expects a first line '#version' "
            "and a newline at the end"
        )
