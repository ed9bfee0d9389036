"""`Metrics` for Prometheus over HTTP: read when somebody asks, so a request costs nothing. Imports prometheus_client.

Needs `pip install 'edgert[metrics]'`.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

from edge_runtime import __version__
from edge_runtime.errors import ConfigError, MissingExtra
from edge_runtime.observing.metrics import BOUNDS_US, Histogram, Metrics, Moment

try:
    from prometheus_client import CollectorRegistry, MetricsHandler
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
    from prometheus_client.registry import Collector
except ModuleNotFoundError as error:
    raise MissingExtra("prometheus_client", "metrics") from error

log = logging.getLogger("edgert.metrics")

MOST_CLIENTS = 16  # at once
_STOP_S = 0.1  # how soon the server sees that it shall end
_SILENT_S = 10  # a client that says nothing is cut off: each costs a thread
_BOUNDS_S = tuple(f"{bound / 1e6:g}" for bound in BOUNDS_US)


class _Counted(Collector):
    """What Prometheus reads."""

    def __init__(self, device: str, metrics: Metrics, moment: Callable[[], Moment]) -> None:
        self._device, self._metrics, self._moment = device, metrics, moment

    def describe(self) -> list[Metric]:
        """Nothing, so that registering reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families, as of now."""
        yield from self._by_model()
        moment = self._moment()
        build = GaugeMetricFamily("edgert_build_info", "Which edgert this is; always 1.", labels=["version", "device"])
        build.add_metric([__version__, self._device], 1)
        yield build
        yield from self._gauges(moment)
        for name, text, count in (
            ("edgert_received_requests", "Requests that came in.", moment.received),
            ("edgert_answered_requests", "Replies that were sent, repeats included.", moment.answered),
            ("edgert_refused_requests", "Error replies, for whatever reason.", moment.refused),
            ("edgert_repeated_requests", "Requests that were answered without a run of their own.", moment.repeated),
            ("edgert_unsent_replies", "Replies that the broker did not take.", moment.unsent),
        ):
            yield CounterMetricFamily(name, text, value=count)

    def _by_model(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "edgert_requests", "Requests that were run, by outcome.", labels=["model", "version", "status"]
        )
        seconds = HistogramMetricFamily(
            "edgert_request_seconds", "Where the time of answers went.", labels=["model", "version", "phase"]
        )
        for series in self._metrics.series():
            for status, count in sorted(series.statuses.items()):
                requests.add_metric([series.model, series.version, str(status)], count)
            for phase, histogram in series.histograms.items():
                buckets = _buckets(histogram)
                seconds.add_metric([series.model, series.version, phase], buckets, histogram.sum_us / 1e6)
        yield from (requests, seconds)

    def _gauges(self, moment: Moment) -> Iterator[Metric]:
        memory_bytes = None if moment.memory_mb is None else moment.memory_mb * (1 << 20)
        gauges = (
            ("edgert_uptime_seconds", "Since the daemon started.", self._metrics.uptime_s),
            ("edgert_queued_requests", "Requests that wait.", moment.queued),
            ("edgert_running_requests", "Requests that run.", moment.running),
            ("edgert_workers", "Threads that run models.", moment.workers),
            ("edgert_models", "Models that can be asked.", len(moment.versions)),
            ("edgert_memory_bytes", "Memory of the process that is in RAM.", memory_bytes),
            ("edgert_temperature_celsius", "Of the processor.", moment.temperature_c),
        )
        for name, text, value in gauges:
            if value is not None:
                yield GaugeMetricFamily(name, text, value=value)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    return [*zip(_BOUNDS_S, histogram.cumulated, strict=True), ("+Inf", histogram.count)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[MetricsHandler]) -> None:
        self._free = threading.Semaphore(MOST_CLIENTS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread; hang up on a client that is one too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The thread of one client."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def server_bind(self) -> None:
        """Bind without looking up our own name, as HTTPServer does: without a DNS server that takes many seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "edgert", self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of ours."""
        log.debug("a client of the metrics page failed", exc_info=True)


class PrometheusEndpoint:
    """The page that Prometheus reads, at `http://host:port/metrics`; use it as long as the daemon runs.

    Args:
        host, port: where to listen; port 0 lets the system choose.
        device: this device's name.
        metrics: what to show.
        moment: what to show besides; called on the server's thread.

    Raises:
        ConfigError: nobody can listen there; says why.
    """

    def __init__(self, host: str, port: int, device: str, metrics: Metrics, moment: Callable[[], Moment]) -> None:
        registry = CollectorRegistry()
        registry.register(_Counted(device, metrics, moment))
        handler = type("_Handler", (MetricsHandler,), {"registry": registry, "timeout": _SILENT_S})
        try:
            self._server = _server_class(host)((host, port), handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(f"cannot listen at metrics.host {host}, metrics.port {port}: {reason}") from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOP_S,), name="edgert-metrics", daemon=True
        )
        self._thread.start()
        log.info("metrics for Prometheus: http://%s:%d/metrics", f"[{host}]" if ":" in host else host, self.port)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _server_class(host: str) -> type[_Server]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return type("_Server", (_Server,), {"address_family": family})
