"""Memory at run time: the process, the tokenizer, the weights as a session holds them, activations. MiB.

Every factor was measured on x86-64 with onnxruntime 1.32, by the resident set of a process that loads the daemon's
modules, a tokenizer and a session, and asks (docs/plan.md has the table). It is memory, not speed: the same wheels for
ARM took the same within some megabytes in an emulated 512 MB board.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgert_tools.planning.model import Model
from edgert_tools.planning.sizes import Size

MIB = 1 << 20
PROCESS_MB = 58.5  # Python, NumPy, onnxruntime, the daemon's modules; no model
SESSION_MB = 7.0  # of a session, whatever its weights
# Of a tokenizer when it is open, by family: MiniLM 24, DeBERTa-v3 13, Llama 3 and Qwen 3 7 and 8.
TOKENIZER_MB = {"wordpiece": 24.0, "unigram": 13.0, "bpe": 9.0, "": 0.0}
# What a session takes for a byte of matrices: the graph's own and those packed for the kernels.
_PACKED = {"float32": 1.3, "dynamic-s8": 1.25, "nbits8-b32": 1.76, "nbits4-b32": 1.92, "as stored": 1.76}
_ARENA = 2.5  # what the allocator holds of activations, against the largest that are needed at once
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Memory:
    """Parts in MiB; `sum_mb` is what a process with this one model takes at its longest input."""

    process_mb: float
    tokenizer_mb: float
    weights_mb: float
    activations_mb: float
    cache_mb: float
    max_tokens: int

    @property
    def sum_mb(self) -> float:
        """All parts."""
        return self.process_mb + self.tokenizer_mb + self.weights_mb + self.activations_mb + self.cache_mb


def memory_of(model: Model, size: Size, max_tokens: int) -> Memory:
    """What one process with this model in this scheme takes, for one text of `max_tokens` at a time."""
    return Memory(
        process_mb=PROCESS_MB,
        tokenizer_mb=TOKENIZER_MB.get(model.tokenizer.family, max(TOKENIZER_MB.values())),
        weights_mb=_weights_mb(size),
        activations_mb=_activations_mb(model, max_tokens),
        cache_mb=_cache_mb(model, max_tokens),
        max_tokens=max_tokens,
    )


def _weights_mb(size: Size) -> float:
    packed = _PACKED[size.scheme]
    if size.scheme in ("float32", "as stored"):
        return size.size_bytes * packed / MIB + SESSION_MB
    return (size.size_bytes + size.matrix_bytes * (packed - 1)) / MIB + SESSION_MB


def _activations_mb(model: Model, max_tokens: int) -> float:
    """Feed-forward layer in and out, four vectors of the model's width, attention scores twice: all float."""
    shape = model.dimensions
    a_token = 2 * shape.inner + 4 * shape.width
    scores = 2 * shape.heads * max_tokens * max_tokens
    return (max_tokens * a_token + scores) * _FLOAT_BYTES * _ARENA / MIB


def _cache_mb(model: Model, max_tokens: int) -> float:
    """Keys and values of a text that is being written, float."""
    if not model.writes:
        return 0.0
    shape = model.dimensions
    return 2 * shape.layers * shape.kv_heads * shape.head_width * max_tokens * _FLOAT_BYTES / MIB
