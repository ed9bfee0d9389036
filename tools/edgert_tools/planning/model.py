"""A model as planning knows it: what headers and configs say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgert_tools.planning.weights import Weight

Family = Literal["encoder", "decoder", "encoder-decoder", "other"]
WRITES = "generate"  # the task of a model that answers token by token


@dataclass(frozen=True)
class Dimensions:
    """What activations depend on; 0: not known. `inner` is the width of the feed-forward layer."""

    layers: int = 0
    width: int = 0
    inner: int = 0
    heads: int = 0
    kv_heads: int = 0
    head_width: int = 0


@dataclass(frozen=True)
class TokenizerFacts:
    """`family` as in a bundle's manifest, "" if there is none or it is not known.

    `refused`: why the board cannot read it, "" if it can. `made`: the file that a conversion makes a `tokenizer.json`
    of, "" if it has one; then nothing was checked yet.
    """

    family: str
    refused: str = ""
    made: str = ""


@dataclass(frozen=True)
class Model:
    """One source.

    Attributes:
        source: what the user typed; `origin`: what it was taken for.
        task: what edgert would answer with it, or in plain words what the model is for.
        max_tokens: longest input that is planned for; 0 for a model without tokens.
        blockers: why `edgert convert` does not take it today; none: it does.
        made_for: schemes that its conversion tries; empty: those that `edgert quantize` searches.
        stored_bytes: all tensors as they are in the source.
        tied_head: the head that gives logits of tokens is the embedding table once more.
        active_experts: share of the experts' weights that a token uses.
        quantized: it is int8 already and is not made smaller.
        operators: of an ONNX file, how often each is there.
    """

    source: str
    origin: str
    architecture: str
    task: str
    family: Family
    weights: tuple[Weight, ...]
    stored_bytes: int
    max_tokens: int
    dimensions: Dimensions
    tokenizer: TokenizerFacts
    license: str
    blockers: tuple[str, ...]
    notes: tuple[str, ...] = ()
    made_for: tuple[str, ...] = ()
    revision: str = ""
    tied_head: bool = False
    active_experts: float = 1.0
    quantized: bool = False
    opset: int = 0
    operators: Mapping[str, int] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """Numbers that the model learned, those of left-out heads included."""
        return sum(weight.values for weight in self.weights if weight.role != "left_out")

    @property
    def writes(self) -> bool:
        """Whether it answers token by token."""
        return self.task == WRITES

    def values_of(self, *roles: str) -> int:
        """Numbers in the tensors of these roles."""
        return sum(weight.values for weight in self.weights if weight.role in roles)
