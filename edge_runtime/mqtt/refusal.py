"""MQTT reason codes in words, with what to do about them. No I/O."""

from __future__ import annotations

SUCCESS = 0x00
NO_SUBSCRIBERS = 0x10
FAILURE = 0x80  # this code and all above mean failure
UNSUPPORTED_VERSION = 0x84
SESSION_TAKEN_OVER = 0x8E
NO_SHARED_SUBSCRIPTIONS = 0x9E

_NOT_VERSION_5 = "it does not speak MQTT 5: use Mosquitto 1.6 or newer, or another MQTT 5 broker"
_BAD_LOGIN = "wrong user name or password"
_NOT_ALLOWED = "not authorized"

# MQTT 5.0 section 2.4, the codes that a broker may send.
_REASONS: dict[int, str] = {
    SUCCESS: "no reason given",
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    UNSUPPORTED_VERSION: _NOT_VERSION_5,
    0x85: "client identifier not valid",
    0x86: _BAD_LOGIN,
    0x87: _NOT_ALLOWED,
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8B: "server shutting down",
    0x8C: "bad authentication method",
    0x8D: "keep alive timeout",
    SESSION_TAKEN_OVER: "session taken over",
    0x8F: "topic filter invalid",
    0x90: "topic name invalid",
    0x91: "packet identifier in use",
    0x93: "receive maximum exceeded",
    0x94: "topic alias invalid",
    0x95: "packet too large",
    0x96: "message rate too high",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x99: "payload format invalid",
    0x9A: "retain not supported",
    0x9B: "QoS not supported",
    0x9C: "use another server",
    0x9D: "server moved",
    NO_SHARED_SUBSCRIPTIONS: "shared subscriptions not supported",
    0x9F: "connection rate exceeded",
    0xA0: "maximum connect time",
    0xA1: "subscription identifiers not supported",
    0xA2: "wildcard subscriptions not supported",
}

# MQTT 3.1.1 section 3.2.2.3: what an old broker answers, mapped to the codes above.
# Even its yes: such a broker did not understand what it accepted.
_OLD_CODES = {0: UNSUPPORTED_VERSION, 1: UNSUPPORTED_VERSION, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87}

# Trying again soon does not help: somebody has to change a setting first.
_LASTING = frozenset(
    {UNSUPPORTED_VERSION, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x95, 0x9A, 0x9B, 0x9D, NO_SHARED_SUBSCRIPTIONS, 0xA2}
)


def reason(code: int) -> str:
    """The code in words, with its number."""
    return f"{_REASONS.get(code, 'unknown reason')} (0x{code:02X})"


def connect_reason(code: int) -> str:
    """The same for an answer to CONNECT: Mosquitto says `not authorized` there when the password is wrong."""
    return f"{_BAD_LOGIN}, or this user may not connect (0x87)" if code == 0x87 else reason(code)


def subscription_reason(topic: str, code: int) -> str:
    """The same for an answer to SUBSCRIBE, whose filter is `topic`."""
    if code == NO_SHARED_SUBSCRIPTIONS:
        return no_shared_subscriptions(topic)
    return f"the broker refused the subscription {topic}: {reason(code)}"


def no_shared_subscriptions(topic: str) -> str:
    """What to say of a broker that cannot share a subscription among the members of a group."""
    return (
        f"this broker has no shared subscriptions, which a group needs ({topic}): RabbitMQ, for one, has none; use "
        "Mosquitto, EMQX, NanoMQ or HiveMQ, or take `group` out of the config and let clients ask devices by name"
    )


def is_lasting(code: int) -> bool:
    """Whether only a changed setting can help, so that trying again often is pointless."""
    return code in _LASTING


def from_version_3(code: int) -> int:
    """The MQTT 5 reason for the return code of a broker that answered in MQTT 3.1.1."""
    return _OLD_CODES.get(code, FAILURE)
