"""The bundle's model as a peer serves it: Hugging Face `tokenizers`, onnxruntime, and what goes around them.

It runs in a peer's own virtual environment, so it imports nothing of edgert; `peer_settings.py` says what it is told.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from benchmarks.service_parts.peer_settings import BUNDLE, THREADS


class ServedModel:
    """Texts in, one JSON object for each out; may be called by several threads."""

    def __init__(self) -> None:
        folder = Path(os.environ[BUNDLE])
        manifest = json.loads((folder / "manifest.json").read_text())
        self._tokenizer = Tokenizer.from_file(str(folder / manifest["tokenizer"]["file"]))
        self._tokenizer.enable_truncation(manifest["limits"]["max_tokens"])
        self._tokenizer.enable_padding()
        options, threads = onnxruntime.SessionOptions(), int(os.environ.get(THREADS, "0"))
        options.intra_op_num_threads = threads
        file = folder / manifest["model"]["file"]
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._inputs = [node.name for node in self._session.get_inputs()]
        # A server that calls this from many threads would otherwise take more cores than it was given.
        self._budget = threading.Semaphore(1) if threads else contextlib.nullcontext()
        self._answers: Callable[[Any, Any], list[dict[str, object]]] = _embeddings
        if manifest["task"]["name"] == "classify":
            labels = manifest["task"]["labels"]
            self._answers = lambda logits, mask: _classes(logits, labels)

    def answer(self, texts: Sequence[str]) -> list[dict[str, object]]:
        """Answer the texts in one run of the model; `infer_us` says how long that took."""
        with self._budget:
            started = time.perf_counter_ns()
            encoded = self._tokenizer.encode_batch(list(texts))
            arrays = {
                "input_ids": np.array([one.ids for one in encoded], np.int64),
                "attention_mask": np.array([one.attention_mask for one in encoded], np.int64),
                "token_type_ids": np.array([one.type_ids for one in encoded], np.int64),
            }
            (values, *_) = self._session.run(None, {name: arrays[name] for name in self._inputs})
            answers = self._answers(values, arrays["attention_mask"])
            took_us = (time.perf_counter_ns() - started) // 1000
        return [{**answer, "infer_us": took_us} for answer in answers]


def _embeddings(hidden: Any, mask: Any) -> list[dict[str, object]]:
    """Mean over the tokens, length 1: (texts, tokens, width) float32 and (texts, tokens) int64 to vectors."""
    weights = mask[:, :, None].astype(np.float32)
    means = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
    vectors = means / np.linalg.norm(means, axis=1, keepdims=True)
    return [{"embedding": vector} for vector in vectors.tolist()]


def _classes(logits: Any, labels: Sequence[str]) -> list[dict[str, object]]:
    """The five likeliest labels of each row of (texts, labels) float32."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = powers / powers.sum(axis=1, keepdims=True)
    answers: list[dict[str, object]] = []
    for row in scores:
        top = [{"label": labels[at], "score": round(float(row[at]), 6)} for at in np.argsort(-row)[:5]]
        answers.append({**top[0], "top": top})
    return answers
