"""The store as a board with MCUboot's two slots: what tools for SMP show, and what they may ask. Pure but for `Slots`.

Each model of the store is an image with a number, by the order of their names.

| slot | before a trial | while one is on |
|---|---|---|
| 0 | the active bundle, confirmed | the bundle on trial: active, not confirmed |
| 1 | what waits or is to be tried, else the previous | what was active: confirmed, it comes back at the next reset |

`test` marks what is in slot 1 (`pending`); at the `reset` it is tried, and at the next reset it goes back if nobody has
confirmed it. A bundle that our own group commits, or that `edgert install` brings, needs no reset to be tried.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from edge_runtime.bundle.errors import UpdateError
from edge_runtime.bundle.store.disk import Disk, put
from edge_runtime.bundle.store.state import Installed, Slots, State
from edge_runtime.bundle.store.store import Store

PENDING = "smp-pending.json"


class SlotBusy(UpdateError):
    """A trial is on: until it is confirmed or taken back, the slots stay as they are."""

    code = "slot_busy"


@dataclass(frozen=True)
class Image:
    """What is in a slot, with MCUboot's flags."""

    image: int
    slot: int
    version: str
    hash: bytes
    bootable: bool = True
    pending: bool = False
    confirmed: bool = False
    active: bool = False
    permanent: bool = False


def hash_of(bundle: Installed) -> bytes:
    """By which tools call a bundle: MCUboot's hash of its file, or what the store calls it if it never was one file."""
    return bytes.fromhex(bundle.image or bundle.digest)


def images_of(number: int, slots: Slots, pending: str) -> list[Image]:
    """The slots of one model; `pending` is the digest of what is marked to be tried."""
    tried = slots.trial is not None and slots.begun > 0
    first, second = (slots.trial, slots.active) if tried else (slots.active, second_of(slots))
    found = []
    if first is not None:
        found.append(Image(number, 0, first.version, hash_of(first), confirmed=not tried, active=True))
    if second is not None:
        marked = not tried and (second == slots.trial or second.digest == pending)
        found.append(Image(number, 1, second.version, hash_of(second), pending=marked, confirmed=tried))
    return found


def second_of(slots: Slots) -> Installed | None:
    """What is in slot 1 while no trial is on."""
    return slots.trial or slots.waiting or slots.previous


class MarkedSlots:
    """A store with the marks that `test` sets, which outlive a power cut.

    Args:
        store: the store.
        disk: of the same folder.
        settled: called with a line for people whenever a reset changes something.
    """

    def __init__(self, store: Store, disk: Disk, settled: Callable[[str], None] = lambda line: None) -> None:
        self._store, self._disk, self._settled = store, disk, settled

    def images(self) -> list[Image]:
        """All slots of all models."""
        pending = self._pending()
        return [
            image
            for number, (name, slots) in enumerate(sorted(self._store.state().models.items()))
            for image in images_of(number, slots, pending.get(name, ""))
        ]

    def find(self, wanted: bytes) -> tuple[str, Installed] | None:
        """The model and bundle with this hash, or with this digest."""
        for name, slots in self._store.state().models.items():
            for bundle in slots.bundles:
                if wanted in (hash_of(bundle), bytes.fromhex(bundle.digest)):
                    return name, bundle
        return None

    def names(self) -> list[str]:
        """The models, in the order of their images' numbers."""
        return sorted(self._store.state().models)

    def hash_of(self, bundle: Installed) -> bytes:
        """By which tools call a bundle."""
        return hash_of(bundle)

    def mark(self, name: str, bundle: Installed) -> None:
        """Let what is in slot 1 be tried at the next reset. SlotBusy: another is being tried."""
        slots = self._store.slots(name)
        if slots.trial is not None and slots.begun:
            raise SlotBusy(f"{name} {slots.trial.version} is being tried: confirm it, or reset")
        if slots.trial is None:
            self._write({**self._pending(), name: bundle.digest})

    def confirm(self) -> list[str]:
        """Keep every bundle that is being tried; their names."""
        tried = [name for name, slots in self._state_items() if slots.trial is not None and slots.begun]
        for name in tried:
            self._store.confirm(name)
        return tried

    def confirm_one(self, name: str) -> None:
        """Keep what runs of one model; if it is kept already, nothing is to be done."""
        slots = self._store.slots(name)
        if slots.trial is not None and slots.begun:
            self._store.confirm(name)

    def empty(self, name: str) -> None:
        """Let go of what waits in slot 1, and of its mark. SlotBusy: it is being tried just now."""
        slots = self._store.slots(name)
        if slots.trial is not None and slots.begun:
            raise SlotBusy(f"{name} {slots.trial.version} is being tried: confirm it, or reset")
        if slots.trial is not None:
            self._store.fail(name, "was erased over SMP")
        self._store.drop(name)
        self._unmark(name)

    def reset(self) -> None:
        """What a board's bootloader would do now: try what is marked, take back what nobody has confirmed."""
        pending = self._pending()
        for name, slots in self._state_items():
            with contextlib.suppress(UpdateError):  # a slot that was emptied meanwhile must not stop the others
                if slots.trial is not None and slots.begun:
                    self._store.fail(name, "was not confirmed before the reset")
                    self._settled(f"{name} {slots.trial.version} goes: it was not confirmed before the reset")
                elif (marked := pending.get(name)) and slots.trial is None:
                    self._begin(name, slots, marked)
        self._write({})

    def _unmark(self, name: str) -> None:
        pending = self._pending()
        if pending.pop(name, None) is not None:
            self._write(pending)

    def _begin(self, name: str, slots: Slots, marked: str) -> None:
        if slots.waiting is not None and slots.waiting.digest == marked:
            self._store.test(name)
            self._settled(f"{name} {slots.waiting.version} is to be tried")
        elif slots.previous is not None and slots.previous.digest == marked:
            self._store.rollback(name, "another was chosen over SMP")
            self._settled(f"{name} goes back to {slots.previous.version}")

    def _state_items(self) -> list[tuple[str, Slots]]:
        state: State = self._store.state()
        return sorted(state.models.items())

    def _pending(self) -> dict[str, str]:
        """Model -> digest of what is marked. A damaged file is no mark."""
        try:
            found = json.loads(self._disk.read(PENDING))
        except (OSError, ValueError):
            return {}
        return {str(name): str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}

    def _write(self, pending: dict[str, str]) -> None:
        if pending != self._pending():
            put(self._disk, PENDING, [json.dumps(pending).encode()])
