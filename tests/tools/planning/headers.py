"""Model files for tests of header readers: a GGUF writer, a safetensors writer, and how many bytes a reader reads."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

MIB = 1 << 20


def gguf_text(value: str) -> bytes:
    """A string of GGUF."""
    content = value.encode()
    return struct.pack("<Q", len(content)) + content


def gguf_value(value: object) -> bytes:
    """A typed value of GGUF: text, int as u32, float as f32, bool, list of texts or ints."""
    if isinstance(value, str):
        return struct.pack("<I", 8) + gguf_text(value)
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    assert isinstance(value, list)
    texts = bool(value) and isinstance(value[0], str)
    items = b"".join(gguf_text(item) if texts else struct.pack("<I", item) for item in value)
    return struct.pack("<IIQ", 9, 8 if texts else 4, len(value)) + items


def gguf_bytes(metadata: Mapping[str, object], tensors: Iterable[tuple[str, tuple[int, ...], int, int]]) -> bytes:
    """A whole GGUF file; a tensor is name, shape with the inputs first, ggml type, bytes. The data are zeros."""
    tensors = list(tensors)
    parts = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    parts += [gguf_text(key) + gguf_value(value) for key, value in metadata.items()]
    place = 0
    for name, shape, kind, size in tensors:
        dims = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        parts.append(gguf_text(name) + dims + struct.pack("<IQ", kind, place))
        place += size + -size % 32
    header = b"".join(parts)
    return header + bytes(-len(header) % 32) + bytes(place)


LLAMA: Mapping[str, object] = {
    "general.architecture": "llama",
    "general.license": "mit",
    "general.name": "Tiny",
    "llama.block_count": 2,
    "llama.embedding_length": 64,
    "llama.feed_forward_length": 128,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "llama.context_length": 4096,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.tokens": [f"word{number}" for number in range(100)],
}


def llama_tensors() -> list[tuple[str, tuple[int, ...], int, int]]:
    """A tied table, and two layers with a matrix of Q8_0 and one of F32 each."""
    layers = [
        tensor
        for number in range(2)
        for tensor in (
            (f"blk.{number}.attn_q.weight", (64, 64), 8, 64 * 64 // 32 * 34),
            (f"blk.{number}.ffn_up.weight", (64, 128), 0, 64 * 128 * 4),
            (f"blk.{number}.attn_norm.weight", (64,), 0, 256),
        )
    ]
    return [("token_embd.weight", (64, 4000), 8, 64 * 4000 // 32 * 34), *layers]


def safetensors_header(tensors: Mapping[str, tuple[str, tuple[int, ...], int]]) -> bytes:
    """Length and JSON of a header; a tensor is type, shape, bytes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    place = 0
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [place, place + size]}
        place += size
    content = json.dumps(header).encode()
    return struct.pack("<Q", len(content)) + content


def write_sparse(file: Path, header: bytes, data_bytes: int) -> Path:
    """A file with that much data after its header, of which the disk holds nothing."""
    with file.open("wb") as stream:
        stream.write(header)
        stream.truncate(len(header) + data_bytes)
    return file


def bytes_read() -> int:
    """Bytes that this process has read so far, by `rchar` of /proc/self/io."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])
