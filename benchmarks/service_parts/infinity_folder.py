"""A bundle laid out as the model folder that infinity-emb opens: the same ONNX file under Hugging Face's names."""

from __future__ import annotations

import json
from pathlib import Path

from edge_runtime.bundle.manifest import read_bundle

MODEL_NAME = "minilm"


def infinity_folder(bundle: Path, folder: Path) -> None:
    """Put it into `folder`; the model and the tokenizer are links to the bundle's own.

    The two settings files say what its loader asks for: an encoder (so that it serves embeddings), and the tokenizer
    as the file has it, cut at the bundle's limit. Pooling is the mean, as infinity-emb has it for such a folder.
    """
    manifest = read_bundle(bundle)
    assert manifest.tokenizer is not None  # it reads texts
    (folder / "model.onnx").symlink_to(bundle / manifest.model.file)
    (folder / "tokenizer.json").symlink_to(bundle / manifest.tokenizer.file)
    limit = manifest.limits.max_tokens
    encoder = {"model_type": "bert", "architectures": ["BertModel"], "max_position_embeddings": limit}
    (folder / "config.json").write_text(json.dumps(encoder | {"hidden_size": manifest.model.outputs[0].shape[-1]}))
    tokenizer = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": limit}
    (folder / "tokenizer_config.json").write_text(
        json.dumps(tokenizer | {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"})
    )
