"""The whole way: `edgert flash` over a serial cable at 921600 baud to a daemon that answers over MQTT meanwhile."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.bundle.container import bundle_file
from edge_runtime.bundle.container.keys import SigningKey
from edge_runtime.bundle.manifest import Role, read_manifest, seal_bundle
from edge_runtime.bundle.store.state import STATE, Slots, state_from_bytes
from edge_runtime.bundle.target import Target
from edge_runtime.bundle.trust import add_key
from edge_runtime.client import Client
from edge_runtime.mqtt.broker import RunningBroker
from tests import served, tiny
from tests.brokers import wait_until
from tests.edge_runtime.test_keeper import broken
from tests.firmware_bridge.flash.boards import noise
from tests.firmware_bridge.serial_cable import SerialCable

pytest.importorskip("serial", reason="pyserial is not installed (pip install 'edgert[flash]')")
pytestmark = pytest.mark.broker

BAUD = 921600
WEIGHT = 400_000  # bytes of something that does not compress, so that there is a middle to pull the cable in


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with served.broker("mosquitto") as running:
        yield running


class Site:
    """Signed bundles on a workstation, a cable, and the config of the daemon at its other end."""

    def __init__(self, folder: Path, cable: SerialCable) -> None:
        self.folder, self.cable, self.store = folder, cable, folder / "store"
        key = SigningKey.new("release")
        add_key(folder / "trust", "key", key.public)
        for number, version in enumerate(("1.0.0", "2.0.0", "3.0.0"), start=1):
            self._write(folder / version, version, number)
        broken(folder / "3.0.0", folder / "wrong")
        for name in ("1.0.0", "2.0.0", "wrong"):
            bundle_file.build(folder / name, folder / f"{name}.edgert", key, Target(("cpu",)))
        self.config = folder / "edgert.toml"
        self.config.write_text(
            f"store = '{self.store}'\n[updates]\ntrust = '{folder}/trust'\nsettle_s = 1\n"
            f"[smp]\nserial = ['serial:{cable.b}?baud={BAUD}']\n"
        )

    def _write(self, folder: Path, version: str, number: int) -> None:
        tiny.write_bundle(folder, version=version)
        manifest = read_manifest(folder)
        (folder / "report.bin").write_bytes(noise(WEIGHT, number))
        roles: dict[str, Role] = {entry.path: entry.role for entry in manifest.files}
        (folder / "manifest.json").unlink()
        seal_bundle(folder, manifest, roles | {"report.bin": "report"})

    def flash(self, name: str) -> subprocess.Popen[str]:
        target = f"serial:{self.cable.a}?baud={BAUD}"
        command = [
            *served.EDGERT,
            "flash",
            str(self.folder / f"{name}.edgert"),
            "--to",
            target,
            "--json",
            "--wait",
            "60",
        ]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @property
    def slots(self) -> Slots:
        return state_from_bytes((self.store / STATE).read_bytes()).models["tiny"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with SerialCable(BAUD, 0.001) as cable:
        yield Site(tmp_path, cable)


def test_pulled_resumed_tried_kept_and_a_bad_version_goes_back_by_itself(broker: RunningBroker, site: Site) -> None:
    with served.daemon(broker.address, [], config=site.config):
        served.wait_online(broker.client_address)
        first = site.flash("1.0.0")
        wait_until("a third is sent", lambda: site.cable.there.sent_bytes > WEIGHT / 3, 30)
        site.cable.pull()
        out, err = first.communicate(timeout=60)
        assert first.returncode == 3, err
        assert json.loads(out)["error"]["reason"] == "link_lost"
        assert not (site.store / STATE).exists()  # nothing of it counts yet

        site.cable.plug()
        second = site.flash("1.0.0")
        out, err = second.communicate(timeout=90)
        assert second.returncode == 0, err
        said = json.loads(out)
        assert said["end"] == "confirmed"
        assert said["estimate"]["send_bytes"] < WEIGHT * 2 / 3 + 128 * 1024  # with what was under way
        assert said["estimate"]["seconds"] > 1
        assert site.slots.active is not None
        with Client(broker.client_address) as client:
            assert client.infer("tiny", "turn on the light").body["version"] == "1.0.0"

            third = site.flash("wrong")
            out, err = third.communicate(timeout=90)
            assert third.returncode == 4, err
            assert "golden_mismatch" in json.loads(out)["error"]["message"]
            assert site.slots.active.version == "1.0.0"
            assert site.slots.trial is None
            assert client.infer("tiny", "turn on the light").body["version"] == "1.0.0"
