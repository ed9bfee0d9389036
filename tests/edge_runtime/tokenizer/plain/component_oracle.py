"""The peer's normalizers and pre-tokenizers one by one: what they make of a text, and of each character of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from tokenizers import PreTokenizedString, Regex, normalizers, pre_tokenizers

from edge_runtime.tokenizer.plain.aligned import Aligned
from edge_runtime.tokenizer.plain.normalizers import open_normalizer
from edge_runtime.tokenizer.plain.pre_tokenizers import open_pre_tokenizer
from edge_runtime.tokenizer.spec import kinds
from tests.edge_runtime.tokenizer.documents import BORDERS, random_text

# Where components disagree, beside the borders of `documents`: what cuts, what is replaced, contractions in all cases.
CUTTERS = (
    "   ''\u2019\u2581\u2581__--,,..!?()[]|/\r\n\n\t12\xb2\xbc\u2160stSTrReEvVmMlLdDaAkK"
    "\u017f\u212a\xdf\ufb01\ufb06\u4e00\u9fa5\u9fa6"
)
EMPTY_ONES = (
    "",
    " ",
    "   ",
    "\n",
    "\r\n",
    "\u3000 ",
    "\u2581",
    "\u2581\u2581",
    "\x00",
    "\u200b",
    "\u0301",
    "a",
    "'",
    "\U0001f600",
)

# A text, and for each of its characters the first and the last (exclusive) of the original that it stands for.
Traced = tuple[str, list[tuple[int, int]]]


def peer_pattern(pattern: kinds.Pattern) -> Any:
    return Regex(pattern.text) if pattern.regex else pattern.text


def peer_normalizer(spec: kinds.Normalizer) -> Any:
    """Give the peer's normalizer."""
    match spec:
        case kinds.BertNormalizer(clean_text, handle_chinese_chars, strip_accents, lowercase):
            return normalizers.BertNormalizer(clean_text, handle_chinese_chars, strip_accents, lowercase)
        case kinds.UnicodeForm(form):
            return getattr(normalizers, form)()
        case kinds.Strip(left, right):
            return normalizers.Strip(left, right)
        case kinds.Replace(pattern, content):
            return normalizers.Replace(peer_pattern(pattern), content)
        case kinds.Prepend(prepend):
            return normalizers.Prepend(prepend)
        case kinds.Precompiled(charsmap):
            return normalizers.Precompiled(charsmap)
        case kinds.ByteLevelNormalizer():
            return normalizers.ByteLevel()
        case _:
            return getattr(normalizers, type(spec).__name__)()


def peer_pre_tokenizer(spec: kinds.PreTokenizer) -> Any:
    """Give the peer's pre-tokenizer."""
    match spec:
        case kinds.ByteLevel(add_prefix_space, use_regex):
            return pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=use_regex)
        case kinds.Metaspace(replacement, prepend_scheme, split):
            return pre_tokenizers.Metaspace(replacement, prepend_scheme, split)
        case kinds.Split(pattern, behavior, invert):
            return pre_tokenizers.Split(peer_pattern(pattern), behavior, invert)
        case kinds.CharDelimiterSplit(delimiter):
            return pre_tokenizers.CharDelimiterSplit(delimiter)
        case kinds.Punctuation(behavior):
            return pre_tokenizers.Punctuation(behavior)
        case kinds.Digits(individual_digits):
            return pre_tokenizers.Digits(individual_digits)
        case kinds.FixedLength(length):
            return pre_tokenizers.FixedLength(length)
        case _:
            return getattr(pre_tokenizers, type(spec).__name__)()


def peer_words(
    text: str,
    start: int,
    normalizer_specs: Sequence[kinds.Normalizer],
    pre_tokenizer_specs: Sequence[kinds.PreTokenizer],
) -> list[Traced]:
    """Give the peer's words of a text from `start` on, as of a section behind an added token."""
    peer = PreTokenizedString(text)
    if start:
        peer.split(lambda _, whole: [whole.slice((start, len(text)))])
    for spec in normalizer_specs:
        peer.normalize(peer_normalizer(spec).normalize)
    for pre_tokenizer_spec in pre_tokenizer_specs:
        peer_pre_tokenizer(pre_tokenizer_spec).pre_tokenize(peer)
    words = [word for word, _, _ in peer.get_splits("original", "char")]
    peer.split(lambda _, word: word.split(Regex("(?m:.)"), "isolated"))
    characters = [(char, span) for char, span, _ in peer.get_splits("original", "char")]
    traced = []
    for word in words:
        own, characters = characters[: len(word)], characters[len(word) :]
        assert "".join(char for char, _ in own) == word
        traced.append((word, [span for _, span in own]))
    assert not characters
    return traced


def traced(text: Aligned) -> Traced:
    """Write our text as `peer_words` writes the peer's."""
    return text.text, list(zip(text.starts, text.ends, strict=True))


def random_component_text(rng: random.Random) -> str:
    """Make a text of runs of characters that components treat in different ways; one of ten is of spaces alone."""
    kind = rng.random()
    if kind < 0.1:
        return rng.choice(EMPTY_ONES) * rng.randint(0, 3)
    if kind < 0.2:
        return random_text(rng, longest=8)
    alphabet = CUTTERS if kind < 0.4 else CUTTERS + BORDERS
    return "".join(rng.choice(alphabet) * rng.choice((1, 1, 1, 2, 4)) for _ in range(rng.randint(1, 12)))


def differences(
    normalizer_specs: Sequence[kinds.Normalizer],
    pre_tokenizer_specs: Sequence[kinds.PreTokenizer],
    texts: Sequence[str],
    rng: random.Random,
) -> list[str]:
    """Compare words and alignments with the peer's; half of the texts begin behind something else.

    Also compares the quick ways (`normalize`, `words`) with the slow ones.
    """
    normalizer, pre_tokenizer = open_normalizer(normalizer_specs), open_pre_tokenizer(pre_tokenizer_specs)
    different = []
    for text in texts:
        start = rng.randrange(len(text)) if text and rng.random() < 0.5 else 0
        section, first = text[start:], start == 0
        aligned = normalizer.align(Aligned.of(section, start))
        words = pre_tokenizer.split(aligned, first)
        expected = [word for word in peer_words(text, start, normalizer_specs, pre_tokenizer_specs) if word[0]]
        quick = pre_tokenizer.needs_alignment or pre_tokenizer.words(aligned.text, first) == [w.text for w in words]
        if [traced(word) for word in words] != expected or normalizer.normalize(section) != aligned.text or not quick:
            different.append(f"{text!a} from {start}: {[traced(word) for word in words]!a}, not {expected!a}")
    return different
