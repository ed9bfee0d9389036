"""Decoders: a GGUF file -> checkpoint; a checkpoint -> ONNX by ONNX Runtime GenAI's model builder, and its logits.

Runs in the environment of `locks/genai.txt`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Say = Callable[[str], None]


class Refused(Exception):
    """What cannot be done, why, and what helps."""

    def __init__(self, what: str, why: str, remedy: str = "") -> None:
        super().__init__(f"{what}: {why}")
        self.what, self.why, self.remedy = what, why, remedy


def dequantize(say: Say, *, file: str, out: str) -> dict[str, object]:
    """Write a GGUF file as a float32 checkpoint with its tokenizer.

    Args:
        file: the GGUF file.
        out: folder to make: config.json, model.safetensors, tokenizer.json, chat_template.jinja, ...
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, name = os.path.split(file)
    say("reading its weights as float32")
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    except (ValueError, KeyError, NotImplementedError, OSError) as error:
        raise Refused(
            f"{name} cannot be read",
            " ".join(str(error).split())[:300] or type(error).__name__,
            "take a GGUF of a llama-like model, or the checkpoint that it was made of",
        ) from error
    model.hf_quantizer = None  # it is float now; transformers would refuse to save it as the GGUF that it was
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(out, max_shard_size="100GB")
    tokenizer.save_pretrained(out)
    copy = Path(out) / "tokenizer.model"
    if copy.is_file() and copy.stat().st_size == Path(file).stat().st_size:
        copy.unlink()  # some versions save the whole GGUF once more under this name
    return {"parameters": sum(weight.numel() for weight in model.parameters())}


def build(say: Say, *, checkpoint: str, out: str, precision: str, options: dict[str, str]) -> dict[str, object]:
    """Build the graph of a checkpoint.

    Args:
        checkpoint: folder.
        out: folder to make: model.onnx, model.onnx.data, genai_config.json.
        precision: fp32, int8 or int4.
        options: the builder's own, KEY -> VALUE.
    """
    say(f"building its graph, {precision}")
    cache = str(Path(out).parent / "builder-cache")
    command = [sys.executable, "-I", "-m", "onnxruntime_genai.models.builder", "-m", "model", "-i", checkpoint]
    command += ["-o", out, "-p", precision, "-e", "cpu", "-c", cache, "--extra_options"]
    command += [f"{name}={value}" for name, value in options.items()]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        raise Refused("the model builder stopped", " ".join(last.split())[:300], "take another model or scheme")
    config: dict[str, Any] = json.loads((Path(out) / "genai_config.json").read_bytes())
    return {"genai_config": config}


def logits(say: Say, *, checkpoint: str, tokens: Sequence[int], out: str) -> dict[str, object]:
    """Save the float model's logits, (tokens, words) float32, as transformers computes them.

    Returns:
        `missing`: names of weights that the checkpoint lacks and that would be filled at random.
    """
    import numpy as np
    import torch
    from transformers import AutoModelForCausalLM

    say("the float model's own answers, by transformers")
    model, loading = AutoModelForCausalLM.from_pretrained(
        checkpoint, dtype=torch.float32, output_loading_info=True, trust_remote_code=False
    )
    with torch.no_grad():
        found = model.eval()(input_ids=torch.tensor([list(tokens)])).logits[0]
    np.save(out, found.to(torch.float32).numpy())
    return {"missing": sorted(map(str, loading["missing_keys"]))}
