"""`edgert flash` as a program: its exit codes, its JSON, and `ssh://` with a program in place of `ssh`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.bundle.store.disk import RealDisk
from edge_runtime.bundle.store.store import Store
from edge_runtime.bundle.trust import add_key
from tests.edge_runtime.bundle.signed import KEYS, TRUST
from tests.firmware_bridge.flash.boards import make_bundle, noise
from tests.served import EDGERT

# Runs what the other side is asked to run here, by a shell as sshd does; dies after FAKE_SSH_BYTES if that is set.
FAKE_SSH = """#!{python}
import os, subprocess, sys
words = sys.argv[sys.argv.index("--") + 1:]
print(*words, file=open(os.environ["FAKE_SSH_LOG"], "a"))
host, command = words
if host == "nobody@board":
    sys.exit("nobody@board: Permission denied (publickey).")
limit = int(os.environ.get("FAKE_SSH_BYTES", "0"))
far = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE if limit else None)
seen = 0
while limit and seen < limit:
    data = os.read(0, 4096)
    seen += len(data)
    far.stdin.write(data)
    far.stdin.flush()
if limit:
    far.kill()
    sys.exit("connection reset")
sys.exit(far.wait())
"""


class Workstation:
    """A trusted key, a bundle, and a place where `ssh` is not ssh."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        add_key(folder / "trust", "key", KEYS["release"].public)
        self.bundle = make_bundle(folder / "one.edgert", {"model.onnx": noise(300_000, 1)})
        (folder / "bin").mkdir()
        for name, text in (("ssh", FAKE_SSH), ("edgert", f'#!/bin/sh\nexec {" ".join(EDGERT)} "$@"\n')):
            program = folder / "bin" / name
            program.write_text(text.format(python=sys.executable) if name == "ssh" else text)
            program.chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "FAKE_SSH_LOG": str(folder / "ssh.log"),
        }

    def flash(self, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [*EDGERT, "flash", *map(str, words), "--json"]
        return subprocess.run(
            command, env=self.environment | environment, capture_output=True, text=True, timeout=120, check=False
        )

    def store(self, name: str) -> Store:
        return Store(RealDisk(self.folder / name), lambda: TRUST)


@pytest.fixture
def here(tmp_path: Path) -> Workstation:
    return Workstation(tmp_path)


def test_a_folder_is_flashed_with_one_document_on_stdout(here: Workstation) -> None:
    done = here.flash(here.bundle, "--to", f"dir:{here.folder}/card", "--trust", here.folder / "trust")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["end"] == "installed"
    assert said["estimate"]["send_files"] == 2
    assert "to send 0.30 of" in done.stderr
    assert here.store("card").slots("tiny").trial is not None


def test_over_ssh_a_cut_is_resumed_and_only_the_rest_travels(here: Workstation) -> None:
    far = f"ssh://pi@board:2222{here.folder}/far%20store?trust={here.folder}/trust"
    cut = here.flash(here.bundle, "--to", far, "--confirm", "manual", FAKE_SSH_BYTES="200000")
    assert cut.returncode == 3, cut.stderr
    assert json.loads(cut.stdout)["error"]["reason"] == "link_lost"
    done = here.flash(here.bundle, "--to", far, "--confirm", "manual")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["estimate"]["send_bytes"] < 300_000 - 200_000 + 128 * 1024
    slots = here.store("far store").slots("tiny")
    assert slots.trial is not None
    here.store("far store").check(slots.trial.digest)
    asked = (here.folder / "ssh.log").read_text().splitlines()
    assert asked[0] == f"pi@board edgert receive --store '{here.folder}/far store' --trust {here.folder}/trust"


def test_a_login_that_is_refused_is_told_in_ssh_s_words(here: Workstation) -> None:
    done = here.flash(here.bundle, "--to", f"ssh://nobody@board{here.folder}/far")
    assert done.returncode == 3
    assert "Permission denied (publickey)" in done.stderr


def test_a_board_that_does_not_trust_the_key_refuses_over_ssh(here: Workstation) -> None:
    add_key(here.folder / "others", "key", KEYS["rotation"].public)
    done = here.flash(here.bundle, "--to", f"ssh://pi@board{here.folder}/far?trust={here.folder}/others")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["reason"] == "signature_refused"


def test_used_wrongly_is_1_and_a_port_that_is_not_there_too(here: Workstation) -> None:
    for words in ([], ["--to", "dir:/tmp"], [here.bundle], [here.bundle, "--to", "warp://x"]):
        done = here.flash(*words)
        assert done.returncode == 1, words
        assert json.loads(done.stdout)["error"]["reason"] in ("usage", "bad_target")
    assert here.flash(here.bundle, "--to", "serial:/dev/ttyNOPE").returncode == 1


def test_a_port_that_somebody_uses_is_5(here: Workstation) -> None:
    from firmware_bridge.port_lock import PortLock
    from tests.firmware_bridge.serial_cable import SerialCable

    with SerialCable() as cable:
        lock = PortLock(cable.a)
        done = here.flash(here.bundle, "--to", f"serial:{cable.a}")
        lock.release()
    assert done.returncode == 5
    assert json.loads(done.stdout)["error"]["reason"] == "port_busy"


def test_a_damaged_image_is_refused_before_a_board_is_asked(here: Workstation) -> None:
    image = here.folder / "image.bin"
    image.write_bytes(b"\x3d\xb8\xf3\x96" + bytes(200))
    done = here.flash("--mcu", image, "--to", "serial:/dev/ttyNOPE")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["reason"] == "bad_container"
