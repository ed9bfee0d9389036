"""What a store knows of each model, pure: which bundle is in which slot, and what may become of it.

The words are MCUboot's. Slot 0 is `active`. Slot 1 holds what else there is: a bundle that `waits`, one on `trial`
("pending", "test"), or the `previous` one. A trial ends in `confirm` or goes back by itself.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_runtime.bundle.errors import BadStore, Downgrade, NothingThere
from edge_runtime.strict import StrictError, decode

STATE = "state.json"
SCHEMA = "edgert.store/1"


@dataclass(frozen=True)
class Installed:
    """A bundle in the store.

    Attributes:
        digest: what the store calls it: the SHA-256 of its signed manifest.
        version, counter: as in its manifest.
        image: MCUboot's hash of the file that it came as; empty if its files came one by one.
    """

    digest: str
    version: str
    counter: int
    image: str = ""


@dataclass(frozen=True)
class Refused:
    """The last bundle that did not stay, and why."""

    bundle: Installed
    reason: str


@dataclass(frozen=True)
class Slots:
    """The bundles of one model.

    Attributes:
        active: what is served.
        previous: what was, before.
        waiting: there, but nobody has asked for it to be tried.
        trial: to be tried, or just being tried.
        tries: how often it may still be begun; spent before it is loaded.
        begun: how often it was.
        floor: the counter that a bundle must have.
        refused: what did not stay.
    """

    active: Installed | None = None
    previous: Installed | None = None
    waiting: Installed | None = None
    trial: Installed | None = None
    tries: int = 0
    begun: int = 0
    floor: int = 0
    refused: Refused | None = None

    @property
    def bundles(self) -> tuple[Installed, ...]:
        """What must be kept."""
        found = (self.active, self.previous, self.waiting, self.trial)
        return tuple(bundle for bundle in found if bundle is not None)

    def received(self, bundle: Installed) -> Slots:
        """A bundle has come. Downgrade: its counter is too low."""
        if bundle.counter < self.floor:
            raise Downgrade(f"bundle {bundle.version}", bundle.counter, self.floor)
        if self.active is not None and bundle.digest == self.active.digest:
            return self
        if self.trial is not None and bundle.digest == self.trial.digest:
            return self
        return dataclasses.replace(self, waiting=bundle)

    def tested(self, tries: int) -> Slots:
        """What waits is to be tried. NothingThere: nothing does."""
        if self.waiting is None:
            raise NothingThere("no bundle waits to be tried")
        return dataclasses.replace(self, trial=self.waiting, waiting=None, tries=tries, begun=0)

    def dropped(self) -> Slots:
        """What waits is not wanted any more; nothing changes if nothing does."""
        return dataclasses.replace(self, waiting=None)

    def begin(self) -> Slots:
        """The trial is begun once more, or is over if it has been begun too often. NothingThere: there is none."""
        if self.trial is None:
            raise NothingThere("no bundle is on trial")
        if self.tries < 1:
            return self.failed(f"was begun {self.begun} times and never came to its end")
        return dataclasses.replace(self, tries=self.tries - 1, begun=self.begun + 1)

    def confirmed(self) -> Slots:
        """The trial is good: it is active from now on. NothingThere: there is none, or it was not tried."""
        if self.trial is None:
            raise NothingThere("no bundle is on trial")
        if not self.begun:
            raise NothingThere(f"bundle {self.trial.version} was not tried yet: wait for the daemon")
        return dataclasses.replace(
            self,
            active=self.trial,
            previous=self.active,
            trial=None,
            tries=0,
            begun=0,
            floor=max(self.floor, self.trial.counter),
        )

    def failed(self, reason: str) -> Slots:
        """The trial is over: what was active stays. NothingThere: there is no trial."""
        if self.trial is None:
            raise NothingThere("no bundle is on trial")
        return dataclasses.replace(self, trial=None, tries=0, begun=0, refused=Refused(self.trial, reason))

    def rolled_back(self, reason: str) -> Slots:
        """Back to what was before: out of a trial, or from the active bundle to the previous one.

        Raises:
            NothingThere: there is nothing to go back to.
            Downgrade: its counter is too low, so that going back is forbidden.
        """
        if self.trial is not None:
            return self.failed(reason)
        if self.active is None or self.previous is None:
            raise NothingThere("there is no previous bundle to go back to")
        if self.previous.counter < self.floor:
            raise Downgrade(f"previous bundle {self.previous.version}", self.previous.counter, self.floor)
        return dataclasses.replace(
            self, active=self.previous, previous=self.active, refused=Refused(self.active, reason)
        )


@dataclass(frozen=True)
class State:
    """Everything: what state.json holds. `seq` grows with every change."""

    models: Mapping[str, Slots] = field(default_factory=dict)
    seq: int = 0
    schema: str = SCHEMA

    def changed(self, name: str, slots: Slots) -> State:
        """With other slots of one model."""
        return State({**self.models, name: slots}, self.seq + 1)

    @property
    def digests(self) -> frozenset[str]:
        """Of all bundles that must be kept."""
        return frozenset(bundle.digest for slots in self.models.values() for bundle in slots.bundles)


def state_to_bytes(state: State) -> bytes:
    """The file's content."""
    return json.dumps(dataclasses.asdict(state), indent=1).encode() + b"\n"


def state_from_bytes(data: bytes) -> State:
    """Read the file. BadStore: empty, torn, of a newer edgert; no writer of ours leaves the first two."""
    try:
        plain = json.loads(data)
        if isinstance(plain, dict) and plain.get("schema") != SCHEMA:
            found = repr(plain.get("schema"))[:60]
            raise BadStore(f"state.json has schema {found}, this edgert reads {SCHEMA!r}: update edgert")
        return decode(State, plain)
    except (ValueError, RecursionError, StrictError) as error:
        what = "is empty" if not data else f"is damaged ({error})"
        raise BadStore(f"state.json {what}: the disk has lost it; remove it and install the bundles again") from error
