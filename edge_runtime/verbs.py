"""What a device is asked besides inferences: list, health, load, unload."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge_runtime.config import ControlConfig
from edge_runtime.documents import model_document
from edge_runtime.errors import BadRequest, EdgertError, NotAllowed
from edge_runtime.keeper import Keeper, Told, within
from edge_runtime.mqtt.contract import Control
from edge_runtime.service import Service


class Verbs:
    """Answers control requests; what takes time is done on the keeper's thread.

    Args:
        service, keeper: whose models are spoken of.
        config: whether models may be loaded and unloaded.
        health: what is known of the daemon now.
        install: tries the bundle that waits in the store to take a model's place, and tells what came of it; None:
            there is no store.
    """

    def __init__(
        self,
        service: Service,
        keeper: Keeper,
        config: ControlConfig,
        health: Callable[[], Mapping[str, object]],
        install: Callable[[str, Told], None] | None = None,
    ) -> None:
        self._service, self._keeper, self._config, self._health = service, keeper, config, health
        self._install = install

    def obey(self, asked: Control) -> None:
        """Answer at once, or see to it that an answer follows.

        Raises:
            BadRequest, NotAllowed: it is not done.
        """
        if asked.verb == "health":
            self._service.reply(asked.address, self._health())
        elif asked.verb == "list":
            documents = [model_document(manifest, ready=ready) for manifest, ready in self._keeper.models]
            self._service.reply(asked.address, {"models": documents})
        elif asked.verb in ("load", "unload"):
            self._change(asked)
        else:
            raise BadRequest(f"{asked.verb} is not answered here")

    def _change(self, asked: Control) -> None:
        if not self._config.load:
            raise NotAllowed(f"{asked.verb} over MQTT is switched off here: set control.load in the config")

        def told(outcome: dict[str, object] | EdgertError) -> None:
            if isinstance(outcome, EdgertError):
                self._service.refuse(asked.address, outcome)
            else:
                self._service.reply(asked.address, outcome)

        if asked.verb == "load":
            if asked.model and not asked.folder and self._install is not None:
                self._install(asked.model, told)
                return
            if not asked.folder:
                raise BadRequest('load needs a folder: send {"folder": "/path/of/a/bundle"}')
            self._keeper.load(within(asked.folder, self._config.folders), told)
        elif not asked.model:
            raise BadRequest('unload needs a model: send {"model": "name"}')
        else:
            self._keeper.unload(asked.model, told)
