"""The `tokenizer.json` of a checkpoint: its own, or one made of the older files that it ships instead."""

from __future__ import annotations

from pathlib import Path

from edgert_tools.checkpoint import Checkpoint, check_tokenizer
from edgert_tools.tokenizer_sources import OWN, find_source, make_tokenizer


def tokenizer_file(checkpoint: Checkpoint, work: Path) -> Path:
    """Where the file is; a made one is put into `work`.

    Raises:
        UnsupportedTokenizer: none can be made of what is there, or only one that the board cannot read.
        SourceUnavailable: there is nothing to make one of.
    """
    source = find_source(checkpoint.folder)
    if source.kind == OWN:
        return source.file
    made = work / OWN
    make_tokenizer(source, checkpoint.config, made)
    check_tokenizer(made, checkpoint.config)
    return made
