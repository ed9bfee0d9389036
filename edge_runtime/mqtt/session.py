"""One connection's life, from CONNECT to the closed socket: the poll loop, the subscriptions, the deadlines.

Knows MQTT only as a `Link` knows it; `client.py` makes one of paho-mqtt.
"""

from __future__ import annotations

import contextlib
import logging
import select
import threading
import time
from collections.abc import Callable, Collection, Sequence

from edge_runtime.mqtt.counters import Counters, worth_a_line
from edge_runtime.mqtt.link import NOT_MQTT, BrokerLimits, Link
from edge_runtime.mqtt.outbox import Outbox
from edge_runtime.mqtt.packet import Outgoing
from edge_runtime.mqtt.refusal import (
    FAILURE,
    NO_SUBSCRIBERS,
    SESSION_TAKEN_OVER,
    connect_reason,
    from_version_3,
    is_lasting,
    no_shared_subscriptions,
    reason,
    subscription_reason,
)
from edge_runtime.mqtt.tcp import CUT_OFF, acknowledge_quickly, has_timed_out
from edge_runtime.mqtt.wakeup import Wakeup

log = logging.getLogger("edgert.mqtt")

TICK_S = 1.0
READY_WITHIN_S = 10.0  # for CONNACK and SUBACK
STALLED_S = 5.0  # nothing could be written: for unix sockets, which have no TCP_USER_TIMEOUT
PAUSE_READING_S = 0.2  # not written for so long: read no more, or our confirmations pile up without bound
LEAVE_WITHIN_S = 0.5  # for the broker to close after our DISCONNECT

_DISCONNECT = b"\xe0\x00"  # reason 0x00, normal disconnection: the broker drops the will


class Session:
    """Runs in the network thread; only `push()` may be called from others.

    Args:
        outbox: what waits to be sent; opened when the broker accepts, emptied at the end.
        optional: filters of the subscriptions that a broker may refuse: logged, and done without.
        announce: called once every subscription is answered, in the network thread, outside any library callback.
        on_read: called likewise after each reading; what it publishes is written at once.

    Attributes:
        problem: why it ended, in words; empty if `stopping` was set.
        lasting: whether only a changed setting can help.
        accepted_at: monotonic time of the broker's yes, or None.
        taken_over: whether the broker said that another client took our id.
        by_broker: whether the broker closed an accepted connection without a reason that explains it.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        counters: Counters,
        wakeup: Wakeup,
        stopping: threading.Event,
        subscriptions: Sequence[tuple[str, int]],
        window: int,
        announce: Callable[[], None],
        on_read: Callable[[], None],
        optional: Collection[str] = (),
    ) -> None:
        self._outbox, self._counters, self._wakeup, self._stopping = outbox, counters, wakeup, stopping
        self._subscriptions, self._window, self._announce = subscriptions, window, announce
        self._optional, self._on_read = optional, on_read
        self._link: Link
        self._lock = threading.Lock()  # held by whoever uses the link; the network thread gives it up to poll
        self._thread = 0
        self._limits = BrokerLimits()
        self._over = self._reading = self._granted = self._ready = False
        self._ready_by = self._next_tick = self._progress_at = 0.0
        self.problem = ""
        self.lasting = self.taken_over = self.by_broker = False
        self.accepted_at: float | None = None

    def run(self, link: Link) -> None:
        """Connect and serve until the connection ends or `stopping` is set.

        Raises:
            BrokerUnreachable: the link could not dial.
        """
        self._link, self._thread = link, threading.get_ident()
        try:
            with self._lock:
                link.dial()
                now = time.monotonic()
                self._ready_by, self._next_tick, self._progress_at = now + READY_WITHIN_S, now + TICK_S, now
            self._serve()
        finally:
            with self._lock:
                self._close()

    def push(self) -> None:
        """Write what waits in the outbox, from any thread, without ever blocking."""
        if threading.get_ident() == self._thread:
            if not self._reading:  # else the loop writes when it has read
                self._write()
        elif self._lock.acquire(blocking=False):
            try:
                self._write()
            except Exception:  # a bug in paho or here is the network thread's affair, not the publisher's
                log.exception("writing failed")
                self._fail("writing failed, see the log")
                self._wakeup.set()
            finally:
                self._lock.release()
            if self._link.want_write() or self._link.socket() is None:
                self._wakeup.set()
        else:
            self._wakeup.set()

    # --- what the link reports; in the network thread, or in one that pushes, under the lock -------------------------

    def accepted(self, limits: BrokerLimits) -> None:
        """The broker said yes: subscribe."""
        if self.accepted_at is not None:
            self._fail("the broker accepted the connection twice")
            return
        self.accepted_at, self._limits = time.monotonic(), limits
        self._outbox.open(min(limits.receive_maximum, self._window))
        shared = [topic for topic, _ in self._subscriptions if topic.startswith("$share/")]
        if shared and not limits.shared_subscriptions:
            self._fail(no_shared_subscriptions(shared[0]), lasting=True)
        elif not self._subscriptions:
            self._granted = True
        else:
            try:
                self._link.request(self._subscriptions)
            except ValueError as error:
                self._fail(f"cannot subscribe: {error}", lasting=True)

    def refused(self, code: int, version_5: bool = True) -> None:
        """The broker said no."""
        code = code if version_5 else from_version_3(code)
        self._fail(f"the broker refused the connection: {connect_reason(code)}", lasting=is_lasting(code))

    def granted(self, codes: Sequence[int]) -> None:
        """The broker answered our subscriptions, in their order."""
        for (topic, _), code in zip(self._subscriptions, codes, strict=False):
            if code >= FAILURE and topic in self._optional:
                log.warning("%s; going on without it", subscription_reason(topic, code))
            elif code >= FAILURE:
                self._fail(subscription_reason(topic, code), lasting=True)
        self._granted = not self.problem and len(codes) == len(self._subscriptions)

    def is_awaited(self, packet_id: int) -> bool:
        """Whether a packet of this id still waits for the broker's answer."""
        return self._outbox.is_awaited(packet_id)

    def confirmed(self, packet_id: int, code: int) -> None:
        """The broker answered a QoS 1 message."""
        topic = self._outbox.confirm(packet_id)
        if topic is not None and code == NO_SUBSCRIBERS:
            self._counters.unmatched += 1
        elif topic is not None and code >= FAILURE:
            self._counters.refused += 1
            if worth_a_line(self._counters.refused):
                log.warning(
                    "the broker refused %d messages, now to %s: %s", self._counters.refused, topic, reason(code)
                )

    def disconnected(self, code: int) -> None:
        """The broker ended the connection and said why."""
        self.taken_over |= code == SESSION_TAKEN_OVER
        self._fail(f"the broker ended the connection: {reason(code)}")

    # --- the loop ----------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        poller, connection = select.poll(), self._link.socket()
        if connection is None:  # it ended while CONNECT was written
            self._conclude()
            return
        descriptor = connection.fileno()
        poller.register(self._wakeup.fileno(), select.POLLIN)
        poller.register(descriptor, select.POLLIN)
        mask = select.POLLIN
        while not (self._stopping.is_set() or self.problem) and self._link.socket() is not None:
            wanted = self._wanted()
            if wanted != mask:
                poller.modify(descriptor, wanted)
                mask = wanted
            events = poller.poll(max(0.0, self._next_tick - time.monotonic()) * 1000)
            with self._lock:
                self._turn(events)
        with self._lock:
            self._leave() if self._stopping.is_set() and not self.problem else self._conclude()

    def _wanted(self) -> int:
        if not self._link.want_write():
            return select.POLLIN
        if time.monotonic() - self._progress_at > PAUSE_READING_S:
            return select.POLLOUT
        return select.POLLIN | select.POLLOUT

    def _turn(self, events: Sequence[tuple[int, int]]) -> None:
        happened = 0
        for descriptor, mask in events:
            if descriptor == self._wakeup.fileno():
                self._wakeup.clear()
            else:
                happened = mask
        connection = self._link.socket()
        if happened & select.POLLERR and connection is not None and has_timed_out(connection):
            self._fail(CUT_OFF)
        if happened & select.POLLOUT or not self._link.want_write():
            self._progress_at = time.monotonic()
        if happened & ~select.POLLOUT:
            self._read()
            self._on_read()
        if self._granted and not self._ready and not self.problem:
            self._ready = True
            self._announce()
        self._write()
        if happened & select.POLLIN and self._link.socket() is not None:
            acknowledge_quickly(self._link.socket())
        if time.monotonic() >= self._next_tick:
            self._tick()

    def _read(self) -> None:
        self._reading = True
        try:
            while not (code := self._link.loop_read()) and self._link.has_unread():
                pass
            if code == NOT_MQTT and not self._link.broken:
                self._fail("the broker sent a packet that cannot be read")
        except Exception as error:  # paho before 2.2 lets out whatever a bad packet made it stumble over
            log.debug("a packet that cannot be read", exc_info=True)
            self._fail(f"the broker sent a packet that cannot be read ({error!r})")
        finally:
            self._reading = False

    def _write(self) -> None:
        link = self._link
        if self._over or link.socket() is None:
            return
        if link.want_write():
            link.loop_write()
        while not link.want_write() and (packet := self._outbox.take()) is not None:
            self._hand_over(packet)
        self._outbox.written(all_of_it=not link.want_write())

    def _hand_over(self, packet: Outgoing) -> None:
        limits, packet_id = self._limits, None
        if packet.size_bytes > limits.max_packet_bytes:
            log.warning("dropped a message to %s, the broker takes %d bytes", packet.topic, limits.max_packet_bytes)
        else:
            packet_id = self._link.send(packet, min(packet.qos, limits.max_qos), retain=packet.retain and limits.retain)
        if packet_id is None:
            self._counters.dropped += 1
            return
        self._counters.published += 1
        if packet_id:
            self._outbox.expect(packet_id, packet.topic)

    def _tick(self) -> None:
        now = time.monotonic()
        self._next_tick = now + TICK_S
        if not self._ready and now > self._ready_by:
            asked = "subscribing" if self.accepted_at else "connecting"
            self._fail(f"no answer to {asked} in {READY_WITHIN_S:g} s")
        elif self._link.want_write() and now - self._progress_at > STALLED_S:
            self._fail(f"the broker read nothing for {STALLED_S:g} s")
        elif self._link.socket() is not None and (self._link.loop_misc() or self._link.socket() is None):
            self._fail("no answer to a keep-alive ping")

    # --- the end -----------------------------------------------------------------------------------------------------

    def _fail(self, problem: str, *, lasting: bool = False) -> None:
        """End the session after this turn; the first problem is the cause, later ones follow from it."""
        if not self.problem:
            self.problem, self.lasting = problem, lasting

    def _conclude(self) -> None:
        if self.problem:
            return
        if self._link.broken:
            self._fail(self._link.broken)
        elif self.accepted_at is None:
            self._fail(
                "the broker closed the connection without an answer: wrong user, password or certificate, "
                "a TLS port (mqtts://), or no MQTT 5 there"
            )
        else:
            self.by_broker = True
            self._fail("the broker closed the connection")

    def _leave(self) -> None:
        """Say DISCONNECT and wait for the broker to close, so that it reads it: else it would publish our will."""
        connection = self._link.socket()
        if connection is None or self._link.want_write() or self.accepted_at is None:
            return
        with contextlib.suppress(OSError):
            connection.settimeout(LEAVE_WITHIN_S)
            connection.sendall(_DISCONNECT)
            deadline = time.monotonic() + LEAVE_WITHIN_S
            while connection.recv(65_536) and time.monotonic() < deadline:
                pass

    def _close(self) -> None:
        self._over = True
        connection = self._link.socket()
        if connection is not None:
            connection.close()
        dropped, unconfirmed = self._outbox.lose()
        self._counters.dropped += dropped
        self._counters.unconfirmed += unconfirmed
