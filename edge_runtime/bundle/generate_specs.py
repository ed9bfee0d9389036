"""What a manifest says of a model that writes token by token (docs/bundle.md, "Generation")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MOST_LAYERS = 1024  # what claims more is no model


@dataclass(frozen=True)
class CacheSpec:
    """Keys and values of the tokens so far, which the graph takes in and gives out.

    Attributes:
        past, present: names of inputs and outputs; `{layer}` counts from 0, `{part}` is each of `parts`.
        parts: the word for keys, then that for values.
        layers, heads, width: a tensor is (batch, heads, tokens, width).
        dtype: of its values.
        in_place: past and present may be one buffer of any length >= the tokens so far, bound once; the length of the
            attention mask says how much of it counts.
    """

    layers: int
    heads: int
    width: int
    past: str = "past_key_values.{layer}.{part}"
    present: str = "present.{layer}.{part}"
    parts: tuple[str, ...] = ("key", "value")
    dtype: str = "float32"
    in_place: bool = True

    @property
    def bytes_per_token(self) -> int:
        """What one more token of context costs."""
        return self.layers * 2 * self.heads * self.width * (2 if self.dtype == "float16" else 4)

    def names(self, pattern: str) -> tuple[str, ...]:
        """The tensors' names by `past` or `present`: layer by layer, keys before values."""
        return tuple(
            pattern.replace("{layer}", str(layer)).replace("{part}", part)
            for layer in range(self.layers)
            for part in self.parts
        )


@dataclass(frozen=True)
class ChatSpec:
    """How messages become a prompt.

    Attributes:
        template: file of the bundle with the Jinja template, as its makers publish it.
        tokens: what the template calls special tokens -> their text, as `bos_token` -> `<s>`.
    """

    template: str
    tokens: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SamplingSpec:
    """What its makers recommend for choosing the next token; without `sample` it is the best one."""

    sample: bool = False
    temperature: float = 1.0
    top_k: int = 0  # 0: all
    top_p: float = 1.0
    repetition_penalty: float = 1.0


@dataclass(frozen=True)
class GenerateSpec:
    """How the graph is fed and what ends an answer.

    Attributes:
        positions: the most tokens that the model was made for, prompt and answer together; the bundle's
            `limits.max_tokens`, which is not more, is what a board reserves its cache for.
        cache: see there.
        end: tokens that end an answer.
        start: the token before a prompt of plain text, whose ids are taken without special tokens; None: none. A chat
            template writes its own.
        tokens, mask, logits: names of the other inputs and of the output.
        logits_of: "last": (batch, 1, words) of the last token only; "all": of every token given.
        words: values in a row of logits.
        chat: None for a model that only continues texts.
    """

    positions: int
    cache: CacheSpec
    end: tuple[int, ...]
    words: int
    start: int | None = None
    tokens: str = "input_ids"
    mask: str = "attention_mask"
    logits: str = "logits"
    logits_of: Literal["last", "all"] = "last"
    chat: ChatSpec | None = None
    sampling: SamplingSpec = SamplingSpec()

    def problem(self) -> str:
        """What no honest manifest says; "" if there is nothing."""
        cache = self.cache
        if not 1 <= cache.layers <= MOST_LAYERS or min(cache.heads, cache.width, self.positions, self.words) < 1:
            return f"{cache.layers} layers of {cache.heads} heads of {cache.width}, {self.positions} positions"
        if len(cache.parts) != 2:
            return f"{len(cache.parts)} parts of a cache, expected keys and values"
        wrong = next((token for token in self.end if not 0 <= token < self.words), None)
        return "" if self.end and wrong is None else f"end tokens {list(self.end)[:8]} of {self.words}"
