"""The manifest's part of a model that writes: what its config, tokenizer and the builder's own description say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edge_runtime.bundle.generate_specs import CacheSpec, ChatSpec, GenerateSpec, SamplingSpec
from edge_runtime.bundle.specs import TensorSpec
from edge_runtime.errors import UnsupportedModel
from edge_runtime.tokenizer import Tokenizer
from edgert_tools.checkpoint import Checkpoint

TEMPLATE = "chat_template.jinja"
_MOST_TEMPLATE = 200_000  # characters
_TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token")


def generate_spec(
    checkpoint: Checkpoint,
    genai: Mapping[str, Any],
    inputs: Iterable[TensorSpec],
    outputs: Iterable[TensorSpec],
    start: int | None,
) -> GenerateSpec:
    """Describe a built graph.

    Args:
        checkpoint: its folder has the config, the tokenizer's and perhaps a chat template and `generation_config.json`.
        genai: the builder's description.
        inputs, outputs: of the graph, to check the description by.
        start: see `start_token`.

    Raises:
        UnsupportedModel: the graph has inputs that no board gives it, or none of the two says how a text ends.
    """
    model, decoder = genai["model"], genai["model"]["decoder"]
    keys = {tensor.name: tensor for tensor in inputs}
    cache = CacheSpec(
        layers=int(decoder["num_hidden_layers"]),
        heads=int(decoder["num_key_value_heads"]),
        width=int(decoder["head_size"]),
    )
    spec = GenerateSpec(
        positions=int(model["context_length"]),
        cache=cache,
        end=end_tokens(checkpoint),
        words=int(model["vocab_size"]),
        start=start,
        chat=_chat(checkpoint.folder),
        sampling=_sampling(checkpoint.folder),
    )
    known = {spec.tokens, spec.mask, *cache.names(cache.past)}
    unknown = sorted(set(keys) ^ known)
    if unknown or {spec.logits, *cache.names(cache.present)} != {tensor.name for tensor in outputs}:
        raise UnsupportedModel(
            f"the built graph has other inputs or outputs than a board gives it ({', '.join(unknown[:3]) or 'outputs'})"
            ": take a llama-like model"
        )
    wrong = next((keys[name] for name in cache.names(cache.past) if keys[name].dtype != cache.dtype), None)
    if wrong is not None:
        raise UnsupportedModel(f"the built graph's {wrong.name} is {wrong.dtype}, expected {cache.dtype}")
    return spec


def end_tokens(checkpoint: Checkpoint) -> tuple[int, ...]:
    """Tokens that end an answer: what config.json and generation_config.json say, in ascending order.

    Not what the builder says, which adds tokens that begin a turn.
    """
    found: set[int] = set()
    for told in (_table(checkpoint.folder / "generation_config.json"), checkpoint.config):
        value = told.get("eos_token_id")
        values = value if isinstance(value, list | tuple) else [value]
        found.update(one for one in values if type(one) is int and one >= 0)
    if not found:
        raise UnsupportedModel("neither config.json nor generation_config.json says eos_token_id: how does a text end?")
    return tuple(sorted(found))


def start_token(checkpoint: Checkpoint, tokenizer: Tokenizer) -> int | None:
    """The token before a prompt: what the tokenizer puts before every text, or its settings ask for; None: none."""
    around = tokenizer.encode("")
    if around:
        return int(around[0])
    settings = _table(checkpoint.folder / "tokenizer_config.json")
    token = checkpoint.config.get("bos_token_id")
    return token if settings.get("add_bos_token") is True and type(token) is int else None


def _chat(folder: Path) -> ChatSpec | None:
    text = chat_template(folder)
    if text is None:
        return None
    told = _table(folder / "tokenizer_config.json")
    tokens: dict[str, str] = {}
    for name in _TOKENS:
        value = told.get(name)
        text = value.get("content") if isinstance(value, dict) else value
        if isinstance(text, str):
            tokens[name] = text
    return ChatSpec(TEMPLATE, tokens)


def chat_template(folder: Path) -> str | None:
    """The template of a checkpoint: its own file, or in its tokenizer's settings. UnsupportedModel: absurdly long."""
    file = folder / TEMPLATE
    found = file.read_text(encoding="utf-8") if file.is_file() else None
    if found is None:
        told = _table(folder / "tokenizer_config.json").get("chat_template")
        if isinstance(told, list):  # several, by name
            told = next((one.get("template") for one in told if one.get("name") == "default"), None)
        found = told if isinstance(told, str) else None
    if found is not None and len(found) > _MOST_TEMPLATE:
        raise UnsupportedModel(f"its chat template has {len(found)} characters, the most is {_MOST_TEMPLATE}")
    return found or None


def _sampling(folder: Path) -> SamplingSpec:
    told, usual = _table(folder / "generation_config.json"), SamplingSpec()
    if told.get("do_sample") is not True:
        return usual
    return SamplingSpec(
        sample=True,
        temperature=_positive(told.get("temperature"), usual.temperature),
        top_k=int(_positive(told.get("top_k"), usual.top_k)),
        top_p=_positive(told.get("top_p"), usual.top_p),
        repetition_penalty=_positive(told.get("repetition_penalty"), usual.repetition_penalty),
    )


def _positive(value: object, usual: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else usual


def _table(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UnsupportedModel(f"{file.name} is not JSON: {str(error)[:120]}") from error
    if not isinstance(found, dict):
        raise UnsupportedModel(f"{file.name} is not a table (a JSON object)")
    return found
