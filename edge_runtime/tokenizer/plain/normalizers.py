"""Normalizers: what becomes of a text before it is cut into words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from edge_runtime.tokenizer.plain import rules
from edge_runtime.tokenizer.plain.aligned import Aligned
from edge_runtime.tokenizer.plain.charsmap import Charsmap
from edge_runtime.tokenizer.plain.normalizer_steps import (
    CharacterStep,
    NormalFormStep,
    PrependStep,
    ReplaceStep,
    Step,
    StripStep,
)
from edge_runtime.tokenizer.plain.regex import Regex
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.unicode import CodePoints, load_tables

_RULES: dict[type, rules.Rule] = {
    kinds.Lowercase: rules.lower,
    kinds.StripAccents: rules.strip_accent,
    kinds.Nmt: rules.clean_for_translation,
    kinds.ByteLevelNormalizer: rules.spell_bytes,
}


class NormalizerChain:
    """All normalizers of a tokenizer, in order.

    Raises:
        UnsupportedTokenizer: one of them is not implemented in the form that the file has it; names it.
    """

    def __init__(self, normalizers: Iterable[kinds.Normalizer]) -> None:
        self._steps = [step for normalizer in normalizers for step in _steps_of(normalizer)]
        self._functions = _fuse(self._steps)

    def normalize(self, text: str) -> str:
        """Give the normalized text; it may be empty."""
        for function in self._functions:
            text = function(text)
        return text

    def align(self, text: Aligned) -> Aligned:
        """Give the normalized text with its alignment."""
        for step in self._steps:
            text = step.align(text)
        return text


def open_normalizer(normalizers: Iterable[kinds.Normalizer]) -> NormalizerChain:
    """Open the normalizers of a spec. Raises what `NormalizerChain` raises."""
    return NormalizerChain(normalizers)


def _steps_of(normalizer: kinds.Normalizer) -> list[Step]:
    if isinstance(normalizer, kinds.BertNormalizer):
        return _bert(normalizer)
    if isinstance(normalizer, kinds.UnicodeForm):
        return [NormalFormStep(normalizer.form)]
    if isinstance(normalizer, kinds.Strip):
        return [StripStep(normalizer)]
    if isinstance(normalizer, kinds.Replace):
        return [ReplaceStep(normalizer)]
    if isinstance(normalizer, kinds.Prepend):
        return [PrependStep(normalizer)]
    if isinstance(normalizer, kinds.Precompiled):
        return [Charsmap(normalizer.charsmap)]
    return [CharacterStep(_RULES[type(normalizer)])]


def _bert(spec: kinds.BertNormalizer) -> list[Step]:
    steps: list[Step] = []
    if spec.clean_text:
        steps.append(CharacterStep(rules.clean))
    if spec.handle_chinese_chars:
        steps.append(CharacterStep(rules.space_out_chinese))
    if spec.strip_accents:
        steps += [NormalFormStep("NFD"), CharacterStep(rules.strip_mark)]
    if spec.lowercase:
        steps.append(CharacterStep(rules.lower))
    return steps


def _fuse(steps: Sequence[Step]) -> list[Callable[[str], str]]:
    """Give functions that together do what the steps do, with one table for neighbours that look at characters."""
    functions: list[Callable[[str], str]] = []
    pending: list[rules.Rule] = []
    for step in steps:
        if isinstance(step, CharacterStep):
            pending += step.rules
            continue
        # NFD begins as a rule, too.
        after_rules = bool(pending) and isinstance(step, NormalFormStep) and step.form == "NFD"
        pending += [rules.decompose] if after_rules else []
        if pending:
            functions.append(CharacterStep(*pending).normalize)
        pending = []
        functions.append(_order_marks if after_rules else step.normalize)
    if pending:
        functions.append(CharacterStep(*pending).normalize)
    return functions


@cache
def _marks_that_sort() -> Regex:
    """Give the expression of two characters in a row that canonical ordering may swap."""
    marks = CodePoints.of(load_tables().combining_class)
    return Regex(lambda write: write(marks) + "{2}")


def _order_marks(text: str) -> str:
    """Do the rest of NFD after `rules.decompose`."""
    if text.isascii() or not _marks_that_sort().finds(text):
        return text
    return load_tables().canonical_order(text)
