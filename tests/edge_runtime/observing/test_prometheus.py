"""What Prometheus reads, by HTTP and with the library's own parser."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("prometheus_client", reason="prometheus-client is not installed (pip install 'edgert[metrics]')")

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from edge_runtime import __version__
from edge_runtime.errors import ConfigError
from edge_runtime.observing.metrics import BOUNDS_US, Metrics, Moment
from edge_runtime.observing.prometheus import MOST_CLIENTS, PrometheusEndpoint
from tests.brokers import free_port, wait_until

OPEN = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(time.monotonic)


@pytest.fixture
def endpoint(metrics: Metrics) -> Iterator[PrometheusEndpoint]:
    moment = Moment(queued=2, running=1, received=9, memory_mb=96.0, versions={"intents": "1"})
    made = PrometheusEndpoint("127.0.0.1", 0, "hub", metrics, lambda: moment)
    yield made
    made.close()


def page(endpoint: PrometheusEndpoint, accept: str = "text/plain") -> str:
    asked = urllib.request.Request(f"http://127.0.0.1:{endpoint.port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(asked, timeout=5) as reply:
        text: str = reply.read().decode()
    return text


def samples(text: str) -> dict[tuple[str, ...], float]:
    """(name, label values in alphabetic order of the labels) -> value."""
    return {
        (one.name, *(one.labels[key] for key in sorted(one.labels))): one.value
        for family in parse(text)
        for one in family.samples
    }


def test_requests_are_counted_by_model_version_and_status(metrics: Metrics, endpoint: PrometheusEndpoint) -> None:
    for status in (200, 200, 413):
        metrics.finished("intents", "1", status, "", queue_us=1, encode_us=2, infer_us=3, answer_us=4, last=None)
    found = samples(page(endpoint))
    assert found["edgert_requests_total", "intents", "200", "1"] == 2
    assert found["edgert_requests_total", "intents", "413", "1"] == 1


def test_times_are_a_histogram_in_seconds_by_phase(metrics: Metrics, endpoint: PrometheusEndpoint) -> None:
    for infer_us in (2048, 2049):
        metrics.finished("m", "1", 200, "", queue_us=10, encode_us=20, infer_us=infer_us, answer_us=0, last=None)
    found = samples(page(endpoint))
    buckets = {key[1]: value for key, value in found.items() if key[0].endswith("_bucket") and key[3] == "infer"}
    assert buckets["0.001024"] == 0
    assert buckets["0.002048"] == 1
    assert buckets["0.004096"] == buckets["+Inf"] == 2
    assert len(buckets) == len(BOUNDS_US) + 1
    assert found["edgert_request_seconds_count", "m", "infer", "1"] == 2
    assert found["edgert_request_seconds_sum", "m", "infer", "1"] == pytest.approx(0.004097)
    assert found["edgert_request_seconds_sum", "m", "tokenize", "1"] == pytest.approx(0.00004)


def test_the_state_of_the_daemon_and_the_board_is_there_and_what_is_unknown_is_not(
    endpoint: PrometheusEndpoint,
) -> None:
    found = samples(page(endpoint))
    assert found["edgert_build_info", "hub", __version__] == 1
    assert found[("edgert_queued_requests",)] == 2
    assert found[("edgert_running_requests",)] == 1
    assert found[("edgert_received_requests_total",)] == 9
    assert found[("edgert_memory_bytes",)] == 96 * 2**20
    assert ("edgert_temperature_celsius",) not in found


def test_the_page_is_valid_openmetrics_too_even_for_odd_names(metrics: Metrics, endpoint: PrometheusEndpoint) -> None:
    metrics.finished('a"\\\n', "1", 200, "", queue_us=1, encode_us=2, infer_us=3, answer_us=4, last=None)
    text = page(endpoint, OPEN)
    assert text.endswith("# EOF\n")
    families = list(parse_open(text))  # type: ignore[no-untyped-call]
    names = {one.labels.get("model") for family in families for one in family.samples}
    assert 'a"\\\n' in names


def test_a_port_that_is_taken_is_a_config_error_that_names_it(metrics: Metrics) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"metrics\.port {port}: Address already in use"):
            PrometheusEndpoint("127.0.0.1", port, "hub", metrics, Moment)


@pytest.mark.parametrize(("host", "port"), [("203.0.113.1", 9469), ("127.0.0.1", 70_000), ("no host", 9469)])
def test_a_place_where_nobody_can_listen_is_a_config_error(metrics: Metrics, host: str, port: int) -> None:
    with pytest.raises(ConfigError, match=r"cannot listen at metrics\.host"):
        PrometheusEndpoint(host, port, "hub", metrics, Moment)


def test_the_port_is_free_again_after_closing(metrics: Metrics) -> None:
    first = PrometheusEndpoint("127.0.0.1", 0, "hub", metrics, Moment)
    page(first)
    first.close()
    second = PrometheusEndpoint("127.0.0.1", first.port, "hub", metrics, Moment)
    assert page(second)
    second.close()


def test_a_client_that_says_nothing_holds_up_no_other(endpoint: PrometheusEndpoint) -> None:
    with socket.create_connection(("127.0.0.1", endpoint.port)):
        assert page(endpoint)


def test_clients_that_say_nothing_are_bounded_and_one_too_many_is_hung_up_on(endpoint: PrometheusEndpoint) -> None:
    with contextlib.ExitStack() as silent:
        for _ in range(MOST_CLIENTS):
            silent.enter_context(socket.create_connection(("127.0.0.1", endpoint.port), timeout=5))
        last = silent.enter_context(socket.create_connection(("127.0.0.1", endpoint.port), timeout=5))
        assert last.recv(1) == b""
    wait_until("the page is there again", lambda: is_there(endpoint))


def is_there(endpoint: PrometheusEndpoint) -> bool:
    try:
        return bool(page(endpoint))
    except OSError:
        return False


def test_the_document_lists_every_metric_of_the_page_and_no_other(
    metrics: Metrics, endpoint: PrometheusEndpoint
) -> None:
    metrics.finished("m", "1", 200, "", queue_us=1, encode_us=2, infer_us=3, answer_us=4, last=None)
    shown = set(re.findall(r"^# TYPE (\w+) ", page(endpoint), re.M)) | {"edgert_temperature_celsius"}
    document = Path(__file__).parents[3] / "docs/observability.md"
    rows = re.findall(r"^\| (`edgert_\w+`.*?) \|", document.read_text(encoding="utf-8"), re.M)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == shown


def test_without_the_extra_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from edge_runtime.errors import MissingExtra\n"
        "try:\n    import edge_runtime.observing.prometheus\n"
        "except MissingExtra as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'edgert[metrics]'" in done.stdout
