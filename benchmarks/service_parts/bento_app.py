"""BentoML as a peer, with its adaptive batching: `python -m bentoml serve benchmarks.service_parts.bento_app:Model`."""

from __future__ import annotations

from typing import Any

import bentoml

from benchmarks.service_parts.peer_settings import MAX_BATCH
from benchmarks.service_parts.served_model import ServedModel


@bentoml.service(workers=1, logging={"access": {"enabled": False}}, metrics={"enabled": False})
class Model:
    """One worker process with the model."""

    def __init__(self) -> None:
        self._model = ServedModel()

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH, max_latency_ms=1000)
    def infer(self, text: list[str]) -> list[dict[str, Any]]:
        """Answer the requests of a batch."""
        return self._model.answer(text)
