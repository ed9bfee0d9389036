"""The embedded broker (iotcore, which is rumqttd): MQTT 5, this machine only, for those without Mosquitto.

It has no access list, keeps nothing over a restart, and throws MQTT 3.1.1 subscribers out when they meet a message
with MQTT 5 properties; so it gets an MQTT 5 listener only, and none beyond loopback.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import edge_runtime
from edge_runtime.mqtt.broker.private_file import write_private
from edge_runtime.mqtt.packet import MAX_PACKET_BYTES

# iotcore does not heed the Maximum Packet Size of its clients. So a packet that is too large for the daemon must not
# get in: it would be delivered, and cost the daemon its connection instead of the sender his. Hence its default here.

# Messages stay in a log per subscription, up to segment size x count: at 1 MB x 2 a slow reader loses QoS 1 messages
# without a sign, at the sample's 100 MB x 10 memory grows to 1 GB; 8 MB x 3 delivered all and stayed at 79 MB.
_CONFIG = """\
id = 0

[router]
id = 0
max_connections = 256
max_outgoing_packet_count = 200
max_segment_size = 8388608
max_segment_count = 3

[v5.1]
name = "edgert"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 5000
max_payload_size = {max_packet}
max_inflight_count = 100
dynamic_filters = true
auth = {{ {auth} }}
"""


def is_installed() -> bool:
    """Whether the package is there; it is not imported."""
    return importlib.util.find_spec("iotcore") is not None


def prepare(directory: Path, port: int, passwords: Mapping[str, str]) -> list[str]:
    """Write its configuration into the private `directory`; the command that runs it."""
    auth = ", ".join(f'{user} = "{password}"' for user, password in passwords.items())
    write_private(directory / "iotcore.toml", _CONFIG.format(port=port, auth=auth, max_packet=MAX_PACKET_BYTES))
    return [sys.executable, "-P", "-m", __name__, str(directory / "iotcore.toml")]


def environment() -> dict[str, str]:
    """What that command needs to find this package, wherever it was imported from."""
    source = str(Path(edge_runtime.__file__).parent.parent)
    return {"PYTHONPATH": os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))}


def serve(config_file: str) -> None:
    """Run the broker in this process until it is killed."""
    import logging

    from iotcore import IotCoreBroker

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    # rumqttd logs every packet that it routes as an error.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    IotCoreBroker(config_path=config_file).run_forever()


if __name__ == "__main__":
    serve(sys.argv[1])
