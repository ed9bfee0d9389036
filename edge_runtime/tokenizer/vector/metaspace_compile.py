"""What is compiled for SentencePiece's families, and which tokenizers it is compiled for."""

from __future__ import annotations

import numpy as np

from edge_runtime.tokenizer.plain.normalizers import open_normalizer
from edge_runtime.tokenizer.plain.pre_tokenizers import open_pre_tokenizer
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.vector.arrays import ArrayDict, under
from edge_runtime.tokenizer.vector.base import base_arrays
from edge_runtime.tokenizer.vector.cut import cutter_arrays
from edge_runtime.tokenizer.vector.lockstep.bpe import BpeEngine
from edge_runtime.tokenizer.vector.lockstep.unigram import UnigramEngine
from edge_runtime.tokenizer.vector.metaspace import (
    BMP,
    MANY_BYTES,
    NONE,
    CharacterBpe,
    UnigramTokens,
    inner_pre_tokenizers,
)
from edge_runtime.tokenizer.vector.metaspace_rules import (
    META,
    SPACES,
    before_spaces,
    cut_rules,
    edges_of,
    inner_normalizers,
    joined_by_model,
    soft_characters,
)
from edge_runtime.tokenizer.vector.overlay import Ids

_GRAPH = "".join(map(chr, range(0x21, 0x7F)))


def supports(spec: kinds.TokenizerSpec) -> bool:
    """Say whether texts of this tokenizer may be cut before spaces; any other takes the slow way."""
    inner = inner_normalizers(spec)
    if edges_of(spec) is None or inner is None or joined_by_model(spec) is None:
        return False
    if open_normalizer(inner).normalize(" ") not in (" ", META):
        return False  # a space would not part words
    model = spec.model
    if isinstance(model, kinds.Unigram):
        return not model.byte_fallback and model.unk_id is not None
    if not isinstance(model, kinds.BPE) or model.continuing_subword_prefix or model.end_of_word_suffix:
        return False
    spelled = (byte for byte in range(256) if byte >= MANY_BYTES or chr(byte) not in model.vocab)
    return model.byte_fallback and not model.ignore_merges and all(_spelled(byte) in model.vocab for byte in spelled)


def metaspace_arrays(spec: kinds.TokenizerSpec, singles: int) -> ArrayDict:
    """Make what `Metaspace` opens, of a spec that is supported."""
    normalizers = inner_normalizers(spec)
    assert normalizers is not None
    graph = f" {_GRAPH} "
    plain = open_normalizer(normalizers).normalize(graph).replace(META, " ") == graph and not any(
        isinstance(one, kinds.Replace) and not one.pattern.regex and one.pattern.text != " " for one in normalizers
    )
    arrays: ArrayDict = {"plain_ascii": np.array([plain])}
    (rules, letters), soft = cut_rules(spec), soft_characters(spec)
    arrays |= under("cut", cutter_arrays(rules, soft, letters))
    # What characters themselves say is asked of them; only what the merges say, anywhere, must be written down.
    joined = joined_by_model(spec)
    assert joined is not None
    arrays["soft"] = np.union1d(np.flatnonzero(soft[:MANY_BYTES]), before_spaces(joined))
    model = spec.model
    if isinstance(model, kinds.Unigram):
        arrays |= under("unigram", UnigramEngine.arrays(model))
    else:
        assert isinstance(model, kinds.BPE)
        arrays |= under("bpe", BpeEngine.arrays(model)) | _character_ids(model)
        if normalizers == (SPACES,):
            arrays["sizes"] = _sizes(model, singles)
    return arrays | under("base", _base(spec, arrays, singles))


def _sizes(model: kinds.BPE, singles: int) -> Ids:
    """Give the bytes of text that each token stands for."""
    sizes = np.zeros(singles, np.int32)
    for piece, token_id in model.vocab.items():
        sizes[token_id] = len(piece.encode()) - 2 * piece.count(META)  # three bytes for one
    for byte in range(256):
        token_id = model.vocab.get(_spelled(byte), NONE)
        if token_id != NONE:
            sizes[token_id] = 1
    return sizes


def _character_ids(model: kinds.BPE) -> ArrayDict:
    characters = {ord(piece): token_id for piece, token_id in model.vocab.items() if len(piece) == 1}
    bmp = np.full(BMP + 1, NONE, np.int32)
    small = {code: token_id for code, token_id in characters.items() if code < BMP}
    bmp[list(small)] = list(small.values())
    beyond = {code: token_id for code, token_id in characters.items() if code >= BMP}
    return {
        "bmp_ids": bmp,
        "beyond": np.array(list(beyond), np.int32),
        "beyond_ids": np.array(list(beyond.values()), np.int32),
        "byte_ids": np.array([model.vocab.get(_spelled(byte), NONE) for byte in range(256)], np.int32),
    }


def _base(spec: kinds.TokenizerSpec, arrays: ArrayDict, singles: int) -> ArrayDict:
    """Make the frozen table: the vocabulary's strings as they stand in texts, with the tokens that they really give."""
    model = spec.model
    pieces = [piece for piece, _ in model.pieces] if isinstance(model, kinds.Unigram) else list(model.vocab)
    inner = inner_normalizers(spec)
    assert inner is not None
    normalize = open_normalizer(inner).normalize
    words_of = open_pre_tokenizer(inner_pre_tokenizers(spec)).words
    segments: list[str] = []
    for piece in pieces:
        raw = piece.replace(META, " ")
        if META in piece[1:] or not raw or len(raw.encode()) > 15:
            continue
        if normalize(raw).replace(" ", META) == piece and words_of(normalize(raw), False) == [piece]:
            segments.append(raw)
    tokens = UnigramTokens(arrays) if isinstance(model, kinds.Unigram) else CharacterBpe(arrays)
    ids, counts, _, _ = tokens.tokens([segment.replace(" ", META) for segment in segments])
    return base_arrays([segment.encode() for segment in segments], ids, counts, singles)


def _spelled(byte: int) -> str:
    return f"<0x{byte:02X}>"
