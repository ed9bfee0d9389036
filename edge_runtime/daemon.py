"""The daemon: loads bundles, connects to the broker, answers until it is told to stop."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import os
import random
import threading
import time
from pathlib import Path

from edge_runtime import __version__
from edge_runtime.announcing import document_message, info_document, model_document
from edge_runtime.bundle.manifest import read_manifest
from edge_runtime.config import Config
from edge_runtime.engine import import_engine
from edge_runtime.engine.memory import ModelShelf, default_budget_mb, process_rss_mb
from edge_runtime.errors import ConfigError, EdgertError
from edge_runtime.housekeeping import Every, Housekeeping
from edge_runtime.keeper import Keeper
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.contract import CONTENT_TYPES
from edge_runtime.mqtt.homeassistant import HomeAssistant, ModelFacts
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.observing.board_state import temperature_c
from edge_runtime.observing.metrics import Moment
from edge_runtime.observing.observer import Observer, moment_of
from edge_runtime.observing.reporting import Heartbeat
from edge_runtime.pipeline import Pipeline, Result
from edge_runtime.rules.runner import RuleRunner
from edge_runtime.service import Service
from edge_runtime.service.job import Job, Outcome
from edge_runtime.systemd.notifier import Notifier
from edge_runtime.verbs import Verbs

log = logging.getLogger("edgert.daemon")

DRAIN_S = 5.0
MEMORY_LOOK_S = 30.0
BIRTH_PAUSE_S = 3.0
_NOBODY = Notifier()
RUN_OUT_S = 30.0  # for the one run that was left: ending the process under it would abort it (SIGABRT, not status 0)


class Daemon:
    """Models, service and broker connection, built from a Config.

    Args:
        config: with at least one bundle.
        address: the broker, if it is not the config's (as for a broker that was just started).
        notifier: tells systemd that the daemon lives.

    Raises:
        ConfigError: no bundle, or two of one name.
        BundleError, UnsupportedModel, UnsupportedTokenizer, NoMemory: a bundle cannot be run; nothing was connected.
    """

    def __init__(self, config: Config, address: BrokerAddress | None = None, notifier: Notifier = _NOBODY) -> None:
        self.config = config
        self.topics = Topics(config.device, config.broker.root, config.broker.reply_prefixes, config.group)
        self.models: dict[str, Pipeline] = {}
        self.observer = Observer(config, self.topics, self._moment, self._publish)
        self.service = Service(
            self.models,
            self.topics,
            config.limits,
            self._publish,
            self._publish_minor,
            scheduling=config.scheduler,
            control=lambda asked: self.verbs.obey(asked),
            wanted=lambda name: self.keeper.want(name),
            finished=self._finished,
        )
        import_engine()  # what its libraries take belongs to the process, not to the first model
        shelf = ModelShelf(config.memory.budget_mb or default_budget_mb(), base_mb=process_rss_mb())
        self.keeper = Keeper(self.service, shelf, _threads(config), self._model_changed)
        self.verbs = Verbs(self.service, self.keeper, config.control, self._health)
        self.rules = RuleRunner(
            config.rules, self.topics, self.service.receive, lambda event: self.connection.publish(event)
        )
        self.home = _home(config, self.topics)
        self._home_due_s = math.inf
        self.failed = threading.Event()
        group = [(self.topics.group_requests, 1)] if config.group else []
        self.connection = Connection(
            address or broker_address(config),
            client_id=f"edgert-{config.device}",
            subscriptions=[
                (self.topics.requests, 1),
                *group,
                *((heard, 1) for heard in self.rules.subscriptions),
                (self.topics.status, 1),
                *([(self.home.birth, 1)] if self.home else []),
            ],
            will=self._status("offline"),
            on_message=self._receive,
            on_ready=self._announce,
            on_fatal=self.failed.set,
            keepalive_s=config.broker.keepalive_s,
            max_packet_bytes=config.limits.payload_bytes + 4096,  # room for topic and properties
        )
        self.keeper.add(config.bundles, on_demand=config.memory.on_demand)
        self.housekeeping = Housekeeping(
            [
                self._report,
                self._describe_if_due,
                Heartbeat(notifier, self._is_well).tick,
                Every(MEMORY_LOOK_S, self._look_at_memory),
            ]
        )
        manifests = map(read_manifest, self.keeper.folders.values())
        self.rules.rules.check({manifest.name: manifest.task.labels for manifest in manifests})

    def start(self) -> None:
        """Start answering; returns at once, the broker may still be away."""
        self.observer.start()
        self.housekeeping.start()
        self.service.start()
        self.keeper.start()
        self.rules.start()
        self.connection.start()

    def stop(self) -> None:
        """Take nothing new, finish what waits, say `offline`, disconnect."""
        self.rules.stop()
        finished = self.service.drain(DRAIN_S)
        self.keeper.stop()
        self.housekeeping.stop()
        self.connection.stop(farewell=[self._status("offline")])
        counters = self.service.counters
        told = (counters.answered, counters.refused.total(), counters.unsent)
        log.info("stopped: %d answered, %d refused, %d replies not sent", *told)
        if not finished:
            log.warning("some requests were not finished in %g s and were told so", DRAIN_S)
            self.service.drain(RUN_OUT_S)
        self.observer.stop()

    def reload(self, config: Config) -> list[str]:
        """Take over what may change while the daemon runs: bundles and the log's level.

        Returns:
            What was not done, one line each: bundles that could not be loaded, settings that need a restart.
        """
        problems = self.keeper.keep_only(config.bundles)
        logging.getLogger().setLevel(config.runtime.log_level.upper())
        same = dataclasses.replace(config, bundles=self.config.bundles, runtime=self.config.runtime)
        if same != self.config:
            names = [entry.name for entry in dataclasses.fields(Config) if _differ(entry.name, same, self.config)]
            problems.append(f"{', '.join(names)}: changed, and taken over at the next start only")
        return problems

    def _publish(self, message: Message) -> bool:
        return self.rules.take_reply(message) or self.connection.publish(message)

    def _publish_minor(self, message: Message) -> bool:
        return self.rules.take_reply(message) or self.connection.publish(message, minor=True)

    def _receive(self, message: Message) -> None:
        if self.home is not None and self.home.is_birth(message):
            self._home_due_s = time.monotonic() + random.uniform(0, BIRTH_PAUSE_S)
        heard = self.rules.receive(message)
        if message.topic != self.topics.status:
            # No rule may look at requests, so what a rule looks at is none.
            if not heard and message.topic.startswith(self.topics.root):
                self.service.receive(message)
        elif message.payload != b"online" and self.connection.ready:  # not ready: `_announce` is yet to come
            # An old last will may come after our `online` when a connection was replaced quickly.
            self._publish(self._status("online"))

    def _announce(self) -> None:
        """Publish what clients look for; `online` comes last, when requests are already taken."""
        self._publish(document_message(self.topics.info, self._info()))
        for name in self.service.models.names:
            self._publish(self._model_message(name))
        self._describe()
        self._publish(self._status("online"))
        self.observer.reports.connected()

    def _model_changed(self, name: str) -> None:
        """A model was loaded, exchanged, put away or unloaded."""
        if self.connection.ready:  # else `_announce` is yet to come
            self._publish(self._model_message(name))
            self._publish(document_message(self.topics.info, self._info()))
            self._describe()

    def _describe(self) -> None:
        """Tell Home Assistant what is here."""
        if self.home is not None:
            manifests = [pipeline.manifest for pipeline in self.models.values()]
            facts = [ModelFacts(one.name, one.version, one.task.name == "classify") for one in manifests]
            self._publish(self.home.description(sorted(facts, key=lambda fact: fact.name)))

    def _describe_if_due(self, now_s: float) -> None:
        """Home Assistant has started some seconds ago: tell it again, but not together with everybody else."""
        if now_s >= self._home_due_s and self.connection.ready:
            self._home_due_s = math.inf
            self._describe()

    def _model_message(self, name: str) -> Message:
        pipeline, folder = self.models.get(name), self.keeper.folders.get(name)
        if pipeline is not None:
            return document_message(self.topics.model(name), model_document(pipeline.manifest))
        if folder is not None:
            with contextlib.suppress(EdgertError):
                return document_message(self.topics.model(name), model_document(read_manifest(folder), ready=False))
        return Message(self.topics.model(name), b"", qos=1, retain=True)

    def _finished(self, job: Job, pipeline: Pipeline, outcome: Outcome, result: Result | None, row: int) -> None:
        """A request was run; on a worker's thread."""
        self.keeper.used(job.request.model)
        self.observer.finished(job, pipeline, outcome, result, row)

    def _moment(self) -> Moment:
        return moment_of(self.service, self.config.scheduler.workers)

    def _report(self, now_s: float) -> None:
        if self.connection.ready:
            self.observer.reports.tick(now_s)

    def _is_well(self) -> bool:
        """Whether the network thread lives; a model that runs long is not taken for a daemon that hangs."""
        return self.connection.alive

    def _look_at_memory(self) -> None:
        self.keeper.call(self.keeper.recycle_if_drifted)

    def _status(self, word: str) -> Message:
        return Message(self.topics.status, word.encode(), qos=1, retain=True)

    def _info(self) -> dict[str, object]:
        return info_document(self.config, self.service.models.names, list(CONTENT_TYPES))

    def _health(self) -> dict[str, object]:
        return {"live": True, "ready": self.connection.ready, "queued": self.service.queued}


def _threads(config: Config) -> int:
    """Threads of each session: the workers share the cores."""
    if config.runtime.threads or config.scheduler.workers == 1:
        return config.runtime.threads
    return max(1, (os.cpu_count() or 1) // config.scheduler.workers)


def _home(config: Config, topics: Topics) -> HomeAssistant | None:
    if not config.home_assistant.discovery:
        return None
    return HomeAssistant(
        topics,
        __version__,
        prefix=config.home_assistant.prefix,
        stats_s=config.metrics.stats_s,
        rules=[rule.name for rule in config.rules if not rule.publish and not rule.payload],
        has_temperature=temperature_c() is not None,
    )


def _differ(name: str, one: Config, other: Config) -> bool:
    return bool(getattr(one, name) != getattr(other, name))


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
        cert_file=broker.cert_file or url.cert_file,
        key_file=broker.key_file or url.key_file,
    )
