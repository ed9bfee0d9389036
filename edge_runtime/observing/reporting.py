"""What the daemon says of itself without being asked: `load`, `stats`, and signs of life to systemd. Reads no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge_runtime.documents import LOAD_EXPIRY_S, document_message
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.observing.metrics import LoadPace, Metrics, Moment
from edge_runtime.systemd.notifier import Notifier


class Reports:
    """To be ticked a few times a second by one thread that is not the network's.

    Args:
        topics: the device's.
        metrics, moment: what to report.
        publish: sends a message; False if it could not be sent.
        stats_s: every how many seconds `stats` is published; 0: never.
    """

    def __init__(
        self,
        topics: Topics,
        metrics: Metrics,
        moment: Callable[[], Moment],
        publish: Callable[[Message], bool],
        stats_s: int,
    ) -> None:
        self._topics, self._metrics, self._moment, self._publish, self._stats_s = (
            topics,
            metrics,
            moment,
            publish,
            stats_s,
        )
        self._pace = LoadPace()
        self._stats_due_s = float("-inf")

    def tick(self, now_s: float) -> Mapping[str, object] | None:
        """Publish what is due while the connection is ready.

        Args:
            now_s: monotonic seconds.

        Returns:
            The `stats` document if it was published, so that others can use it.
        """
        moment = self._moment()
        load = self._metrics.load_document(moment)
        if self._pace.is_due(load, now_s):
            message = document_message(self._topics.load, load, expiry_s=LOAD_EXPIRY_S)
            if self._publish(message):
                self._pace.sent(load, now_s)
        if not self._stats_s or now_s < self._stats_due_s:
            return None
        stats = self._metrics.stats_document(self._topics.device, moment)
        if not self._publish(document_message(self._topics.stats, stats, retain=False)):
            return None
        self._stats_due_s = now_s + self._stats_s
        return stats

    def connected(self) -> None:
        """The connection is ready anew: the next tick publishes everything."""
        self._pace.forget()
        self._stats_due_s = float("-inf")


class Heartbeat:
    """Signs of life for systemd's watchdog, as long as the daemon makes progress.

    Args:
        notifier: tells systemd.
        is_well: whether the daemon makes progress; without it systemd ends and restarts the daemon.
    """

    def __init__(self, notifier: Notifier, is_well: Callable[[], bool]) -> None:
        self._notifier, self._is_well = notifier, is_well
        self._due_s = float("-inf")

    def tick(self, now_s: float) -> None:
        """Give a sign of life if one is due and the daemon is well."""
        every_s = self._notifier.watchdog_every_s
        if every_s and now_s >= self._due_s and self._is_well():
            self._notifier.watchdog()
            self._due_s = now_s + every_s
