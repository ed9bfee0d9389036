"""What the daemon does with a store: serves what is active, tries what is new, keeps it or goes back.

A thread of its own looks at the store's state, which other processes may change, and follows it. Whatever is asked of
a new bundle is asked while the old one goes on answering; the keeper then exchanges them without losing a request.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge_runtime.bundle.errors import UpdateError
from edge_runtime.bundle.store.state import Installed, Slots, State
from edge_runtime.bundle.store.store import Store
from edge_runtime.bundle.store.views import Views
from edge_runtime.config import UpdatesConfig
from edge_runtime.errors import EdgertError
from edge_runtime.updates.trial import TrialLeft, run_trial

log = logging.getLogger("edgert.updates")

LOOK_S = 1.0
_WAIT_S = 0.2

Told = Callable[[dict[str, object] | EdgertError], None]
TryOut = Callable[[Path, int, float, Callable[[], bool]], str]


class Loads(Protocol):
    """What is asked of the keeper."""

    def load(self, folder: Path, told: Told) -> None:
        """Load a bundle in place of the one of its name."""

    def unload(self, name: str, told: Told) -> None:
        """Unload a model."""


@dataclass(frozen=True)
class _Watched:
    """A trial that serves and is not confirmed yet; it may be from `due_s` on."""

    digest: str
    due_s: float


class Updates:
    """Follows a store.

    Args:
        store, views: the store, and its bundles as folders.
        keeper: exchanges models.
        settings: of trials.
        threads: of a trial's engine.
        changed: told the name of a model for which a bundle waits now, or does not any more.
        try_out: runs the golden rows of a bundle, elsewhere.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        store: Store,
        views: Views,
        keeper: Loads,
        settings: UpdatesConfig,
        threads: int = 0,
        changed: Callable[[str], None] = lambda name: None,
        try_out: TryOut = run_trial,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._views, self._keeper, self._settings = store, views, keeper, settings
        self._threads, self._changed, self._try_out, self._clock = threads, changed, try_out, clock
        self._served: dict[str, str] = {}
        self._watched: dict[str, _Watched] = {}
        self._waiting: dict[str, Installed | None] = {}
        self._told: dict[str, Told] = {}
        self._asked: queue.SimpleQueue[tuple[str, Told]] = queue.SimpleQueue()
        self._unservable: dict[str, str] = {}  # active bundles that are damaged, so that they are not tried again
        self._last_problem: dict[str, str] = {}
        self._stopped, self._woken = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="edgert-updates", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread; a trial that is going on is left without an outcome, its try is spent."""
        self._stopped.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    @property
    def folders(self) -> list[str]:
        """The folders of the bundles that are served."""
        return [str(self._views.place(digest)) for digest in self._served.values()]

    @property
    def names(self) -> frozenset[str]:
        """The models that are served from the store."""
        return frozenset(self._served)

    def waiting(self, name: str) -> str | None:
        """The version of the bundle that waits to take a model's place; None: there is none."""
        bundle = self._waiting.get(name)
        return bundle.version if bundle else None

    def first(self) -> list[str]:
        """The folders to serve at the start: of each model what is active, or what was before if that is damaged.

        Raises:
            BadStore: the state cannot be read.
        """
        state = self._store.state()
        for name, slots in state.models.items():
            for bundle in (slots.active, slots.previous):
                if bundle is not None and self._is_good(name, bundle):
                    self._served[name] = bundle.digest
                    break
                if bundle is not None and bundle == slots.active:
                    self._unservable[name] = bundle.digest
        self._note_waiting(state)
        return self.folders

    def install(self, name: str, told: Told) -> None:
        """Try the bundle that waits; `told` gets what came of it. Returns at once: the network's thread may ask."""
        self._asked.put((name, told))
        self._woken.set()

    def look(self) -> None:
        """Follow the store once. BadStore: its state cannot be read."""
        self._take_asked()
        state = self._store.state()
        self._note_waiting(state)
        for name in state.models:
            try:
                self._follow(name, self._store.slots(name))
            except EdgertError as error:  # of one model: the others are followed all the same
                self._warn(name, str(error))

    # --- on the thread -----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                self.look()
                self._last_problem.pop("", None)
            except TrialLeft:
                return
            except EdgertError as error:
                self._warn("", str(error))
            except Exception:  # the thread must outlive a bundle that breaks it
                log.exception("looking after the store failed")
            self._woken.wait(LOOK_S)

    def _take_asked(self) -> None:
        """Mark what somebody has asked for."""
        while not self._asked.empty():
            name, told = self._asked.get()
            try:
                self._store.test(name)
                self._told[name] = told
            except EdgertError as error:
                told(error)

    def _follow(self, name: str, slots: Slots) -> None:
        watched = self._watched.get(name)
        if slots.trial is not None:
            if watched is None or watched.digest != slots.trial.digest:
                self._try(name, slots)
            elif self._settings.confirm == "auto" and self._clock() >= watched.due_s:
                self._keep(name)
            return
        self._watched.pop(name, None)  # it was confirmed, or taken back, by somebody else
        served = self._served.get(name)
        if slots.active is None:
            if served is not None:
                self._unload(name)
        elif slots.active.digest not in (served, self._unservable.get(name)):
            self._serve(name, slots.active)

    def _try(self, name: str, slots: Slots) -> None:
        trial = self._store.begin_trial(name)  # spent now: if it ends this process, it was begun
        if trial is None:
            reason = self._store.slots(name).refused
            self._tell(name, UpdateError(f"{name}: {reason.reason if reason else 'given up'}"))
            log.warning("%s: the new bundle is given up: %s", name, reason.reason if reason else "")
            return
        log.info("%s %s is tried (%d more times if need be)", name, trial.version, slots.tries - 1)
        try:
            folder = self._views.folder(self._store.manifest(trial.digest))
            said = self._try_out(folder, self._threads, self._settings.trial_s, self._stopped.is_set)
            outcome = self._load(folder)
        except EdgertError as error:
            self._give_up(name, trial, error)
            return
        self._served[name] = trial.digest
        self._watched[name] = _Watched(trial.digest, self._clock() + self._settings.settle_s)
        log.info("%s %s serves, %s; it is kept %s", name, trial.version, said, self._when())
        self._tell(name, outcome)
        self._changed(name)

    def _give_up(self, name: str, trial: Installed, error: EdgertError) -> None:
        log.warning("%s %s is not taken: %s", name, trial.version, error)
        self._store.fail(name, f"{error.code}: {error}")
        self._tell(name, error)
        self._changed(name)

    def _keep(self, name: str) -> None:
        kept = self._store.confirm(name)
        self._watched.pop(name, None)
        log.info("%s %s is kept", name, kept.version)
        self._tidy()

    def _tidy(self) -> None:
        """Make room; what is not tidied now is tidied next time."""
        try:
            freed = self._store.gc()
            self._views.keep_only({*self._store.state().digests, *self._served.values()})
            log.info("cleared away %d files, %.1f MB", freed.files, freed.size_bytes / 1e6)
        except UpdateError as error:
            self._warn("", f"nothing was cleared away: {error}")

    def _serve(self, name: str, bundle: Installed) -> None:
        try:
            self._load(self._views.folder(self._store.manifest(bundle.digest)))
        except EdgertError:
            self._unservable[name] = bundle.digest
            raise
        self._served[name] = bundle.digest
        log.info("%s %s serves", name, bundle.version)

    def _load(self, folder: Path) -> dict[str, object]:
        return self._done(lambda told: self._keeper.load(folder, told))

    def _unload(self, name: str) -> None:
        self._done(lambda told: self._keeper.unload(name, told))
        del self._served[name]

    def _done(self, ask: Callable[[Told], None]) -> dict[str, object]:
        """What came of something that the keeper was asked to do."""
        outcomes: queue.SimpleQueue[dict[str, object] | EdgertError] = queue.SimpleQueue()
        ask(outcomes.put)
        while True:
            try:
                outcome = outcomes.get(timeout=_WAIT_S)
            except queue.Empty as error:
                if self._stopped.is_set():
                    raise TrialLeft from error
                continue
            if isinstance(outcome, EdgertError):
                raise outcome
            return outcome

    # --- small things ------------------------------------------------------------------------------------------------

    def _is_good(self, name: str, bundle: Installed) -> bool:
        """Whether a bundle is whole and its folder there."""
        try:
            self._views.folder(self._store.check(bundle.digest))
        except EdgertError as error:
            log.error("%s %s cannot be served: %s", name, bundle.version, error)
            return False
        return True

    def _note_waiting(self, state: State) -> None:
        for name, slots in state.models.items():
            if self._waiting.get(name) != slots.waiting:
                self._waiting[name] = slots.waiting
                self._changed(name)

    def _tell(self, name: str, outcome: dict[str, object] | EdgertError) -> None:
        told = self._told.pop(name, None)
        if told is not None:
            told(outcome)

    def _when(self) -> str:
        auto = self._settings.confirm == "auto"
        return f"in {self._settings.settle_s} s" if auto else "when `edgert confirm` says so"

    def _warn(self, name: str, problem: str) -> None:
        """Say it once, not once a second."""
        if problem != self._last_problem.get(name):
            log.error("%s", f"{name}: {problem}" if name else problem)
            self._last_problem[name] = problem
