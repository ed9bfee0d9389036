"""A model of a device as Home Assistant's local conversation agent, by the Wyoming protocol. The one file that imports
`wyoming`.

Source: https://github.com/OHF-Voice/wyoming (the events) and `homeassistant/components/wyoming/conversation.py` of
https://github.com/home-assistant/core: it sends a transcript, and takes an intent, or words to say.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from wyoming.asr import Transcript
from wyoming.event import Event
from wyoming.handle import NotHandled
from wyoming.info import Attribution, Describe, Info, IntentModel, IntentProgram
from wyoming.intent import Entity, Intent, NotRecognized, Recognize
from wyoming.server import AsyncEventHandler, AsyncServer

from edge_runtime import __version__
from edge_runtime.errors import BrokerUnreachable, EdgertError, ModelNotFound, RequestTimeout, UsageError

log = logging.getLogger("edgert.wyoming")

URL = "https://pypi.org/project/edgert/"
# Every language that the intent may come in: the agent does not know what a model was trained on.
LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pt", "pl", "sv", "da", "nb", "fi", "cs", "uk", "ru", "tr", "zh", "ja")

MOST_BYTES = 1 << 20  # of an event: a sentence is never that long, and nobody shall fill the memory

Ask = Callable[[str], Mapping[str, Any]]


class Connecting:
    """Asks over a connection that is made when it is first needed, and anew as long as there is none.

    So the agent may start before the broker. To be called from any thread.

    Args:
        connect: gives what asks; may take its time and raise an `EdgertError`.
    """

    def __init__(self, connect: Callable[[], Ask]) -> None:
        self._connect, self._lock = connect, threading.Lock()
        self._ask: Ask | None = None
        self._failures: list[EdgertError] = []  # the last one

    def __call__(self, text: str) -> Mapping[str, Any]:
        """The answer. EdgertError: there is no connection, or no answer."""
        return self._connected()(text)

    def early(self) -> None:
        """Connect before the first sentence comes; if that fails, the log says why, and the sentence tries again."""
        try:
            self._connected()
        except EdgertError as error:
            log.warning("%s: each sentence tries again", error)

    def _connected(self) -> Ask:
        known = self._failures
        with self._lock:
            if self._ask is None:
                if self._failures is not known:  # another thread tried while this one waited
                    raise self._failures[0]
                try:
                    self._ask = self._connect()
                except EdgertError as error:
                    self._failures = [error]
                    raise
            return self._ask


class Agent(AsyncEventHandler):
    """One connection of Home Assistant.

    Args:
        ask: gives the answer to a sentence; called on a thread, may take its time and raise an `EdgertError`.
        model: its name.
        threshold: the least score of a label that is taken for an intent.
        languages: what the model is announced for.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        ask: Ask,
        model: str,
        threshold: float,
        languages: tuple[str, ...],
    ) -> None:
        super().__init__(cast(asyncio.StreamReader, _Bounded(reader)), writer)
        self._ask, self._model, self._threshold, self._languages = ask, model, threshold, languages

    async def run(self) -> None:
        """Answer until the client goes; one that does not keep to the protocol is let go."""
        try:
            await super().run()
        except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
            log.warning("a client was let go: %s: %s", type(error).__name__, error)

    async def handle_event(self, event: Event) -> bool:
        """Answer one event; others than those of a conversation are passed over."""
        if Describe.is_type(event.type):
            await self.write_event(self._info().event())
        elif Transcript.is_type(event.type):
            heard = Transcript.from_event(event)
            await self.write_event(await self._recognized(heard.text, heard.context))
        elif Recognize.is_type(event.type):
            sentence = Recognize.from_event(event)
            await self.write_event(await self._recognized(sentence.text, sentence.context))
        return True

    async def _recognized(self, text: str, context: dict[str, Any] | None) -> Event:
        if not isinstance(text, str):
            raise TypeError("the sentence is no text")
        try:
            answer = await asyncio.get_running_loop().run_in_executor(None, self._ask, text)
        except EdgertError as error:
            log.warning("a sentence was not answered: %s", error)
            return NotHandled(text=_spoken(error, self._model), context=context).event()
        label, score = answer.get("label"), answer.get("score")
        if not isinstance(label, str) or not isinstance(score, int | float):
            return NotRecognized(text=f"{self._model} does not give labels.", context=context).event()
        if score < self._threshold:
            return NotRecognized(text="I did not understand that.", context=context).event()
        slots = answer.get("slots")
        entities = [Entity(name, value) for name, value in slots.items()] if isinstance(slots, dict) else []
        return Intent(name=label, entities=entities, context=context).event()

    def _info(self) -> Info:
        about = Attribution("edgert", URL)
        model = IntentModel(
            self._model, about, installed=True, description=None, version=None, languages=list(self._languages)
        )
        program = IntentProgram(
            "edgert",
            about,
            installed=True,
            description=f"{self._model} on an edge device",
            version=__version__,
            models=[model],
        )
        return Info(intent=[program])


class _Bounded:
    """What of a reader the protocol's package uses, for events of a sensible size only."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self.readline, self.feed_eof = reader.readline, reader.feed_eof

    async def readexactly(self, size: int) -> bytes:
        """ValueError: more than `MOST_BYTES`."""
        if size > MOST_BYTES:
            raise ValueError(f"an event of {size} bytes")
        return await self._reader.readexactly(size)


def _spoken(error: EdgertError, model: str) -> str:
    """What people shall hear; the log has the rest."""
    match error:
        case BrokerUnreachable():
            return "I cannot reach the broker."
        case RequestTimeout():
            return "I get no answer from the device."
        case ModelNotFound():
            return f"No device offers the model {model}."
    return "The device could not answer."


async def serve(
    uri: str, ask: Ask, model: str, *, threshold: float, languages: tuple[str, ...], ready: Callable[[], None]
) -> None:
    """Answer Home Assistant until it is cancelled.

    Args:
        uri: `tcp://HOST:PORT` or `unix:///PATH`.
        ready: called when connections are taken.

    Raises:
        UsageError: nobody can listen there.
    """
    try:
        server = AsyncServer.from_uri(uri)
        await server.start(partial(Agent, ask=ask, model=model, threshold=threshold, languages=languages))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot listen at {uri}: {error}") from error
    ready()
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()
