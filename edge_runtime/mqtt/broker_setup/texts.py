"""Mosquitto's configuration and access list as text. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from edge_runtime.mqtt.broker_setup.plan import BrokerPlan, User

_HEAD = """\
# Mosquitto for edgert, written by `edgert broker init`; checked with Mosquitto 2.0.

# Nobody without a name: neither on this machine nor from others.
per_listener_settings false
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl

# Without it every exchange with QoS 1 can cost 44 ms: Nagle's algorithm waits for a delayed acknowledgement.
set_tcp_nodelay true

# A packet of unlimited size (Mosquitto's default) is a way to use up the memory. Devices take 4 MiB by default.
max_packet_size 8388608

# What waits for a client that reads slowly; over it Mosquitto drops messages and tells nobody.
max_inflight_messages 64
max_queued_messages 256
max_queued_bytes 33554432

# A broker that comes back must not hand out yesterday's requests. Devices publish all that is retained again when they
# connect. If other software keeps retained messages here, write `true` and name a persistence_location.
persistence false

log_type error
log_type warning
log_type notice

# This machine, without TLS: nobody else can connect here.
listener {plain_port} 127.0.0.1
"""

_TLS = """\

# Everybody else: TLS only. No websockets listener: Mosquitto 2.0.11 opens it on all interfaces, whatever is written.
listener {port}
cafile {folder}/ca.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
tls_version tlsv1.2
"""

_BY_CERTIFICATE = """\
# A certificate of our authority is the login: its name (CN) is the user of the access list, no password is asked for.
require_certificate true
use_identity_as_username true
"""

_ACL_HEAD = """\
# Who may do what, for Mosquitto; written by `edgert broker init`. What no line allows is denied.
# A denied subscription is still granted by Mosquitto, and then nothing comes.

# Everybody reads the replies to their own requests, and nobody else's (%u is the user's name).
pattern read {root}/r/%u/#
"""

_DEVICE = """
# A device owns its topics, answers requests and shows itself to Home Assistant. It cannot speak for another device.
user {name}
topic readwrite {root}/d/{name}/#
topic write {root}/r/#
topic read {root}/g/+/req/#
topic readwrite {prefix}/device/edgert_{object_id}/config
topic read {prefix}/status
# For rules on other topics add lines such as: topic read zigbee2mqtt/#
"""

# What everybody who asks may read: which devices and models there are, and how they are.
_WATCH = ("status", "info", "model/+", "load", "stats", "event/#", "res/#")
# A panel that may ask for some models only need not see what others are answered.
_WATCH_LESS = ("status", "info", "model/+", "load")
_VERBS = ("list", "health", "cancel")


def config_text(plan: BrokerPlan) -> str:
    """`mosquitto.conf`."""
    values = {"folder": plan.folder, "port": plan.port, "plain_port": plan.plain_port}
    return (
        _HEAD.format(**values)
        + (_TLS.format(**values) if plan.tls else "")
        + (_BY_CERTIFICATE if plan.client_certificates else "")
    )


def acl_text(plan: BrokerPlan) -> str:
    """The access list."""
    devices = [
        _DEVICE.format(name=name, object_id=name.replace(".", "_"), root=plan.root, prefix=plan.prefix)
        for name in plan.devices
    ]
    users = ["\n" + "\n".join(_lines_of(user, plan)) + "\n" for user in plan.users]
    return "".join([_ACL_HEAD.format(root=plan.root), *devices, *users])


def _lines_of(user: User, plan: BrokerPlan) -> Iterator[str]:
    root = plan.root
    what = {
        "panel": "may ask for " + (", ".join(user.models) or "every model"),
        "admin": "may ask for every model, and load and unload models",
        "home-assistant": "may ask for every model, and uses its own prefix",
    }[user.role]
    yield f"# {user.name} {what}."
    yield f"user {user.name}"
    for model in user.models or ("+",):
        yield f"topic write {root}/d/+/req/infer/{model}"
        yield f"topic write {root}/g/+/req/infer/{model}"
    for verb in (*_VERBS, "load", "unload") if user.role == "admin" else _VERBS:
        yield f"topic write {root}/d/+/req/{verb}"
    for below in _WATCH_LESS if user.models else _WATCH:
        yield f"topic read {root}/d/+/{below}"
    if user.role == "home-assistant":
        yield f"topic readwrite {plan.prefix}/#"
