"""A Mosquitto for a whole home or fleet: configuration, access list, passwords and certificates as files."""

from __future__ import annotations

from edge_runtime.mqtt.broker_setup.files import write_setup
from edge_runtime.mqtt.broker_setup.plan import BrokerPlan, User
from edge_runtime.mqtt.broker_setup.steps import next_steps

__all__ = ["BrokerPlan", "User", "next_steps", "write_setup"]
