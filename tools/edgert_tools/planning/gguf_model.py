"""A GGUF header -> `Model`."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.bundle.policy import UNKNOWN
from edgert_tools.checkpoint import spdx
from edgert_tools.planning.exporters import gguf_types
from edgert_tools.planning.folder_model import Asked
from edgert_tools.planning.gguf_header import GgufHeader, read_gguf
from edgert_tools.planning.model import WRITES, Dimensions, Model, TokenizerFacts
from edgert_tools.planning.weights import sort_weights

_MOST_TOKENS = 512  # as without a recipe elsewhere: longer texts are slow on a small board
_ENCODERS = frozenset({"bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "modern-bert", "neo-bert"})
_BLOCKER = (
    "a GGUF file of the architecture {kind}: `edgert convert` does not take those, use the checkpoint that it was made "
    "of{of}"
)
# ggml's word for a tokenizer -> docs/tokenizer.md's family
_FAMILIES = {"gpt2": "bpe", "llama": "bpe", "bert": "wordpiece", "t5": "unigram"}


def model_of_gguf(file: Path, source: str, asked: Asked) -> Model:
    """Describe a GGUF file.

    Raises:
        BadSource: its header cannot be read.
    """
    header = read_gguf(file)
    kind = _text(header, "general.architecture") or "unknown"
    encoder = kind in _ENCODERS
    weights = sort_weights(header.tensors, hidden_states_only=encoder)
    tables = any(weight.role == "table" for weight in weights)
    tokenizer = _FAMILIES.get(_text(header, "tokenizer.ggml.model"), "")
    positions = _number(header, f"{kind}.context_length") or _MOST_TOKENS
    of = _text(header, "general.base_model.0.repo_url") or _text(header, "general.name")
    return Model(
        source=source,
        origin="GGUF file",
        architecture=kind,
        task="embed" if encoder else WRITES,
        family="encoder" if encoder else "decoder",
        weights=weights,
        stored_bytes=sum(tensor.stored_bytes for tensor in header.tensors),
        max_tokens=asked.max_tokens or min(positions, _MOST_TOKENS),
        dimensions=_dimensions(header, kind),
        tokenizer=TokenizerFacts(tokenizer),
        license=spdx(_text(header, "general.license")) if _text(header, "general.license") else UNKNOWN,
        blockers=() if kind in gguf_types() else (_BLOCKER.format(kind=kind, of=f" ({of})" if of else ""),),
        notes=(f"its weights are {_types(header)} here; the sizes below are of the same model in edgert's schemes",),
        tied_head=not encoder and tables and not any(weight.name == "output.weight" for weight in weights),
        active_experts=_active_experts(header, kind),
    )


def _dimensions(header: GgufHeader, kind: str) -> Dimensions:
    width, heads = (_number(header, f"{kind}.{key}") for key in ("embedding_length", "attention.head_count"))
    return Dimensions(
        layers=_number(header, f"{kind}.block_count"),
        width=width,
        inner=_number(header, f"{kind}.feed_forward_length"),
        heads=heads,
        kv_heads=_number(header, f"{kind}.attention.head_count_kv") or heads,
        head_width=_number(header, f"{kind}.attention.key_length") or (width // heads if heads else 0),
    )


def _active_experts(header: GgufHeader, kind: str) -> float:
    used, total = (_number(header, f"{kind}.{key}") for key in ("expert_used_count", "expert_count"))
    return min(1.0, used / total) if used and total else 1.0


def _types(header: GgufHeader) -> str:
    """The types that hold the most values, largest first."""
    counts: dict[str, int] = {}
    for tensor in header.tensors:
        counts[tensor.dtype] = counts.get(tensor.dtype, 0) + tensor.values
    return ", ".join(sorted(counts, key=lambda dtype: -counts[dtype])[:3])


def _number(header: GgufHeader, key: str) -> int:
    value = header.metadata.get(key)
    if isinstance(value, tuple):  # a value a layer
        value = max((item for item in value if type(item) is int), default=0)
    return value if type(value) is int and 0 < value < 1 << 31 else 0


def _text(header: GgufHeader, key: str) -> str:
    value = header.metadata.get(key)
    return value[:200] if isinstance(value, str) else ""
