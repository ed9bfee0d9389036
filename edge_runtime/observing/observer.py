"""Everything that watches the daemon at work, built from its config: counters, audit file, reports, Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable

from edge_runtime.config import Config
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.observing.accounting import Accounting
from edge_runtime.observing.audit import Audit
from edge_runtime.observing.board_state import process_memory_mb, temperature_c
from edge_runtime.observing.metrics import Metrics, Moment
from edge_runtime.observing.reporting import Reports
from edge_runtime.service import Service


class Observer:
    """What counts and tells.

    Args:
        config, topics: of the daemon.
        moment: what the daemon knows of itself; called on the thread that ticks, and on those of Prometheus' clients.
        publish: sends a message; False if it could not be sent.

    Raises:
        ConfigError: the audit file cannot be written.

    Attributes:
        finished: to be told of every request that was run (`Service(finished=...)`).
        reports: to be ticked.
    """

    def __init__(
        self, config: Config, topics: Topics, moment: Callable[[], Moment], publish: Callable[[Message], bool]
    ) -> None:
        self._config, self._device, self._moment = config.metrics, topics.device, moment
        self.metrics = Metrics(time.monotonic)
        self._audit = Audit(config.audit) if config.audit.file else None
        self.finished = Accounting(self.metrics, self._audit)
        self.reports = Reports(topics, self.metrics, moment, publish, config.metrics.stats_s)
        self._close_endpoint: Callable[[], None] | None = None

    def start(self) -> None:
        """Let Prometheus read, if the config says where.

        Raises:
            ConfigError: nobody can listen there.
            MissingExtra: prometheus_client is not installed.
        """
        if self._config.port:
            from edge_runtime.observing.prometheus import PrometheusEndpoint

            where = self._config.host, self._config.port
            self._close_endpoint = PrometheusEndpoint(*where, self._device, self.metrics, self._moment).close

    def stop(self) -> None:
        """Write what is left; after this nothing is kept."""
        if self._close_endpoint is not None:
            self._close_endpoint()
        if self._audit is not None:
            self._audit.close()


def moment_of(service: Service) -> Moment:
    """What a service and the board are like now. A model that would have to be loaded first has the version ""."""
    counters, running = service.counters, service.running
    loaded = dict(service.models.loaded)
    return Moment(
        queued=max(0, service.queued - running),
        running=running,
        workers=service.workers,
        received=counters.received,
        answered=counters.answered,
        refused=counters.refused.total(),
        unsent=counters.unsent,
        repeated=counters.repeated,
        memory_mb=process_memory_mb(),
        temperature_c=temperature_c(),
        versions={name: loaded[name].manifest.version if name in loaded else "" for name in service.models.names},
    )
