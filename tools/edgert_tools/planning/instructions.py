"""Estimated A64 instructions for a request: counted figures of two models, scaled by multiplications.

    instructions = multiplications x rate + weights x unpacking + attention x float rate

`rate` is what was counted for the scheme on the class of cores, divided by the multiplications of that run: MiniLM (6
layers, 384 wide) with 16 tokens for everything that takes many tokens at once, SmolLM2-135M writing one token for a
model that writes. `unpacking` is only there where a core has no kernel for the scheme and turns the whole matrix back
into float at each call: what was counted beyond float, divided by the weights. Instructions are not time: caches and
memory are not in them. Counted under emulation with onnxruntime 1.32, one thread; nothing was counted on x86.

At 11 tokens, counted separately, the formula gives 4 to 22 % too little: every request also has a fixed part.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgert_tools.planning.boards import CoreClass
from edgert_tools.planning.model import Model
from edgert_tools.planning.sizes import SchemeName, tied_table

SHORT_TOKENS = 16
_MINILM_WEIGHTS = 6 * (4 * 384 * 384 + 2 * 384 * 1536)
_SMOLLM_WEIGHTS = 134_515_008
# Class -> scheme -> million instructions: MiniLM with 16 tokens, SmolLM2-135M for one token (8 bits: in blocks of 64).
COUNTED: dict[CoreClass, dict[SchemeName, tuple[float, float]]] = {
    "no-dot": {
        "float32": (60.4, 62.0),
        "dynamic-s8": (50.9, 58.7),
        "nbits8-b32": (228.0, 2072.0),
        "nbits4-b32": (83.0, 378.0),
    },
    "dot": {
        "float32": (60.4, 61.9),
        "dynamic-s8": (25.1, 40.6),
        "nbits8-b32": (41.8, 30.6),
        "nbits4-b32": (29.5, 43.3),
    },
    "i8mm": {
        "float32": (60.4, 61.9),
        "dynamic-s8": (18.5, 35.1),
        "nbits8-b32": (38.5, 28.8),
        "nbits4-b32": (24.7, 46.1),
    },
}
_UNPACKED = {("no-dot", "nbits8-b32"), ("no-dot", "nbits4-b32")}
_READS, _WRITES = "scaled from MiniLM, 16 tokens, emulated", "scaled from SmolLM2-135M, one token, emulated"


@dataclass(frozen=True)
class Estimate:
    """Millions of instructions for `tokens` tokens: read at once, or (a model that writes) the next one."""

    millions: float
    tokens: int
    basis: str


def estimate(model: Model, scheme: SchemeName, core_class: CoreClass, tokens: int) -> Estimate | None:
    """Estimate one request; None where nothing comparable was counted."""
    rates = COUNTED.get(core_class, {})
    writes = model.writes
    if scheme not in rates or model.family not in ("encoder", "decoder") or not used_weights(model):
        return None
    column = 1 if writes else 0
    counted_tokens, counted_weights = (1, _SMOLLM_WEIGHTS) if writes else (SHORT_TOKENS, _MINILM_WEIGHTS)
    float_rate = rates["float32"][column] * 1e6 / (counted_tokens * counted_weights)
    at_once = 1 if writes else tokens
    weights = used_weights(model)
    attention = attention_products(model, tokens, writes)
    if (core_class, scheme) in _UNPACKED:
        beyond = (rates[scheme][column] - rates["float32"][column]) * 1e6 / counted_weights
        count = weights * (at_once * float_rate + beyond)
    else:
        count = weights * at_once * rates[scheme][column] * 1e6 / (counted_tokens * counted_weights)
    return Estimate((count + attention * float_rate) / 1e6, tokens, _WRITES if writes else _READS)


def used_weights(model: Model) -> float:
    """Weights that one token is multiplied with: matrices, the tied head, its share of the experts."""
    weights = model.values_of("matrix") + model.values_of("expert") * model.active_experts
    tied = tied_table(model)
    return weights if tied is None else weights + tied.values


def attention_products(model: Model, tokens: int, writes: bool) -> float:
    """Multiplications of scores and of weighted values; a model that writes looks back on `tokens`."""
    shape = model.dimensions
    return 2.0 * shape.layers * shape.heads * shape.head_width * tokens * (1 if writes else tokens)
