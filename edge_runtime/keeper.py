"""Loads, exchanges and unloads models while others are asked, within the memory budget; what fails changes nothing.

One thread of its own does it all, one thing after another: the network and the workers never wait for a file.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edge_runtime.bundle.manifest import Manifest, read_manifest
from edge_runtime.bundle.variants import for_targets
from edge_runtime.engine.memory import ModelShelf, process_rss_mb
from edge_runtime.engine.processor import targets_here
from edge_runtime.errors import BadRequest, ConfigError, EdgertError, ModelNotFound
from edge_runtime.model import Model, open_model, takes_of
from edge_runtime.selftest import run_golden
from edge_runtime.service import Service
from edge_runtime.takes import TEXTS_ONLY, Takes

log = logging.getLogger("edgert.keeper")

RETIRE_S = 30.0  # for what waits for a model that is to go
_MB = 1 << 20
_WEIGHT_FACTOR = 1.3  # of the weights' bytes: what a session takes at first, before it was measured
_FIXED_MB = 10.0  # of a session and its tokenizer

Told = Callable[[dict[str, object] | EdgertError], None]


class Keeper:
    """Keeps the models of a service.

    Args:
        service: whose models they are.
        shelf: who has to go when there is no room.
        threads: of the sessions of a model, by its manifest.
        changed: told the name of a model that was loaded, exchanged or unloaded.
        clock: monotonic seconds.
        rss_mb: memory of this process.
    """

    def __init__(
        self,
        service: Service,
        shelf: ModelShelf,
        threads: Callable[[Manifest], int],
        changed: Callable[[str], None] = lambda name: None,
        clock: Callable[[], float] = time.monotonic,
        rss_mb: Callable[[], float] = process_rss_mb,
    ) -> None:
        self._service, self._shelf, self._threads = service, shelf, threads
        self._changed, self._clock, self._rss_mb = changed, clock, rss_mb
        self._lock = threading.Lock()  # around the shelf: workers tell of uses
        self._folders: dict[str, Path] = {}
        self._manifests: dict[str, Manifest] = {}
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._wanted: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="edgert-keeper", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread, after what it is doing."""
        self._tasks.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    @property
    def folders(self) -> dict[str, Path]:
        """Where the bundle of each model lies."""
        return dict(self._folders)

    @property
    def models(self) -> list[tuple[Manifest, bool]]:
        """All models that can be asked, by name, and whether each is loaded."""
        loaded = self._service.models.loaded
        return [(manifest, name in loaded) for name, manifest in sorted(self._manifests.items())]

    # --- from any thread ---------------------------------------------------------------------------------------------

    def takes(self, name: str) -> Takes:
        """What a model can be asked with, loaded or not."""
        manifest = self._manifests.get(name)
        return TEXTS_ONLY if manifest is None else takes_of(manifest)

    def want(self, name: str) -> None:
        """A request waits for a known model that is not loaded."""
        if name not in self._wanted:
            self._wanted.add(name)
            self._tasks.put(lambda: self._fetch(name))

    def used(self, name: str) -> None:
        """A model was asked: it is worth its place."""
        with self._lock:
            self._shelf.used(name, self._clock())

    def load(self, folder: Path, told: Told) -> None:
        """Load a bundle, or exchange the model of its name for it; `told` gets what came of it."""
        self._tasks.put(lambda: self._tell(told, lambda: self.load_now(folder)))

    def unload(self, name: str, told: Told) -> None:
        """Unload a model once nothing waits for it; `told` gets what came of it."""
        self._tasks.put(lambda: self._tell(told, lambda: self.unload_now(name)))

    def call(self, task: Callable[[], None]) -> None:
        """Do something between two changes."""
        self._tasks.put(task)

    # --- at the start, and on the thread -----------------------------------------------------------------------------

    def add(self, folders: Sequence[str], *, on_demand: bool, may_be_none: bool = False) -> None:
        """Load bundles, or with `on_demand` only those that there is room for; the rest is loaded when asked for.

        Args:
            may_be_none: bundles may come later, so that none now is no mistake.

        Raises:
            ConfigError: no bundle, or two of one name.
            BundleError, UnsupportedModel, UnsupportedTokenizer, NoMemory: a bundle cannot be run.
        """
        if not folders and not may_be_none:
            raise ConfigError("no bundle to serve: give --bundle DIR, or `bundles` or `store` in the config")
        for folder in map(Path, folders):
            manifest = _manifest_here(folder)
            name = manifest.name
            if name in self._folders:
                raise ConfigError(f"two bundles are named {name!r}: serve one of them")
            self._folders[name], self._manifests[name] = folder, manifest
            self._service.models.known.add(name)
        for name, folder in self._folders.items():
            if not on_demand or self._shelf.has_room(name, estimate_mb(self._manifests[name])):
                self._put(folder, check=False)

    def load_now(self, folder: Path) -> dict[str, object]:
        """Load a bundle: its golden rows pass before it takes a request. Raises what is wrong with it."""
        name = _manifest_here(folder).name
        old = self._service.models.loaded.get(name)
        model = self._put(folder, check=True)
        self._service.models.known.add(name)
        return {"model": name, "version": model.manifest.version, "replaced": old and old.manifest.version}

    def unload_now(self, name: str) -> dict[str, object]:
        """Unload a model when what waits for it is done. ModelNotFound, EdgertError: it was not done."""
        if name not in self._folders:
            raise ModelNotFound(name, self._service.models.names)
        if not self._service.retire(name, RETIRE_S):
            raise EdgertError(f"{name} still had requests after {RETIRE_S:g} s: it stays loaded, try again later")
        del self._folders[name], self._manifests[name]
        self._dropped(name)
        return {"model": name, "unloaded": True}

    def keep_only(self, folders: Sequence[str]) -> list[str]:
        """Make the models those of these bundles: load what is new or changed, then unload the rest.

        Returns:
            What could not be done, one line each; that model stays as it is.
        """
        problems, wanted = [], set[str]()
        for folder in map(Path, folders):
            try:
                manifest = _manifest_here(folder)
                wanted.add(manifest.name)
                loaded = self._service.models.loaded.get(manifest.name)
                if loaded is None or loaded.manifest != manifest:
                    self.load_now(folder)
            except EdgertError as error:
                problems.append(f"{folder}: {error}")
        if not problems:  # a bundle that could not be read may be one of those that would go
            for name in sorted(self._folders.keys() - wanted):
                try:
                    self.unload_now(name)
                except EdgertError as error:
                    problems.append(str(error))
        return problems

    def recycle_if_drifted(self) -> None:
        """Load a model anew whose session has grown beyond what it should take."""
        with self._lock:
            name = self._shelf.drifted(self._rss_mb(), self._clock())
        if name is not None and name in self._folders:
            log.warning("memory has grown: %s is loaded anew", name)
            self._put_away([name])  # both at a time might not fit; who asks meanwhile waits for it
            self.want(name)

    def _put(self, folder: Path, *, check: bool) -> Model:
        manifest = _manifest_here(folder)
        name, models = manifest.name, self._service.models
        with self._lock:
            victims = self._shelf.room_for(name, estimate_mb(manifest))
        self._put_away(victims)
        before_mb, started_s = self._rss_mb(), self._clock()
        model = open_model(folder, self._threads(manifest))
        model.warm_up()
        if check and manifest.file_of("golden") is not None:
            run_golden(model, folder)
        models.loaded[name] = model
        self._folders[name], self._manifests[name] = folder, manifest
        _give_back_memory()
        now_s = self._clock()
        with self._lock:
            self._shelf.loaded(name, self._rss_mb() - before_mb, now_s - started_s, now_s)
            victims = self._shelf.over_budget(keep=name)  # it may be larger than it was thought to be
        self._put_away(victims)
        self._service.model_changed()
        log.info("loaded %s %s (%s) from %s", name, manifest.version, manifest.model.scheme, folder)
        self._changed(name)
        return model

    def _put_away(self, names: Sequence[str]) -> None:
        for name in names:
            log.info("%s is put away", name)
            self._service.models.loaded.pop(name, None)
            if not self._service.wait_for_runs(name, RETIRE_S):
                log.warning("%s still runs after %g s: what it takes is not free yet", name, RETIRE_S)
            self._dropped(name)
            if self._service.is_awaited(name):  # queued while it was loaded: nobody else would ask for it
                self.want(name)

    def _dropped(self, name: str) -> None:
        with self._lock:
            self._shelf.dropped(name)
        _give_back_memory()
        self._changed(name)

    def _fetch(self, name: str) -> None:
        self._wanted.discard(name)
        if name in self._service.models.loaded or name not in self._folders:
            self._service.model_changed()
            return
        try:
            self._put(self._folders[name], check=False)
        except EdgertError as error:
            log.warning("%s cannot be loaded: %s", name, error)
            self._service.fail(name, error)

    def _tell(self, told: Told, do: Callable[[], dict[str, object]]) -> None:
        try:
            told(do())
        except EdgertError as error:
            log.warning("a model was not changed: %s", error)
            told(error)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except Exception:  # the thread must outlive a bundle that breaks it
                log.exception("a change of models failed")


def _manifest_here(folder: Path) -> Manifest:
    """A bundle's manifest with the form of its model that this board gets. BundleError: what is wrong with it."""
    return for_targets(read_manifest(folder), targets_here())


def estimate_mb(manifest: Manifest) -> float:
    """What a model will take before that was measured: its weights, and what a session has besides."""
    weights = sum(entry.size for entry in manifest.files if entry.role == "model")
    return weights * _WEIGHT_FACTOR / _MB + _FIXED_MB


def within(folder: str, allowed: Sequence[str]) -> Path:
    """Give the path of a bundle that may be loaded over MQTT. BadRequest: it lies in no allowed folder."""
    path = Path(folder).resolve()
    if not any(path.is_relative_to(Path(root).resolve()) for root in allowed):
        raise BadRequest(f"folder {folder[:80]!r} is in none of control.folders")
    return path


def _give_back_memory() -> None:
    """Return to the system what loading or unloading has freed; glibc would keep it (15 MB of 120 with MiniLM)."""
    gc.collect()  # a tokenizer and its plain way know each other
    with contextlib.suppress(AttributeError, OSError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)
