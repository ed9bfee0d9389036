"""What to do with a broker's files, as lines for people. No I/O."""

from __future__ import annotations

import shlex

from edge_runtime.mqtt.broker_setup.files import ON_BOARD, address_for, device_config, folder_of
from edge_runtime.mqtt.broker_setup.plan import BrokerPlan

_BROKER_FILES = ("mosquitto.conf", "acl", "passwords")
_TLS_FILES = ("ca.crt", "server.crt", "server.key")


def next_steps(plan: BrokerPlan) -> str:
    """Try it, install it, carry the logins to boards and users."""
    parts = [_try(plan), _install(plan), *(_board(plan, name) for name in plan.devices[:1])]
    others = [f"  {folder_of(name)}/ -> {ON_BOARD}/ on {name}" for name in plan.devices[1:]]
    if others:
        parts.append("The other devices likewise:\n" + "\n".join(others))
    if plan.users:
        parts.append(_users(plan))
    if plan.tls:
        key = shlex.quote(str(plan.folder / "authority"))
        parts.append(f"Who has {key} can make certificates: keep it off the broker's machine, and keep a copy.")
    return "\n\n".join(parts)


def _try(plan: BrokerPlan) -> str:
    return f"Try it:\n  mosquitto -c {shlex.quote(str(plan.folder / 'mosquitto.conf'))}"


def _install(plan: BrokerPlan) -> str:
    names = _BROKER_FILES + (_TLS_FILES if plan.tls else ())
    files = " ".join(shlex.quote(str(plan.folder / name)) for name in names)
    folder = shlex.quote(str(plan.folder))
    return (
        "Install it (Debian; best with DIR below /etc/mosquitto, for Mosquitto's own user must be able to read it):\n"
        f"  sudo chown mosquitto: {folder} {files}\n"
        f"  sudo ln -s {shlex.quote(str(plan.folder / 'mosquitto.conf'))} /etc/mosquitto/conf.d/edgert.conf\n"
        "  sudo systemctl restart mosquitto"
    )


def _board(plan: BrokerPlan, name: str) -> str:
    config = "".join(f"  {line}".rstrip() + "\n" for line in device_config(plan, name).splitlines())
    return (
        f"On the device {name}, put the files of {folder_of(name)}/ into {ON_BOARD}/, add its bundles to edgert.toml\n"
        f"(bundles = [...], above [broker]) and start `edgert serve --config {ON_BOARD}/edgert.toml`:\n\n"
        + config.rstrip()
    )


def _users(plan: BrokerPlan) -> str:
    lines = [
        f"  {user.name}: {address_for(plan, user.name, files=folder_of(user.name)).display()}" for user in plan.users
    ]
    return "Users (whole URLs with passwords in for-NAME/url, for `edgert ask --broker`):\n" + "\n".join(lines)
