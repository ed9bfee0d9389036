"""Strict reader of `tokenizer.json`: what it does not know it refuses by name, it never guesses.

The same file gives the same ids as in Hugging Face `tokenizers` 0.22 and 0.23, or it is refused. Keys that old files
do not have yet get the values that these give them.

Source: `tokenizer/serialization.rs` of https://github.com/huggingface/tokenizers, whose readers are laxer: they skip
unknown keys.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec.added_tokens import read_added_tokens
from edge_runtime.tokenizer.spec.batching import check_truncation, read_padding
from edge_runtime.tokenizer.spec.decimal import read_decimal
from edge_runtime.tokenizer.spec.decoders import read_decoders
from edge_runtime.tokenizer.spec.kinds import AddedToken, TokenizerSpec, Unigram
from edge_runtime.tokenizer.spec.models import piece_ids, read_model
from edge_runtime.tokenizer.spec.normalizers import read_normalizers
from edge_runtime.tokenizer.spec.post_processors import read_post_processor
from edge_runtime.tokenizer.spec.pre_tokenizers import read_pre_tokenizers
from edge_runtime.tokenizer.spec.section import SHOWN, Section, unique_keys

__all__ = ["TokenizerSpec", "load_document", "parse_spec", "read_content", "read_spec"]

FORMAT_VERSION = "1.0"
MAX_FILE_BYTES = 128 * 1024 * 1024  # the largest vocabularies in use, of 262,144 pieces, make 35 MB
_PAD = "[PAD]"


def read_spec(path: Path) -> TokenizerSpec:
    """Read a `tokenizer.json`.

    Raises:
        UnsupportedTokenizer: the file cannot be read, is not whole, or has a part that edgert does not implement.
    """
    return parse_spec(load_document(read_content(path), path.name))


def read_content(path: Path) -> bytes:
    """Read the bytes of a `tokenizer.json`. UnsupportedTokenizer: it cannot be read, or no such file is so large."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UnsupportedTokenizer(f"{path.name} cannot be read: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise UnsupportedTokenizer(f"{path.name} is larger than {MAX_FILE_BYTES} bytes: no tokenizer.json in use is")
    return content


def load_document(content: bytes, name: str = "tokenizer.json") -> object:
    """Parse JSON as the original does: its numbers, no key twice, no words such as NaN.

    Args:
        name: of the file, for messages.

    Raises:
        UnsupportedTokenizer: it is not JSON in UTF-8, or a key stands twice in one object.
    """
    try:
        with _no_collections():
            return json.loads(
                content.decode("utf-8"),
                object_pairs_hook=unique_keys,
                parse_float=read_decimal,
                parse_constant=_refuse_constant,
            )
    except (ValueError, RecursionError) as error:
        raise UnsupportedTokenizer(f"{name} is not UTF-8 JSON: {error}") from error


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keep the garbage collector out: it would look again and again for cycles in what is growing and has none.

    Measured: a quarter of the time for a vocabulary of 128,000 pieces.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _refuse_constant(word: str) -> object:
    raise ValueError(f"{word} is no JSON")


def parse_spec(document: object) -> TokenizerSpec:
    """Turn the parsed JSON of a `tokenizer.json` into a spec; it takes the vocabulary over, without a copy.

    Scores are as exact as the document's: see `load_document`.

    Raises:
        UnsupportedTokenizer: the document has a part that edgert does not implement.
    """
    with _no_collections():
        return _read_top(Section(document, "tokenizer.json"))


def _read_top(top: Section) -> TokenizerSpec:
    _check_version(top)
    check_truncation(top.optional("truncation"))
    padding = read_padding(top.optional("padding"))
    normalizers = read_normalizers(top.optional("normalizer"))
    pre_tokenizers = read_pre_tokenizers(top.optional("pre_tokenizer"))
    template, trim = read_post_processor(top.optional("post_processor"))
    decoders = read_decoders(top.optional("decoder"))
    model = read_model(top.take("model"))
    vocab = piece_ids(model)
    size = len(model.pieces if isinstance(model, Unigram) else vocab)
    added_tokens = read_added_tokens(top.take("added_tokens") if top.has("added_tokens") else [], vocab, size)
    top.close()
    pad_id, pad_type_id = padding or (_usual_pad_id(vocab, added_tokens), 0)
    return TokenizerSpec(
        normalizers, pre_tokenizers, model, template, trim, decoders, added_tokens, pad_id, pad_type_id
    )


def _check_version(top: Section) -> None:
    """Refuse any version but the one there is; as in the original, it may be absent."""
    version = top.text("version") if top.has("version") else FORMAT_VERSION
    if version != FORMAT_VERSION:
        raise UnsupportedTokenizer(
            f"tokenizer.json version {version[:SHOWN]} is not supported: edgert reads {FORMAT_VERSION}"
        )


def _usual_pad_id(vocab: Mapping[str, int], added_tokens: tuple[AddedToken, ...]) -> int:
    return next((token.id for token in added_tokens if token.content == _PAD), vocab.get(_PAD, 0))
