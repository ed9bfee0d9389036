"""Which tensor of a checkpoint is what: a quantizer takes matrices and embedding tables, the rest stays float."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edgert_tools.planning.tensors import Tensor

Role = Literal["matrix", "expert", "table", "convolution", "float", "codes", "left_out"]

# Names of embedding tables: Hugging Face's, GPT-2's, T5's, GGUF's.
_TABLE = re.compile(r"(embe?d|(^|\.)wte|(^|\.)wpe|(^|\.)shared\.weight|token_types|relative_attention_bias)")
_NO_TABLE = re.compile(r"(patch_embe?d|\.dense\.|\.proj|embed_ln|embedding_hidden_mapping|LayerNorm|norm)")
# Heads of pre-training, that a graph which gives hidden states does not have.
_PRETRAINING = re.compile(r"^(cls|lm_head|mlm_head|vocab_\w+|discriminator_predictions|qa_outputs|classifier)\.")
_POOLER = re.compile(r"(^|\.)pooler\.")
_EXPERT = re.compile(r"(\.experts?\.|_exps\b)")
_INTEGERS = frozenset({"BOOL", "U8", "I8", "I16", "U16", "I32", "U32", "I64", "U64"})


@dataclass(frozen=True)
class Weight:
    """A tensor with its part: `rows` outputs (or table rows) of `columns` each; one row for what is no matrix."""

    name: str
    role: Role
    rows: int
    columns: int

    @property
    def values(self) -> int:
        """How many numbers it holds."""
        return self.rows * self.columns


def sort_weights(tensors: Iterable[Tensor], *, hidden_states_only: bool) -> tuple[Weight, ...]:
    """Give each tensor its part.

    Args:
        tensors: of the whole checkpoint.
        hidden_states_only: the graph that is made ends at the hidden states: pooler and heads are left out.
    """
    return tuple(_weight(tensor, hidden_states_only) for tensor in tensors)


def _weight(tensor: Tensor, hidden_states_only: bool) -> Weight:
    role = _role(tensor, hidden_states_only)
    if role == "matrix" and tensor.shape[0] == 1:
        role = "float"
    columns = tensor.shape[-1] if role in ("matrix", "expert", "table") else tensor.values
    return Weight(tensor.name, role, tensor.values // max(columns, 1), columns)


def _role(tensor: Tensor, hidden_states_only: bool) -> Role:
    name, rank = tensor.name, len(tensor.shape)
    if tensor.dtype in _INTEGERS:
        return "left_out"  # positions and such: no parameters
    if hidden_states_only and (_PRETRAINING.search(name) or _POOLER.search(name)):
        return "left_out"
    if rank < 2 or tensor.values == 0:
        return "float"
    if rank == 2 and _TABLE.search(name) and not _NO_TABLE.search(name):
        return "table"
    if _EXPERT.search(name):
        return "expert"
    return "matrix" if rank == 2 else "convolution"
