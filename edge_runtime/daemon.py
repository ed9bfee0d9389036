"""The daemon: loads bundles, connects to the broker, answers until it is told to stop."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_runtime import __version__
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.config import Config
from edge_runtime.errors import ConfigError
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.contract import JSON
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.pipeline import Pipeline, open_pipeline
from edge_runtime.service import Service

log = logging.getLogger("edgert.daemon")

DRAIN_S = 5.0
RUN_OUT_S = 30.0  # for the one run that was left: ending the process under it would abort it (SIGABRT, not status 0)
CONTRACT_VERSION = 1


class Daemon:
    """Models, service and broker connection, built from a Config.

    Args:
        config: with at least one bundle.
        address: the broker, if it is not the config's (as for a broker that was just started).

    Raises:
        ConfigError: no bundle, or two of one name.
        BundleError, UnsupportedModel, UnsupportedTokenizer: a bundle cannot be run; nothing was connected.
    """

    def __init__(self, config: Config, address: BrokerAddress | None = None) -> None:
        self.config = config
        self.topics = Topics(config.device, config.broker.root, config.broker.reply_prefixes)
        self.models = load_models(config.bundles, config.runtime.threads)
        self.service = Service(self.models, self.topics, config.limits, self._publish, self._publish_minor)
        self.failed = threading.Event()
        self.connection = Connection(
            address or broker_address(config),
            client_id=f"edgert-{config.device}",
            subscriptions=[(self.topics.requests, 1), (self.topics.status, 1)],
            will=self._status("offline"),
            on_message=self._receive,
            on_ready=self._announce,
            on_fatal=self.failed.set,
            keepalive_s=config.broker.keepalive_s,
            max_packet_bytes=config.limits.payload_bytes + 4096,  # room for topic and properties
        )

    def start(self) -> None:
        """Start answering; returns at once, the broker may still be away."""
        self.service.start()
        self.connection.start()

    def stop(self) -> None:
        """Take nothing new, finish what waits, say `offline`, disconnect."""
        finished = self.service.drain(DRAIN_S)
        self.connection.stop(farewell=[self._status("offline")])
        counters = self.service.counters
        told = (counters.answered, counters.refused.total(), counters.unsent)
        log.info("stopped: %d answered, %d refused, %d replies not sent", *told)
        if not finished:
            log.warning("some requests were not finished in %g s and were told so", DRAIN_S)
            self.service.drain(RUN_OUT_S)

    def _publish(self, message: Message) -> bool:
        return self.connection.publish(message)

    def _publish_minor(self, message: Message) -> bool:
        return self.connection.publish(message, minor=True)

    def _receive(self, message: Message) -> None:
        if message.topic != self.topics.status:
            self.service.receive(message)
        elif message.payload != b"online" and self.connection.ready:  # not ready: `_announce` is yet to come
            # An old last will may come after our `online` when a connection was replaced quickly.
            self._publish(self._status("online"))

    def _announce(self) -> None:
        """Publish what clients look for; `online` comes last, when requests are already taken."""
        self._publish(_retained(self.topics.info, self._info()))
        for name, pipeline in self.models.items():
            self._publish(_retained(self.topics.model(name), model_document(pipeline)))
        self._publish(self._status("online"))

    def _status(self, word: str) -> Message:
        return Message(self.topics.status, word.encode(), qos=1, retain=True)

    def _info(self) -> dict[str, object]:
        return {
            "device": self.config.device,
            "edgert": __version__,
            "contract": CONTRACT_VERSION,
            "models": sorted(self.models),
            "formats": [JSON],
            "limits": dataclasses.asdict(self.config.limits),
        }


def load_models(bundles: Sequence[str], threads: int) -> dict[str, Pipeline]:
    """Open every bundle folder; name -> pipeline."""
    if not bundles:
        raise ConfigError("no bundle to serve: give --bundle DIR or `bundles` in the config")
    models: dict[str, Pipeline] = {}
    for folder in bundles:
        pipeline = open_pipeline(Path(folder), threads)
        pipeline.vectors(["warm up"], truncate=True)  # the first run allocates; no client should wait for that
        name = pipeline.manifest.name
        if name in models:
            raise ConfigError(f"two bundles are named {name!r}: serve one of them")
        models[name] = pipeline
        log.info("loaded %s %s from %s", name, pipeline.manifest.version, folder)
    _give_back_memory()
    return models


def _give_back_memory() -> None:
    """Return to the system what loading has freed; glibc would keep it (15 MB of 120 with MiniLM)."""
    with contextlib.suppress(AttributeError, OSError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)


def broker_address(config: Config) -> BrokerAddress:
    """The config's broker with user, password and CA file laid over what its URL says."""
    broker = config.broker
    password = broker.password
    if broker.password_file:
        try:
            password = Path(broker.password_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise ConfigError(f"cannot read broker.password_file {broker.password_file}: {reason}") from error
    url = BrokerAddress.parse(broker.url)
    return dataclasses.replace(
        url,
        username=broker.username or url.username,
        password=password or url.password,
        ca_file=broker.ca_file or url.ca_file,
    )


def model_document(pipeline: Pipeline) -> dict[str, object]:
    """What clients can know of a model: KServe v2 metadata plus edgert's own keys."""
    manifest = pipeline.manifest
    return {
        "name": manifest.name,
        "versions": [manifest.version],
        "platform": f"edgert_{manifest.model.engine}",
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
        "outputs": _outputs(manifest),
        "task": manifest.task.name,
        "labels": list(manifest.task.labels),
        "limits": dataclasses.asdict(manifest.limits),
        "scheme": manifest.model.scheme,
        "license": manifest.source.license,
    }


def _outputs(manifest: Manifest) -> list[dict[str, object]]:
    width = manifest.model.outputs[0].shape[-1]
    vector = {"datatype": "FP32", "shape": [-1, width if isinstance(width, int) else -1]}
    if manifest.task.name == "embed":
        return [{"name": "embedding", **vector}]
    label, score = {"name": "label", "datatype": "BYTES"}, {"name": "score", "datatype": "FP32"}
    return [{**label, "shape": [-1]}, {**score, "shape": [-1]}, {"name": "probabilities", **vector}]


def _retained(topic: str, document: Mapping[str, object]) -> Message:
    payload = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Message(topic, payload, qos=1, retain=True, content_type=JSON)
