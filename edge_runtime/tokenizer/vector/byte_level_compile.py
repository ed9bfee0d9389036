"""What is compiled for byte-level BPE, and which tokenizers it is compiled for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.plain.byte_level import BYTE_CHARACTERS
from edge_runtime.tokenizer.plain.normalizers import open_normalizer
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.unicode.classes import category_classes, code_point_classes
from edge_runtime.tokenizer.vector.arrays import ArrayDict, under
from edge_runtime.tokenizer.vector.base import base_arrays
from edge_runtime.tokenizer.vector.byte_level import BYTES_OF, NO_BYTE, unicode_forms
from edge_runtime.tokenizer.vector.byte_level_rules import rules_of, splits_of
from edge_runtime.tokenizer.vector.cut import cutter_arrays, flags_of
from edge_runtime.tokenizer.vector.keys import INLINE
from edge_runtime.tokenizer.vector.lockstep.bpe import BpeEngine
from edge_runtime.tokenizer.vector.overlay import Ids
from edge_runtime.tokenizer.vector.splitting import Splitter

_WHITE = (0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)


def supports(spec: kinds.TokenizerSpec) -> bool:
    """Say whether this is byte-level BPE of a known kind; any other takes the slow way."""
    model, found = spec.model, splits_of(spec.pre_tokenizers)
    if not isinstance(model, kinds.BPE) or found is None or rules_of(found[0]) is None:
        return False
    forms = [normalizer.form for normalizer in unicode_forms(spec)]
    if len(forms) != len(spec.normalizers) or not set(forms) <= {"NFC", "NFKC"} or (forms and found[1]):
        return False
    affixes = model.continuing_subword_prefix or model.end_of_word_suffix
    return not affixes and all(character in model.vocab for character in BYTE_CHARACTERS)


def byte_level_arrays(spec: kinds.TokenizerSpec, singles: int) -> ArrayDict:
    """Make what `ByteLevel` opens, of a spec that is supported."""
    model, found = spec.model, splits_of(spec.pre_tokenizers)
    assert isinstance(model, kinds.BPE)
    assert found is not None
    rules = rules_of(found[0])
    assert rules is not None
    engine = BpeEngine.arrays(model)
    byte_ids = np.array([model.vocab[character] for character in BYTE_CHARACTERS], np.int32)
    words, ids = _byte_strings(model)
    sizes = np.zeros(singles, np.int32)
    sizes[ids] = list(map(len, words))
    long = [at for at, word in enumerate(words) if len(word) > INLINE] if model.ignore_merges else []
    long_bytes = b"".join(words[at] for at in long)
    return {
        "byte_ids": byte_ids,
        "sizes": sizes,
        "long_ids": ids[long],
        "long_ends": np.cumsum([len(words[at]) for at in long], dtype=np.int32),
        "long_bytes": np.frombuffer(long_bytes, np.uint8),
        **under("cut", cutter_arrays(rules, flags_of(_WHITE), _letters(spec))),
        **under("bpe", engine),
        **under("base", _base(spec, engine, byte_ids, found[0], words, ids, singles)),
    }


def _byte_strings(model: kinds.BPE) -> tuple[list[bytes], Ids]:
    """Give the bytes that the vocabulary's strings stand for, and their ids; a string of other characters has none."""
    pieces = list(model.vocab)
    plain = "".join(pieces)
    if max(plain) > "￿":
        pieces = [piece for piece in pieces if max(piece, default="") <= "￿"]
        plain = "".join(pieces)
    codes = BYTES_OF.take(np.frombuffer(plain.encode("utf-16-le"), np.uint16))
    ends = np.cumsum(np.fromiter(map(len, pieces), np.int64, len(pieces)))
    others = np.concatenate([np.zeros(1, np.int64), np.cumsum(codes == NO_BYTE)])
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    whole = np.flatnonzero((others[ends] == others[starts]) & (ends > starts)).tolist()
    raw, first, last = codes.astype(np.uint8).tobytes(), starts.tolist(), ends.tolist()
    words = [raw[first[at] : last[at]] for at in whole]
    return words, np.array([model.vocab[pieces[at]] for at in whole], np.int32)


def _base(
    spec: kinds.TokenizerSpec,
    engine: ArrayDict,
    byte_ids: Ids,
    splits: tuple[kinds.Split, ...],
    words: list[bytes],
    ids: Ids,
    singles: int,
) -> ArrayDict:
    """Make the frozen table of the strings that are one word to the splits; others never come up as one."""
    normalize = open_normalizer(spec.normalizers).normalize
    # What a normalizer changes never comes up as a word, and as a segment it must not be found before that.
    short = [
        (at, text)
        for at, word in enumerate(words)
        if len(word) <= INLINE
        and (text := _decoded(word)) is not None
        and (not spec.normalizers or text.isascii() or normalize(text) == text)
    ]
    texts = [text for _, text in short]
    bounds = np.concatenate([[0], np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))])
    parts = np.diff(np.searchsorted(Splitter(splits).bounds("".join(texts), bounds), bounds))
    kept = [short[at][0] for at in np.flatnonzero(parts == 1).tolist()]
    chosen = [words[at] for at in kept]
    assert isinstance(spec.model, kinds.BPE)
    if spec.model.ignore_merges:
        return base_arrays(chosen, ids[kept], np.ones(len(kept), np.int64), singles)
    symbols = byte_ids.take(np.frombuffer(b"".join(chosen), np.uint8))
    merged_ids, counts, _ = BpeEngine(engine).merge(symbols, np.fromiter(map(len, chosen), np.int64, len(chosen)))
    return base_arrays(chosen, merged_ids, counts, singles)


def _decoded(word: bytes) -> str | None:
    try:
        return word.decode()
    except UnicodeDecodeError:
        return None


def _letters(spec: kinds.TokenizerSpec) -> NDArray[np.bool_]:
    """Give the letters and numbers that are still some when normalized, alone or at the end of anything."""
    letter = category_classes({"L": 1, "N": 1}) > 0
    if spec.normalizers:
        normalize = open_normalizer(spec.normalizers).normalize
        stable = np.logical_and.reduce([code_point_classes(form.form) > 0 for form in unicode_forms(spec)])
        for code in np.flatnonzero(letter & ~stable).tolist():
            letter[code] = letter[ord(normalize(chr(code))[-1])]
    return letter
