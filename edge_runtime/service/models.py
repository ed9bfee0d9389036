"""What is loaded, what may be loaded when it is asked for, and what is on its way out. Not locked: the caller is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_runtime.errors import ModelNotFound
from edge_runtime.model import Model


@dataclass
class Models:
    """Name -> model.

    Attributes:
        loaded: ready to run; an entry may be exchanged at any time, a run keeps the one it began with.
        known: not loaded, but loaded when asked for.
        leaving: takes nothing new; what waits for it is still run.
    """

    loaded: dict[str, Model]
    known: set[str] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, loaded: Mapping[str, Model]) -> Models:
        """A table of loaded models; a dictionary is shared with the caller."""
        return cls(loaded if isinstance(loaded, dict) else dict(loaded))

    @property
    def names(self) -> list[str]:
        """All that can be asked for."""
        return sorted(({*self.loaded} | self.known) - self.leaving)

    def check(self, name: str) -> Model | None:
        """Give the model that a new request is for; None: it must be loaded first. ModelNotFound: there is none."""
        if name in self.leaving or (name not in self.loaded and name not in self.known):
            raise ModelNotFound(name, self.names)
        return self.loaded.get(name)
