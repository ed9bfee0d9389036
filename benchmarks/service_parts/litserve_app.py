"""LitServe as a peer, batching what is waiting: `python -m benchmarks.service_parts.litserve_app PORT`."""

# No `from __future__ import annotations`: LitServe reads the annotation of `decode_request` and needs the type itself.

import sys
from typing import Any

import litserve

from benchmarks.service_parts.peer_settings import MAX_BATCH
from benchmarks.service_parts.served_model import ServedModel

BATCH_TIMEOUT_S = 0.001  # longer would be added to each request that comes alone


class Model(litserve.LitAPI):
    """One worker process with the model."""

    def setup(self, device: str) -> None:
        """Load the model in the worker."""
        self._model = ServedModel()

    def decode_request(self, request: dict[str, Any]) -> str:
        """The text of a request's JSON."""
        return str(request["text"])

    def batch(self, inputs: list[str]) -> list[str]:
        """Texts stay a list: LitServe's own way is for arrays."""
        return list(inputs)

    def predict(self, texts: list[str]) -> list[dict[str, object]]:
        """Answer the requests of a batch."""
        return self._model.answer(texts)

    def unbatch(self, output: list[dict[str, object]]) -> list[dict[str, object]]:
        """One answer a request."""
        return output

    def encode_response(self, output: dict[str, object]) -> dict[str, object]:
        """The answer's JSON object."""
        return output


if __name__ == "__main__":
    api = Model(max_batch_size=MAX_BATCH, batch_timeout=BATCH_TIMEOUT_S, api_path="/infer")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
