"""A broker connection that keeps itself alive: when to connect, what to tell whom, how to say goodbye."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence

from edge_runtime.errors import BrokerUnreachable
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.counters import Counters, worth_a_line
from edge_runtime.mqtt.link import Link
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.outbox import Outbox
from edge_runtime.mqtt.packet import MAX_PACKET_BYTES, Outgoing, check_topic
from edge_runtime.mqtt.retry import Backoff, TakeoverWatch
from edge_runtime.mqtt.session import Session
from edge_runtime.mqtt.tcp import CUT_OFF, nobody_listens, says_nobody_listens
from edge_runtime.mqtt.wakeup import Wakeup

log = logging.getLogger("edgert.mqtt")

CRASHING_S = 0.05  # a process that is killed closes what it listens on a moment after its connections
SETTLED_S = 10.0  # a connection that held so long lets the next delay start small again


class KeptConnection(ABC):
    """A connection that comes back by itself; messages go out only while it stands.

    Callbacks run in the network thread: they must return at once, and what they raise is logged and counted.

    Args:
        address: the broker and the login.
        client_id: stable for a device, so that its old connection goes when a new one comes.
        subscriptions: (filter, QoS 0 or 1), made again at each connecting.
        optional: those filters among them that the broker may refuse: a warning, and the connection stands.
        will: what the broker publishes if we vanish: topic, payload, QoS and retain of it.
        on_message: gets every message that can be read.
        on_read: called when all messages that came together were given to `on_message`; may publish.
        on_ready: called at each connecting once every subscription is granted; may publish.
        on_fatal: called if the network thread ends though nobody stopped it.
        keepalive_s: a dead broker is noticed after about twice this when nothing is sent.
        max_packet_bytes: larger packets are refused, whatever length they claim.
        max_queued, max_queued_bytes: how much may wait for a broker that reads slowly.
        receive_maximum: how many QoS 1 messages the broker may send ahead of our confirmations.
        backoff_s: first and longest delay between two tries.

    Attributes:
        counters: what happened so far.
        last_error: what ended or prevented the connection last, for people; None if nothing has.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        *,
        on_message: Callable[[Message], None],
        subscriptions: Sequence[tuple[str, int]] = (),
        optional: Collection[str] = (),
        will: Message | None = None,
        on_read: Callable[[], None] = lambda: None,
        on_ready: Callable[[], None] = lambda: None,
        on_fatal: Callable[[], None] = lambda: None,
        keepalive_s: int = 30,
        max_packet_bytes: int = MAX_PACKET_BYTES,
        max_queued: int = 256,
        max_queued_bytes: int = 8 << 20,
        receive_maximum: int = 64,
        backoff_s: tuple[float, float] = (1.0, 30.0),
    ) -> None:
        if not all(qos in (0, 1) for _, qos in subscriptions):
            raise ValueError("subscriptions are made with QoS 0 or 1")
        if will is not None:
            check_topic(will.topic)
        self._address, self._client_id, self._will = address, client_id, will
        self._on_message, self._on_read, self._on_ready, self._on_fatal = on_message, on_read, on_ready, on_fatal
        self._subscriptions, self._optional = tuple(subscriptions), frozenset(optional)
        self._keepalive_s, self._max_packet_bytes, self._window = keepalive_s, max_packet_bytes, receive_maximum
        self._outbox = Outbox(max_queued, max_queued_bytes)
        self._backoff, self._takeovers = Backoff(*backoff_s), TakeoverWatch()
        self._session: Session | None = None
        self._wakeup, self._stopping, self._ready = Wakeup(), threading.Event(), threading.Event()
        self._accepted_once = False
        self._thread = threading.Thread(target=self._main, name=f"mqtt-{client_id}", daemon=True)
        self.counters = Counters()
        self.last_error: str | None = None
        self._told = ""  # the log's last warning; the same is said again only if the connection stood in between

    def start(self) -> None:
        """Begin to connect, in the background; returns at once, the broker may be away."""
        self._thread.start()

    def start_within(self, timeout_s: float) -> None:
        """Connect now, or not at all.

        Raises:
            BrokerUnreachable: not ready in time; says why. Nothing is left running.
        """
        self.start()
        if not self.wait_ready(timeout_s):
            reason = self.last_error or "no answer"
            self.stop()
            raise BrokerUnreachable(f"no connection to {self._address.display()} in {timeout_s:g} s: {reason}")

    @property
    def ready(self) -> bool:
        """Connected, every subscription granted, `on_ready` done."""
        return self._ready.is_set()

    @property
    def alive(self) -> bool:
        """Whether the network thread runs, connected or trying to."""
        return self._thread.is_alive()

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until `ready`; False when time ran out, `last_error` says why."""
        return self._ready.wait(timeout_s)

    def publish(self, message: Message, *, minor: bool = False) -> bool:
        """Send; never blocks and never raises, from any thread.

        Args:
            message: to send.
            minor: drop it when half of the room is taken, and leave the rest to messages that matter more.

        Returns:
            False if it was dropped (and counted): not connected, too much waiting, not a message that MQTT can carry.
            True is no proof of delivery: not even the broker's confirmation would be.
        """
        try:
            packet = Outgoing.of(message)
        except ValueError as error:
            self.counters.dropped += 1
            if worth_a_line(self.counters.dropped):
                log.warning("dropped %d messages, now: %s", self.counters.dropped, error)
            return False
        return self._send(packet, minor=minor)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is written, and confirmed where QoS 1; False when time ran out or the connection was lost."""
        return self._outbox.wait_settled(timeout_s)

    def stop(self, farewell: Sequence[Message] = (), timeout_s: float = 3.0) -> None:
        """Publish the farewell, wait for its confirmation, disconnect so that the will stays unsaid, end the thread.

        From a callback it only asks for all that: the network thread cannot wait for itself.
        """
        from_callback = self._thread is threading.current_thread()
        deadline = time.monotonic() + timeout_s
        self._outbox.seal()
        for message in farewell:
            self._send(Outgoing.of(message), force=True)
        if not from_callback:
            self._outbox.wait_settled(timeout_s)
        self._stopping.set()
        self._wakeup.set()
        if self._thread.is_alive() and not from_callback:
            self._thread.join(max(0.5, deadline - time.monotonic()))

    def _send(self, packet: Outgoing, *, force: bool = False, minor: bool = False) -> bool:
        if not self._outbox.put(packet, force=force, minor=minor):
            self.counters.dropped += 1
            return False
        session = self._session  # read after: it is the one that opened the outbox, or a later one
        if session is not None:
            session.push()
        return True

    @abstractmethod
    def _make_link(self, session: Session) -> Link:
        """A fresh link that reports to this session; it has not dialled yet."""

    # --- the network thread ------------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            while not self._stopping.is_set():
                self._stopping.wait(self._attempt())
        except BaseException:  # only SystemExit and the like of a callback: _attempt lets no Exception out
            log.critical("the MQTT thread has ended, nothing will be received any more", exc_info=True)
            self._shielded(self._on_fatal)

    def _attempt(self) -> float:
        """One session, or one failure to get it; the delay before the next."""
        session = Session(
            outbox=self._outbox,
            counters=self.counters,
            wakeup=self._wakeup,
            stopping=self._stopping,
            subscriptions=self._subscriptions,
            optional=self._optional,
            window=self._window,
            announce=self._announce,
            on_read=lambda: self._shielded(self._on_read),
        )
        away = False
        try:
            link = self._make_link(session)
            self._session = session
            session.run(link)
            problem, away = session.problem, session.problem == CUT_OFF
        except BrokerUnreachable as error:
            self._takeovers.unreachable()
            problem, away = str(error), says_nobody_listens(error.__cause__)
        except Exception as error:  # a bug in paho or here may cost a connection, never the thread
            log.exception("the MQTT connection failed")
            problem = f"{type(error).__name__}: {error}"
        finally:
            self._session = None
            self._ready.clear()
        may_have_crashed = session.accepted_at is not None and not (away or session.lasting)
        if may_have_crashed and not self._stopping.wait(CRASHING_S):
            away = nobody_listens(self._address)
        return 0.0 if self._stopping.is_set() else self._delay_after(session, problem, away=away)

    def _delay_after(self, session: Session, problem: str, *, away: bool) -> float:
        now = time.monotonic()
        lasted_s = now - session.accepted_at if session.accepted_at is not None else 0.0
        if away:
            self._takeovers.unreachable()  # it crashed, whatever the end of the connection looked like
        if lasted_s > SETTLED_S:
            self._backoff.settle()
        delay_s = self._backoff.while_away() if away else self._backoff.after_failure(lasting=session.lasting)
        fight = not away and (session.by_broker or session.taken_over) and self._takeovers.closed(now, lasted_s)
        if fight or session.taken_over:
            self.counters.takeovers += 1
            problem = f"another client uses the id {self._client_id!r} too, stop one of them ({problem})"
        if fight:
            delay_s = self._backoff.longest()
        text = f"{self._address.display()}: {problem}"
        level = logging.DEBUG if text == self._told else logging.WARNING
        self.last_error = self._told = text
        log.log(level, "%s; trying again in %.1f s", text, delay_s)
        return delay_s

    def _announce(self) -> None:
        self.counters.reconnects += self._accepted_once
        self._accepted_once, self._told = True, ""
        log.info("connected to %s as %s", self._address.display(), self._client_id)
        self._shielded(self._on_ready)
        self._ready.set()

    def _deliver(self, message: Message) -> None:
        self.counters.received += 1
        self._shielded(self._on_message, message)

    def _complain(self, reason: str) -> None:
        self.counters.malformed += 1
        if worth_a_line(self.counters.malformed):
            log.warning("skipped %d messages that cannot be read, now: %s", self.counters.malformed, reason)

    def _shielded(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            callback(*arguments)
        except Exception:  # it would end the network thread
            self.counters.callback_errors += 1
            log.exception("a callback failed")
