"""Our client against servers that nobody here wrote: Zephyr 4.4, with large, small and very small buffers."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest

from firmware_bridge.errors import NotThere
from firmware_bridge.flash.engine import flash
from firmware_bridge.flash.opened import Ways, open_target
from firmware_bridge.flashers.smp import SmpBoard
from firmware_bridge.link import SMP_UDP_PORT, open_link, read_address
from firmware_bridge.smp.client import Channel, Client, framing_named
from firmware_bridge.smp.client_image import read_slots
from tests.edge_runtime.bundle.signed import TRUST
from tests.firmware_bridge.flash.boards import make_bundle, noise
from tests.firmware_bridge.flashers.zephyr_builds import facts, zephyr
from tests.served import EDGERT

pytest.importorskip("serial", reason="pyserial is not installed (pip install 'edgert[flash]')")

BUILDS = ["serial", "serial_bigrx", "serial_fs", "serial_line512", "serial_raw", "serial_noparams"] + [
    f"serial_buf{size}" for size in (96, 256, 400, 512, 1024, 2048)
]
_TELLS_NOTHING = 256


@pytest.mark.parametrize("build", BUILDS)
def test_every_build_answers_and_says_how_much_it_takes(build: str, tmp_path: Path) -> None:
    framing = "raw" if build == "serial_raw" else "console"
    with zephyr(build, tmp_path) as device:
        link = open_link(read_address(f"serial:{device}"))
        client = Client(Channel(link, framing_named(framing)))
        assert client.echo("hello") == "hello"
        params = client.params()
        said = facts(build, "native_sim")["buf_size"]
        if build == "serial_noparams":
            assert params.message_bytes == _TELLS_NOTHING
        else:
            assert params.message_bytes == said if framing == "raw" else params.message_bytes == said - 4  # type: ignore[operator]
        with pytest.raises(NotThere):
            read_slots(client)  # no firmware on this one
        link.close()


@pytest.mark.parametrize("build", ["serial_buf96", "serial_buf256", "serial_buf1024", "serial_bigrx", "serial_fs"])
def test_a_message_as_long_as_the_board_takes_arrives(build: str, tmp_path: Path) -> None:
    with zephyr(build, tmp_path) as device:
        link = open_link(read_address(f"serial:{device}"))
        client = Client(Channel(link))
        text = "x" * (client.params().message_bytes - 18)
        assert client.echo(text) == text
        link.close()


@pytest.mark.parametrize("build", ["serial", "serial_bigrx", "serial_fs"])
def test_a_file_arrives_even_where_bursts_are_dropped(build: str, tmp_path: Path) -> None:
    with zephyr(build, tmp_path) as device:
        board = SmpBoard(read_address(f"serial:{device}"), open_link)
        there: list[int] = []
        board.put_file(noise(6000, 3), "/lfs1/model.bin", there.append)  # its hash is compared there
        assert there[-1] == 6000
        board.close()


def test_a_file_arrives_over_udp(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("0.0.0.0", SMP_UDP_PORT))
        except OSError:
            pytest.skip(f"UDP port {SMP_UDP_PORT}, the only one of this server, is in use")
    with zephyr("udp", tmp_path):
        board = SmpBoard(read_address("udp://127.0.0.1"), open_link)
        assert board.put_file(noise(6000, 3), "/lfs1/model.bin").image_bytes == 6000
        board.close()


def test_the_command_puts_a_file_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(noise(3000, 5))
    with zephyr("serial_fs", tmp_path) as device:
        command = [*EDGERT, "flash", "--mcu", str(file), "--as", "/lfs1/m.bin", "--to", f"serial:{device}", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["end"] == "uploaded"


def test_a_board_without_an_image_group_refuses_bundles_in_words(tmp_path: Path) -> None:
    from firmware_bridge.flash.cargo import open_cargo

    bundle = make_bundle(tmp_path / "one.edgert", {"model.onnx": b"x"})
    with zephyr("serial_fs", tmp_path) as device, open_cargo(bundle) as cargo:
        target = open_target(f"serial:{device}", Ways(lambda: TRUST))
        with pytest.raises(NotThere):
            flash(cargo, target)
        target.close()
