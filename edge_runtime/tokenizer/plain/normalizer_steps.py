"""The steps that normalizers consist of: on a text, and on a text that knows where it comes from.

Source: `normalizers/` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from typing import Literal, Protocol

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.plain.aligned import Aligned
from edge_runtime.tokenizer.plain.pattern import open_pattern
from edge_runtime.tokenizer.plain.rules import Rule
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.unicode import CharacterMap, load_tables
from edge_runtime.tokenizer.unicode.normal_forms import normal_form

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]


class Step(Protocol):
    """One thing that is done to a text; `align(text).text` equals `normalize(text.text)`."""

    def normalize(self, text: str) -> str: ...

    def align(self, text: Aligned) -> Aligned: ...


class CharacterStep:
    """Replaces each character for itself: rule after rule, each applied to all that the one before it gave."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = rules
        self._table = CharacterMap(self._apply)

    def _apply(self, code: int) -> str:
        text = chr(code)
        for rule in self.rules:
            text = "".join([rule(ord(char)) for char in text])
        return text

    def normalize(self, text: str) -> str:
        return text.translate(self._table)

    def align(self, text: Aligned) -> Aligned:
        return text.translate(self._table)


class NormalFormStep:
    """One of the four normal forms."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self._form = normal_form(form)

    def normalize(self, text: str) -> str:
        return text if text.isascii() else self._form.normalize(text)

    def align(self, text: Aligned) -> Aligned:
        return text if self._form.is_stable(text.text) else text.transform(self._form.changes(text.text))


class ReplaceStep:
    """Replaces all that a pattern matches."""

    def __init__(self, spec: kinds.Replace) -> None:
        self._pattern, self._content = open_pattern(spec.pattern), spec.content
        if self._pattern.can_be_empty:
            # In the original, what such a match puts in front of a text confuses the normalizers behind it.
            raise UnsupportedTokenizer(
                f"normalizer Replace looks for {spec.pattern.text!r}, which can match nothing at all: not supported"
            )

    def normalize(self, text: str) -> str:
        return self._pattern.replace(text, self._content)

    def align(self, text: Aligned) -> Aligned:
        return text.replace(self._pattern.spans(text.text), self._content)


class StripStep:
    """Removes white space at the ends."""

    def __init__(self, spec: kinds.Strip) -> None:
        white_space = "".join(map(chr, load_tables().white_space))
        # What there is nothing of is never removed.
        self._left, self._right = (white_space if spec.left else ""), (white_space if spec.right else "")

    def normalize(self, text: str) -> str:
        return text.lstrip(self._left).rstrip(self._right)

    def align(self, text: Aligned) -> Aligned:
        start = len(text) - len(text.text.lstrip(self._left))
        return text.piece(start, max(start, len(text.text.rstrip(self._right))))


class PrependStep:
    """Puts a text in front of any other than the empty one."""

    def __init__(self, spec: kinds.Prepend) -> None:
        if not spec.prepend:
            raise UnsupportedTokenizer("normalizer Prepend of nothing is not supported: leave it out")
        self._prefix = spec.prepend

    def normalize(self, text: str) -> str:
        return self._prefix + text if text else text

    def align(self, text: Aligned) -> Aligned:
        return text.prepend(self._prefix) if text.text else text
