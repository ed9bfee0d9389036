"""What most people would build: the same int8 model behind FastAPI, with Hugging Face `tokenizers` and onnxruntime.

`uvicorn benchmarks.service_parts.http_app:app` with EDGERT_BENCH_BUNDLE set to the bundle's folder.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import onnxruntime
from fastapi import FastAPI
from pydantic import BaseModel
from tokenizers import Tokenizer

_bundle = Path(os.environ["EDGERT_BENCH_BUNDLE"])
_manifest = json.loads((_bundle / "manifest.json").read_text())
_tokenizer = Tokenizer.from_file(str(_bundle / _manifest["tokenizer"]["file"]))
_tokenizer.no_padding()
_tokenizer.enable_truncation(_manifest["limits"]["max_tokens"])
_session = onnxruntime.InferenceSession(_bundle / _manifest["model"]["file"], providers=["CPUExecutionProvider"])
_names = [node.name for node in _session.get_inputs()]
_labels = _manifest["task"]["labels"]

app = FastAPI()


class Question(BaseModel):
    """The body of a request."""

    text: str


@app.post("/infer")
def infer(question: Question) -> dict[str, object]:
    """Answer one text; says how long the model took, too."""
    started = time.perf_counter_ns()
    encoded = _tokenizer.encode(question.text)
    arrays = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": encoded.type_ids}
    logits = _session.run(None, {name: np.array([arrays[name]], np.int64) for name in _names})[0][0]
    powers = np.exp(logits - logits.max())
    scores = powers / powers.sum()
    best = np.argsort(-scores)[:5]
    top = [{"label": _labels[at], "score": round(float(scores[at]), 6)} for at in best]
    return {**top[0], "top": top, "infer_us": (time.perf_counter_ns() - started) // 1000}
