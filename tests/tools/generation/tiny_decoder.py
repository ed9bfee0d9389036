"""A model that writes, of some kilobytes, and an exporter that builds its graph the way the model builder does.

One layer: embedding, attention with a cache (GroupQueryAttention, as in the real graphs), head tied to the embedding.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgert_tools.generation.surgery import save_with_weights
from edgert_tools.quantization.scheme import Scheme
from tests import tiny
from tests.tools.checkpoints import WORDS

WIDTH, HEADS, KV_HEADS = 64, 4, 2
HEAD = WIDTH // HEADS
TEXT = " ".join(["turn on the light", "open the kitchen blind", "warm up it all", "close a lamp", "turn off"] * 40)
MS = "com.microsoft"


def write_folder(folder: Path, **changes: object) -> Path:
    """A checkpoint folder as transformers would write it; the graph is made of its weights by `FakeExporter`."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    rng = np.random.default_rng(7)
    table = rng.normal(0, 1, (WORDS, WIDTH)).astype(np.float32)
    kv = HEAD * KV_HEADS
    weights = {
        "table": table,
        **{name: rng.normal(0, 0.2, (WIDTH, width)).astype(np.float32) for name, width in (("q", WIDTH), ("k", kv))},
        "v": rng.normal(0, 0.2, (WIDTH, kv)).astype(np.float32),
    }
    save_file(weights, folder / "model.safetensors")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": WORDS,
        "max_position_embeddings": 64,
        "eos_token_id": 3,
        "bos_token_id": 2,
        **changes,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tiny.tokenizer_json()))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "[SEP]", "bos_token": {"content": "[CLS]"}}))
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    (folder / "generation_config.json").write_text(
        json.dumps({"eos_token_id": [3, 1], "do_sample": True, "temperature": 0.7, "top_p": 0.9})
    )
    return folder


class FakeExporter:
    """An `Exporter` without the environment; `wrong` is added to the float model's own answers."""

    def __init__(self, wrong: float = 0.0, missing: tuple[str, ...] = ()) -> None:
        self.wrong, self.missing, self.built = wrong, missing, list[str]()

    def build(self, checkpoint: Path, scheme: Scheme, out: Path) -> Mapping[str, Any]:
        """Write the graph in float32, or with its head in blocks of 8 bits."""
        from safetensors.numpy import load_file

        self.built.append(scheme.name)
        out.mkdir()
        save_with_weights(graph_of(load_file(checkpoint / "model.safetensors"), scheme), out)
        (out / "tokenizer.json").write_text("a copy that the builder leaves behind")
        return {
            "model": {
                "context_length": 64,
                "vocab_size": WORDS,
                "decoder": {"num_hidden_layers": 1, "num_key_value_heads": KV_HEADS, "head_size": HEAD},
            }
        }

    def logits(self, checkpoint: Path, tokens: Sequence[int], work: Path) -> tuple[Any, tuple[str, ...]]:
        """The same model in NumPy alone."""
        from safetensors.numpy import load_file

        return plain_logits(load_file(checkpoint / "model.safetensors"), tokens) + self.wrong, self.missing


@contextmanager
def opened(exporter: FakeExporter) -> Iterator[FakeExporter]:
    """As `genai_exporter` gives one."""
    yield exporter


def plain_logits(weights: Mapping[str, Any], tokens: Sequence[int]) -> Any:
    """(tokens, words): causal attention, query heads sharing key heads, a residual, the tied head."""
    hidden = weights["table"][list(tokens)]
    query = (hidden @ weights["q"]).reshape(-1, HEADS, HEAD)
    key, value = ((hidden @ weights[name]).reshape(-1, KV_HEADS, HEAD) for name in ("k", "v"))
    mixed = np.empty_like(query)
    for head in range(HEADS):
        shared = head // (HEADS // KV_HEADS)
        scores = query[:, head] @ key[:, shared].T / np.sqrt(HEAD)
        scores[np.triu_indices(len(tokens), 1)] = -np.inf
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        mixed[:, head] = shares / shares.sum(axis=1, keepdims=True) @ value[:, shared]
    return (hidden + mixed.reshape(len(tokens), WIDTH)) @ weights["table"].T


def graph_of(weights: Mapping[str, Any], scheme: Scheme) -> Any:
    """The graph, with names and the cut to the last token as in the builder's."""
    node = helper.make_node
    constants = {"one": np.array([1], np.int64), "last": np.array(-1, np.int64), "total_at": np.array(1, np.int64)}
    tensors = {**{name: np.asarray(values) for name, values in weights.items()}, **constants}
    head = node("MatMul", ["last_hidden", "head"], ["logits"], "/lm_head/MatMul")
    if scheme.family == "nbits":
        tensors["head_Q8"], tensors["head_scales"] = blocks_of(weights["table"], scheme.block)
        facts = {"K": WIDTH, "N": WORDS, "bits": 8, "block_size": scheme.block, "accuracy_level": 4}
        head = node(
            "MatMulNBits", ["last_hidden", "head_Q8", "head_scales"], ["logits"], "/lm_head", domain=MS, **facts
        )
    else:
        tensors["head"] = np.ascontiguousarray(weights["table"].T)
    attention = ["query", "key", "value", "past_key_values.0.key", "past_key_values.0.value", "seen", "total"]
    present = ["present.0.key", "present.0.value"]
    nodes = [
        node("ReduceSum", ["attention_mask", "one"], ["sum"], keepdims=0),
        node("Sub", ["sum", "one"], ["sum_less"]),
        node("Cast", ["sum_less"], ["seen"], to=TensorProto.INT32),
        node("Shape", ["attention_mask"], ["mask_shape"]),
        node("Gather", ["mask_shape", "total_at"], ["total_long"], axis=0),
        node("Cast", ["total_long"], ["total"], to=TensorProto.INT32),
        node("Gather", ["table", "input_ids"], ["hidden"], "/model/embed_tokens/Gather"),
        *[node("MatMul", ["hidden", part], [full]) for part, full in (("q", "query"), ("k", "key"), ("v", "value"))],
        node("GroupQueryAttention", attention, ["mixed", *present], domain=MS, num_heads=HEADS, kv_num_heads=KV_HEADS),
        node("Add", ["hidden", "mixed"], ["out"]),
        node("Gather", ["out", "last"], ["picked"], "/lm_head/prune/Gather", axis=1),
        node("Unsqueeze", ["picked", "one"], ["last_hidden"], "/lm_head/prune/Unsqueeze"),
        head,
    ]
    cache = ["b", KV_HEADS, "past", HEAD]
    long, real = TensorProto.INT64, TensorProto.FLOAT
    value = helper.make_tensor_value_info
    inputs = [value("input_ids", long, ["b", "s"]), value("attention_mask", long, ["b", "t"])]
    inputs += [value(f"past_key_values.0.{part}", real, cache) for part in ("key", "value")]
    outputs = [value("logits", real, ["b", 1, WORDS]), *[value(name, real, cache) for name in present]]
    initializers = [numpy_helper.from_array(values, name) for name, values in tensors.items()]
    imports = [helper.make_opsetid("", 18), helper.make_opsetid(MS, 1)]
    model = helper.make_model(helper.make_graph(nodes, "tiny", inputs, outputs, initializers), opset_imports=imports)
    model.ir_version = 10
    onnx.checker.check_model(model)
    return model


def blocks_of(table: Any, block: int) -> tuple[Any, Any]:
    """(words, blocks, block) uint8 around 128, and a scale for each block."""
    cut = table.reshape(len(table), -1, block)
    scales = np.abs(cut).max(axis=2) / 127
    steps = np.round(cut / scales[:, :, None]) + 128
    return steps.astype(np.uint8), scales.astype(np.float32)
