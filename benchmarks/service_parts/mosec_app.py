"""mosec as a peer, batching what is waiting: `python -m benchmarks.service_parts.mosec_app --address .. --port ..`."""

from __future__ import annotations

from typing import Any

from mosec import Server, Worker

from benchmarks.service_parts.peer_settings import MAX_BATCH
from benchmarks.service_parts.served_model import ServedModel

MAX_WAIT_MS = 1  # the least that mosec takes; its default of 10 would be added to each request that comes alone


class Model(Worker):
    """One process with the model."""

    def __init__(self) -> None:
        super().__init__()
        self._model = ServedModel()

    def forward(self, data: list[dict[str, Any]]) -> list[dict[str, object]]:
        """Answer the requests of a batch."""
        return self._model.answer([question["text"] for question in data])


if __name__ == "__main__":
    server = Server()
    server.append_worker(Model, num=1, max_batch_size=MAX_BATCH, max_wait_time=MAX_WAIT_MS, route="/infer")
    server.run()
