"""A private Mosquitto: its configuration, passwords and access list."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from edge_runtime.mqtt.broker.child import ChildFailed
from edge_runtime.mqtt.broker.private_file import write_private

_MORE_PATH = ":/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"  # daemons live here, PATH of a plain user lacks it

# Without set_tcp_nodelay every round trip with QoS 1 costs 44 ms to clients that do not know the trick of ours.
# Nothing is stored: this broker lives as long as the daemon, which publishes all that is retained at each start.
_CONFIG = """\
per_listener_settings false
allow_anonymous false
password_file {directory}/passwords
acl_file {directory}/acl
set_tcp_nodelay true
max_packet_size 8388608
max_inflight_messages 64
max_queued_messages 256
max_queued_bytes 33554432
persistence false
log_dest stderr
log_type error
log_type warning
connection_messages false
{user}listener {port} 127.0.0.1
"""

# A pattern line holds for every user. Who may call a model may not thereby read what others ask or are answered.
_ACL = """\
pattern read {root}/r/%u/#

user {daemon}
topic readwrite {root}/#
topic readwrite homeassistant/device/+/config
topic read homeassistant/status

user {client}
topic write {root}/d/+/req/#
topic write {root}/g/+/req/#
topic read {root}/d/+/status
topic read {root}/d/+/info
topic read {root}/d/+/model/+
topic read {root}/d/+/load
topic read {root}/d/+/stats
topic read {root}/d/+/res/#
topic read {root}/d/+/event/#
"""


def find() -> str | None:
    """The Mosquitto program, or None."""
    return shutil.which("mosquitto", path=os.environ.get("PATH", os.defpath) + _MORE_PATH)


def prepare(program: str, directory: Path, port: int, passwords: Mapping[str, str], root: str) -> list[str]:
    """Write everything that it needs into the private `directory`; the command that runs it.

    Args:
        passwords: of the daemon's user first, then of the clients'.
        root: first levels of all topics.

    Raises:
        ChildFailed: the passwords cannot be hashed.
    """
    daemon, client = passwords
    # Started as root it would become the user `mosquitto`, who may not enter our private directory.
    user = "user root\n" if os.geteuid() == 0 else ""
    config = _CONFIG.format(directory=directory, port=port, user=user)
    write_private(directory / "mosquitto.conf", config)
    write_private(directory / "acl", _ACL.format(root=root, daemon=daemon, client=client))
    _write_passwords(directory / "passwords", passwords)
    return [program, "-c", str(directory / "mosquitto.conf")]


def _write_passwords(file: Path, passwords: Mapping[str, str]) -> None:
    """Hash by Mosquitto's own program, in place: on a command line every user of the machine could read them."""
    write_private(file, "".join(f"{user}:{password}\n" for user, password in passwords.items()))
    hasher = shutil.which("mosquitto_passwd", path=os.environ.get("PATH", os.defpath) + _MORE_PATH)
    if hasher is None:
        raise ChildFailed("mosquitto is installed without mosquitto_passwd, which must hash its passwords")
    done = subprocess.run([hasher, "-U", str(file)], capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        raise ChildFailed(f"mosquitto_passwd ended with status {done.returncode}: {done.stderr.strip()[-300:]}")
