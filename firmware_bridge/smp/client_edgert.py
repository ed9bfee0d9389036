"""The asking side of our own group (`edgert_group.py`): who is there, what is missing, what became of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from edge_runtime.bundle.container.bundle_file import SignedManifest
from firmware_bridge.errors import LinkLost, PeerRefused
from firmware_bridge.link import Link
from firmware_bridge.smp.client import Channel, Client, CobsFraming, Params
from firmware_bridge.smp.edgert_group import (
    FALL_BACK_S,
    GROUP,
    Command,
    CommitAnswer,
    CommitRequest,
    HelloAnswer,
    HelloRequest,
    OfferAnswer,
    OfferRequest,
    StatusAnswer,
    StatusRequest,
)
from firmware_bridge.smp.fields import read_fields, write_fields
from firmware_bridge.smp.message import READ, WRITE, BadMessage

_SLOW_S = 4.0  # what is written durably or hashed is answered late
_OFFER_OVERHEAD_BYTES = 96
_BUSY_S = 120.0  # for the hashing of all that a bundle shares with what is there
_LOOK_S = 0.2

Answer = TypeVar("Answer")


class HubClient:
    """Requests of our group, over any channel. All raise PeerRefused and LinkLost as `Client.request`."""

    def __init__(self, channel: Channel) -> None:
        self.channel, self._client = channel, Client(channel)
        self.hello: HelloAnswer | None = None

    @property
    def client(self) -> Client:
        """For the groups that everybody has."""
        return self._client

    @property
    def params(self) -> Params:
        """How much the hub takes at once, as it said."""
        assert self.hello is not None
        return Params(self.hello.buf_size - 4, self.hello.buf_count)

    def greet(self, baud: int = 0, tries: int = 3) -> HelloAnswer:
        """Say hello. NotThere: the board does not know our group."""
        self.hello = self._ask(Command.HELLO, HelloRequest(baud=baud), HelloAnswer, op=READ, tries=tries)
        return self.hello

    def quicken(self, link: Link, baud: int, fallback: int) -> bool:
        """Go to a higher speed; whether it works there. If not, both ends are at `fallback` again."""
        if self.greet(baud).baud != baud or not link.set_baud(baud):
            return False
        with contextlib.suppress(LinkLost, PeerRefused):
            self._ask(Command.STATUS, StatusRequest(), StatusAnswer, op=READ, timeout_s=FALL_BACK_S / 8, tries=3)
            return True
        link.set_baud(fallback)
        time.sleep(FALL_BACK_S)  # after which the hub has gone back, too
        self.greet()
        return False

    def use_cobs(self) -> bool:
        """Leave out base64, if the hub can; whether it answers so."""
        assert self.hello is not None
        if self.channel.framing.name != "console" or "cobs" not in self.hello.framings:
            return False
        console, self.channel.framing = self.channel.framing, CobsFraming()
        with contextlib.suppress(LinkLost, PeerRefused):
            self._ask(Command.STATUS, StatusRequest(), StatusAnswer, op=READ)
            return True
        self.channel.framing = console
        return False

    def offer(self, signed: SignedManifest) -> OfferAnswer:
        """Offer a bundle: its signed manifest, piece by piece; what is missing of it."""
        bundle, size = bytes.fromhex(signed.digest), len(signed.data)
        most = self.params.message_bytes - _OFFER_OVERHEAD_BYTES
        offset, answer = 0, None
        while answer is None or not answer.state:
            data = signed.data[offset : offset + most]
            answer = self._ask(Command.OFFER, OfferRequest(bundle, offset, size, data), OfferAnswer, timeout_s=_SLOW_S)
            if answer.busy:
                return self._looked(bundle, answer)
            if answer.off >= size and not answer.state:
                raise LinkLost("the board has the whole manifest and does not say what it wants of it")
            offset = min(answer.off, size - 1)
        return answer

    def _looked(self, bundle: bytes, answer: OfferAnswer) -> OfferAnswer:
        """Wait until the board has looked through what it has."""
        end_s = time.monotonic() + _BUSY_S
        while time.monotonic() < end_s:
            time.sleep(_LOOK_S)
            said = self.status(bundle)
            if not said.busy:
                return replace(answer, state=said.state, missing=said.missing, left=said.left, busy=False)
        raise LinkLost(f"the board has been looking for {_BUSY_S:g} s at what it has of this bundle")

    def status(self, bundle: bytes) -> StatusAnswer:
        """What became of a bundle."""
        return self._ask(Command.STATUS, StatusRequest(bundle=bundle), StatusAnswer, op=READ, timeout_s=_SLOW_S)

    def object_status(self, digest: bytes) -> StatusAnswer:
        """What has come of an object."""
        return self._ask(Command.STATUS, StatusRequest(object=digest), StatusAnswer, op=READ, timeout_s=_SLOW_S)

    def commit(self, bundle: bytes, *, test: bool) -> CommitAnswer:
        """Make a bundle known, of which everything has come."""
        return self._ask(Command.COMMIT, CommitRequest(bundle, test), CommitAnswer, timeout_s=_SLOW_S)

    def _ask(
        self,
        command: Command,
        asked: object,
        kind: type[Answer],
        *,
        op: int = WRITE,
        timeout_s: float = 0,
        tries: int = 0,
    ) -> Answer:
        body = self._client.request(op, GROUP, command, write_fields(asked), timeout_s=timeout_s, tries=tries)
        try:
            return read_fields(kind, body)
        except BadMessage as error:
            raise PeerRefused(
                f"{command.name.lower()}", GROUP, 0, f"something that is not understood: {error}"
            ) from error


def wait_until(look: Callable[[], bool], limit_s: float, every_s: float = _LOOK_S) -> bool:
    """Look until it is so; whether it was in time."""
    end_s = time.monotonic() + limit_s
    while not look():
        if time.monotonic() >= end_s:
            return False
        time.sleep(every_s)
    return True
