"""The daemon with models that do nothing, one that never ends and one that streams: all that is left is edgert.

python -m benchmarks.service_parts.no_op_daemon BUNDLE BROKER_URL
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.serving import DEVICE
from edge_runtime.config import BrokerConfig, Config, SchedulerConfig
from edge_runtime.daemon import Daemon
from edge_runtime.mqtt.contract import Request
from edge_runtime.pipeline import Pipeline, Result

NO_OP, STUCK, STREAM = "no-op", "stuck", "stream"
CHUNKS = 20_000


class NoOp(Pipeline):
    """Answers at once with the first label."""

    parallel = True

    def __init__(self, like: Pipeline) -> None:
        self.manifest, self.tokenizer, self.task = like.manifest, like.tokenizer, like.task
        self._values = np.zeros((64, len(like.manifest.task.labels)), np.float32)

    def run(self, texts: Sequence[str], truncate: bool = False) -> Result:
        return Result(self._values[: len(texts)], (False,) * len(texts), len(texts), 0, 0, 0)


class Stuck(NoOp):
    """Never answers."""

    def run(self, texts: Sequence[str], truncate: bool = False) -> Result:
        threading.Event().wait()
        raise AssertionError


class Stream(NoOp):
    """Answers in many small pieces, as a language model does."""

    def stream(self, request: Request) -> Iterator[Mapping[str, object]]:
        for number in range(CHUNKS):
            yield {"n": number}


def main() -> None:
    """Serve until SIGTERM."""
    bundle, url = Path(sys.argv[1]), sys.argv[2]
    broker = BrokerConfig(url=url)
    daemon = Daemon(Config(DEVICE, bundles=(str(bundle),), broker=broker, scheduler=SchedulerConfig(workers=2)))
    (loaded,) = daemon.models.values()
    assert isinstance(loaded, Pipeline)
    daemon.models.clear()
    daemon.service.models.known.clear()
    daemon.models.update({NO_OP: NoOp(loaded), STUCK: Stuck(loaded), STREAM: Stream(loaded)})
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    daemon.start()
    stop.wait()
    daemon.connection.stop()


if __name__ == "__main__":
    main()
    # The stuck model's thread would hold up an orderly end.
    import os

    os._exit(0)
