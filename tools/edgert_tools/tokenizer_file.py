"""The `tokenizer.json` of a checkpoint: its own, or made from an old checkpoint's `vocab.txt`."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.errors import UnsupportedTokenizer
from edgert_tools.checkpoint import Checkpoint, check_tokenizer
from edgert_tools.quiet import quiet


def tokenizer_file(checkpoint: Checkpoint, work: Path) -> Path:
    """Where the file is; a made one is put into `work`.

    Raises:
        UnsupportedTokenizer: there is only a vocabulary, and transformers cannot make a fast tokenizer of it, or one
            that the board cannot read.
    """
    own = checkpoint.folder / "tokenizer.json"
    if own.is_file():
        return own
    from transformers import AutoTokenizer

    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(str(checkpoint.folder), use_fast=True, trust_remote_code=False)
            made = work / "tokenizer.json"
            tokenizer.backend_tokenizer.save(str(made))
    except (OSError, ValueError, AttributeError) as error:
        raise UnsupportedTokenizer(f"cannot make a tokenizer.json from vocab.txt: {error}") from error
    check_tokenizer(made, checkpoint.config)
    return made
