"""Ask devices for inferences from Python: `Client(url).infer(model, text)`."""

from __future__ import annotations

from edge_runtime.client.answer import Answer, Chunk
from edge_runtime.client.boards import FoundModel
from edge_runtime.client.client import Client

__all__ = ["Answer", "Chunk", "Client", "FoundModel"]
