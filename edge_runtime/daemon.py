"""The daemon: loads bundles, connects to the broker, answers until it is told to stop."""

from __future__ import annotations

import dataclasses
import logging
import threading
from pathlib import Path

from edge_runtime import __version__
from edge_runtime.announcer import Announcer
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.config import Config
from edge_runtime.engine import import_engine
from edge_runtime.engine.cores import Cores, cores_here
from edge_runtime.engine.memory import ModelShelf, default_budget_mb, process_rss_mb
from edge_runtime.errors import ConfigError, MissingExtra
from edge_runtime.housekeeping import Every, Housekeeping
from edge_runtime.keeper import Keeper
from edge_runtime.model import Answer, Answered, Model
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.homeassistant import HomeAssistant, NewerBundle
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.observing.board_state import temperature_c
from edge_runtime.observing.metrics import Moment
from edge_runtime.observing.observer import Observer, moment_of
from edge_runtime.observing.reporting import Heartbeat
from edge_runtime.rules.runner import RuleRunner
from edge_runtime.service import Service
from edge_runtime.service.job import Job, Outcome
from edge_runtime.systemd.notifier import Notifier
from edge_runtime.updates.following import Updates
from edge_runtime.verbs import Verbs

log = logging.getLogger("edgert.daemon")

DRAIN_S = 5.0
MEMORY_LOOK_S = 30.0
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
        self.models: dict[str, Model] = {}
        self.observer = Observer(config, self.topics, self._moment, self._publish)
        cores = _cores(config)
        self.service = Service(
            self.models,
            self.topics,
            config.limits,
            self._publish,
            self._publish_minor,
            scheduling=config.scheduler,
            control=lambda asked: self.verbs.obey(asked),
            takes=lambda name: self.keeper.takes(name),
            wanted=lambda name: self.keeper.want(name),
            finished=self._finished,
            cores=cores,
        )
        import_engine()  # what its libraries take belongs to the process, not to the first model
        shelf = ModelShelf(config.memory.budget_mb or default_budget_mb(), base_mb=process_rss_mb())
        self.keeper = Keeper(self.service, shelf, cores.threads_of, self._model_changed)
        self.updates = self._updates()
        install = self.updates.install if self.updates else None
        self.verbs = Verbs(self.service, self.keeper, config.control, self._health, install)
        self.rules = RuleRunner(
            config.rules, self.topics, self.service.receive, lambda event: self.connection.publish(event)
        )
        self.announcer = Announcer(
            config, self.topics, lambda: self.keeper.models, self._publish, _home(config, self.topics), self._newer
        )
        self.failed = threading.Event()
        self.connection = self._connection(address or broker_address(config))
        stored = self.updates.first() if self.updates else []
        self.keeper.add(
            [*config.bundles, *stored], on_demand=config.memory.on_demand, may_be_none=self.updates is not None
        )
        self.housekeeping = Housekeeping(
            [
                self._report,
                Heartbeat(notifier, self._is_well).tick,
                Every(MEMORY_LOOK_S, self._look_at_memory),
            ]
        )
        self.rules.rules.check({manifest.name: _labels(manifest) for manifest, _ in self.keeper.models})

    def _updates(self) -> Updates | None:
        if not self.config.store:
            return None
        try:
            from edge_runtime.updates.board_store import open_store  # cryptography: for boards with a store only
        except ModuleNotFoundError as error:
            raise MissingExtra(str(error.name), "updates") from error
        store, views = open_store(Path(self.config.store), self.config.updates)
        return Updates(store, views, self.keeper, self.config.updates, self.config.runtime.threads, self._model_changed)

    def _connection(self, address: BrokerAddress) -> Connection:
        config = self.config
        heard = [self.topics.requests, *([self.topics.group_requests] if config.group else []), self.topics.status]
        return Connection(
            address,
            client_id=f"edgert-{config.device}",
            subscriptions=[
                *((topic, 1) for topic in (*heard, *self.rules.subscriptions)),
                *self.announcer.subscriptions,
            ],
            optional=[topic for topic, _ in self.announcer.subscriptions],  # no right to these may stop the answering
            will=self.announcer.status("offline"),
            on_message=self._receive,
            on_read=self.service.attend,
            on_ready=self._announce,
            on_fatal=self.failed.set,
            keepalive_s=config.broker.keepalive_s,
            max_packet_bytes=config.limits.payload_bytes + 4096,  # room for topic and properties
        )

    def start(self) -> None:
        """Start answering; returns at once, the broker may still be away."""
        self.observer.start()
        self.housekeeping.start()
        self.service.start()
        self.keeper.start()
        self.rules.start()
        self.connection.start()
        if self.updates:
            self.updates.start()

    def stop(self) -> None:
        """Take nothing new, finish what waits, say `offline`, disconnect."""
        if self.updates:
            self.updates.stop()
        self.rules.stop()
        finished = self.service.drain(DRAIN_S)
        self.keeper.stop()
        self.housekeeping.stop()
        self.connection.stop(farewell=[self.announcer.status("offline")])
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
        problems = self.keeper.keep_only([*config.bundles, *(self.updates.folders if self.updates else [])])
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
        # No rule may look at requests, so what a rule looks at is none; it may look at what Home Assistant says.
        heard = self.rules.receive(message) | self.announcer.heard(message)
        if message.topic != self.topics.status:
            if not heard:
                self.service.take(message)
        elif message.payload != b"online" and self.connection.ready:  # not ready: `_announce` is yet to come
            # An old last will may come after our `online` when a connection was replaced quickly.
            self._publish(self.announcer.status("online"))

    def _announce(self) -> None:
        self.announcer.everything()
        self.observer.reports.connected()

    def _newer(self, manifest: Manifest) -> NewerBundle | None:
        """The newest bundle in the store of a model that comes from there."""
        if self.updates is None or manifest.name not in self.updates.names:
            return None
        version = self.updates.waiting(manifest.name) or manifest.version
        return NewerBundle(version, installable=self.config.control.load)

    def _model_changed(self, name: str) -> None:
        if self.connection.ready:  # else `_announce` is yet to come
            self.announcer.changed(name)

    def _finished(
        self, job: Job, model: Model, outcome: Outcome, answered: Answered | None, answer: Answer | None
    ) -> None:
        """A request was run; on a worker's thread."""
        self.keeper.used(job.request.model)
        self.observer.finished(job, model, outcome, answered, answer)

    def _moment(self) -> Moment:
        return moment_of(self.service)

    def _report(self, now_s: float) -> None:
        if self.connection.ready:
            self.observer.reports.tick(now_s)
            self.announcer.tick(now_s)

    def _is_well(self) -> bool:
        """Whether the network thread lives; a model that runs long is not taken for a daemon that hangs."""
        return self.connection.alive

    def _look_at_memory(self) -> None:
        self.keeper.call(self.keeper.recycle_if_drifted)

    def _health(self) -> dict[str, object]:
        return {"live": True, "ready": self.connection.ready, "queued": self.service.queued}


def _labels(manifest: Manifest) -> tuple[str, ...]:
    """The labels by which a rule can look at a model: one that has labels for anything but a text gives none."""
    return manifest.task.labels if manifest.task.name == "classify" else ()


def _cores(config: Config) -> Cores:
    """The board's cores, and how the config wants them shared out."""
    return Cores(cores_here(), config.runtime.threads, config.scheduler.workers, config.scheduler.per_model)


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
