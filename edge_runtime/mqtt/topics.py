"""The topic tree of one device (docs/mqtt.md), and which topics a reply may go to. Pure text, no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from edge_runtime.errors import BadRequest, ReplyTopicRefused

ROOT = "edgert/v1"
Verb = Literal["list", "health", "load", "unload", "cancel"]
VERBS: tuple[Verb, ...] = get_args(Verb)
WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MAX_REPLY_TOPIC_BYTES = 256
_PLAIN = re.compile(r"[^/#+$\0]+(?:/[^/#+$\0]+)*")  # levels that are not empty, without wildcards or $


@dataclass(frozen=True)
class Topics:
    """Names of all topics of one device under one root."""

    device: str
    root: str = ROOT
    reply_prefixes: tuple[str, ...] = ()
    group: str = ""

    @property
    def base(self) -> str:
        """What every topic of this device starts with."""
        return f"{self.root}/d/{self.device}"

    @property
    def requests(self) -> str:
        """The filter that the daemon subscribes to: everything asked of this device."""
        return f"{self.base}/req/#"

    @property
    def group_requests(self) -> str:
        """The filter for what is asked of the group, shared with its other members."""
        return f"$share/edgert/{self.root}/g/{self.group}/req/#"

    @property
    def status(self) -> str:
        """Retained `online` or `offline`, the last will."""
        return f"{self.base}/status"

    @property
    def info(self) -> str:
        """Retained JSON about the daemon."""
        return f"{self.base}/info"

    @property
    def load(self) -> str:
        """Retained JSON about how much there is to do, for clients that can choose a device."""
        return f"{self.base}/load"

    @property
    def stats(self) -> str:
        """JSON about what was done, now and then."""
        return f"{self.base}/stats"

    def event(self, source: str) -> str:
        """Where something happened that nobody asked for just now."""
        return f"{self.base}/event/{source}"

    def control(self, verb: Verb) -> str:
        """Where a device is asked for something else than an inference."""
        return f"{self.base}/req/{verb}"

    def group_infer(self, group: str, model: str) -> str:
        """Where a request goes that any device of a group may answer."""
        return f"{self.root}/g/{group}/req/infer/{model}"

    def model(self, name: str) -> str:
        """Retained JSON about one model; `+` as name makes the filter of all."""
        return f"{self.base}/model/{name}"

    def infer(self, model: str) -> str:
        """Where a request for this model goes."""
        return f"{self.base}/req/infer/{model}"

    def shared_reply(self, model: str) -> str:
        """Where an answer goes that has no reply topic of its own."""
        return f"{self.base}/res/infer/{model}"

    def shared_reply_to(self, verb: Verb) -> str:
        """Where an answer to a control request goes that has no reply topic of its own."""
        return f"{self.base}/res/{verb}"

    def reply(self, user: str, client: str) -> str:
        """Where a client waits for its answers."""
        return f"{self.root}/r/{user}/{client}"

    def verb_of(self, topic: str) -> Verb | None:
        """The control request that a topic is for; None: it is for none."""
        word = topic.removeprefix(f"{self.base}/req/")
        return next((verb for verb in VERBS if verb == word), None)

    def model_of(self, topic: str) -> str:
        """The model that a request topic asks for.

        Raises:
            BadRequest: not an inference topic, or the model's name is no topic word.
        """
        request = topic.removeprefix(f"{self.base}/req/").removeprefix(f"{self.root}/g/{self.group}/req/")
        kind, _, name = request.partition("/")
        if kind != "infer":
            verbs = ", ".join(VERBS)
            raise BadRequest(
                f"no such request {kind[:64]!r} here: publish to {self.infer('MODEL')}, or ask for {verbs}"
            )
        if not WORD.fullmatch(name):
            raise BadRequest(f"model name {name[:80]!r} must be 1 to 64 of A-Z a-z 0-9 _ . -")
        return name

    def checked_reply_topic(self, topic: str) -> str:
        """The topic again, if a reply may be published to it.

        Otherwise a client could make the daemon, with the daemon's rights, publish anywhere: to a smart home's
        discovery topics, say.

        Raises:
            ReplyTopicRefused: outside the allowed prefixes, too long, with a wildcard, `$`, NUL or an empty level.
        """
        return _checked_reply_topic(topic, self.reply_prefixes or (f"{self.root}/r/",))

    def user_of(self, reply_topic: str) -> str:
        """Whom a reply topic belongs to: its user and client level, which the broker's ACL guards."""
        return "/".join(reply_topic.removeprefix(f"{self.root}/r/").split("/")[:2])


@lru_cache(maxsize=512)  # a client that asks once asks again; what is remembered is short, as refusals are not
def _checked_reply_topic(topic: str, prefixes: tuple[str, ...]) -> str:
    if not topic.startswith(prefixes):
        raise ReplyTopicRefused(f"reply topic {topic[:80]!r} must start with {' or '.join(prefixes)}")
    if len(topic.encode("utf-8", "replace")) > MAX_REPLY_TOPIC_BYTES:
        raise ReplyTopicRefused(f"reply topic is longer than {MAX_REPLY_TOPIC_BYTES} bytes")
    if not _PLAIN.fullmatch(topic) or not topic.isprintable():
        raise ReplyTopicRefused(f"reply topic {topic[:80]!r} has a wildcard, $, an empty level or a control")
    return topic
