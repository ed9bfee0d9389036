"""Who is told what a device is and can do, and when: clients by retained documents, Home Assistant by its own."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.config import Config
from edge_runtime.documents import document_message, info_document, model_document
from edge_runtime.model import takes_of
from edge_runtime.mqtt.contract import CONTENT_TYPES
from edge_runtime.mqtt.homeassistant import HomeAssistant, ModelFacts, NewerBundle
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics

BIRTH_PAUSE_S = 3.0


class Announcer:
    """Publishes the documents of one device.

    Args:
        config, topics: of the daemon.
        models: gives all models that can be asked, and whether each is loaded.
        publish: sends a message.
        home: describes the device to Home Assistant, if it is wanted.
        newer: gives the newest bundle that a store has of a model, if the model comes from one.
    """

    def __init__(
        self,
        config: Config,
        topics: Topics,
        models: Callable[[], Sequence[tuple[Manifest, bool]]],
        publish: Callable[[Message], object],
        home: HomeAssistant | None,
        newer: Callable[[Manifest], NewerBundle | None] = lambda manifest: None,
    ) -> None:
        self._config, self._topics, self._models, self._publish = config, topics, models, publish
        self._home, self._home_due_s, self._newer = home, math.inf, newer

    @property
    def subscriptions(self) -> list[tuple[str, int]]:
        """What must be heard to know when to announce again."""
        return [(self._home.birth, 1), (self._home.topic, 1)] if self._home else []

    def status(self, word: str) -> Message:
        """`online` or `offline`."""
        return Message(self._topics.status, word.encode(), qos=1, retain=True)

    def everything(self) -> None:
        """Publish all; `online` comes last, when requests are already taken."""
        self._info()
        for manifest, ready in self._models():
            self._publish(document_message(self._topics.model(manifest.name), model_document(manifest, ready=ready)))
        self._describe()
        self._publish(self.status("online"))

    def changed(self, name: str) -> None:
        """A model was loaded, exchanged, put away or unloaded."""
        document = next(
            (model_document(manifest, ready=ready) for manifest, ready in self._models() if manifest.name == name), None
        )
        topic = self._topics.model(name)
        self._publish(document_message(topic, document) if document else Message(topic, b"", qos=1, retain=True))
        self._info()
        self._describe()

    def heard(self, message: Message) -> bool:
        """Take what Home Assistant says, or what we told it before a restart; False: it is something else."""
        if self._home is None or message.topic not in (self._home.birth, self._home.topic):
            return False
        if message.topic == self._home.topic:
            if self._home.recall(message):  # entities of models that are no more must be taken back
                self._home_due_s = time.monotonic()
            return True
        if self._home.is_birth(message):  # not together with everybody else
            self._home_due_s = time.monotonic() + random.uniform(0, BIRTH_PAUSE_S)
        return True

    def tick(self, now_s: float) -> None:
        """Tell Home Assistant again if it has started some seconds ago; to be called while the connection is ready."""
        if now_s >= self._home_due_s:
            self._home_due_s = math.inf
            self._describe()

    def _info(self) -> None:
        names = sorted(manifest.name for manifest, _ in self._models())
        self._publish(document_message(self._topics.info, info_document(self._config, names, list(CONTENT_TYPES))))

    def _describe(self) -> None:
        if self._home is not None:
            facts = [_facts_of(manifest, self._newer(manifest)) for manifest, _ in self._models()]
            self._publish(self._home.description(sorted(facts, key=lambda fact: fact.name)))


def _facts_of(manifest: Manifest, newer: NewerBundle | None) -> ModelFacts:
    classifies, reads_texts = manifest.task.name == "classify", takes_of(manifest).words == "text"
    return ModelFacts(manifest.name, manifest.version, classifies, newer, reads_texts=reads_texts)
