"""`edgert keys`, `bundle`, and the commands of a store, as a person types them."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from edge_runtime.bundle.store.state import STATE, state_from_bytes
from tests.command import run
from tests.edge_runtime.bundle.signed import write_folder

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Path:
    """A folder with a bundle, a release key and a board that trusts it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EDGERT_STORE", raising=False)
    write_folder(tmp_path / "tiny")
    assert run(capsys, "keys", "new", "acme", "--role", "release")[0] == 0
    assert run(capsys, "keys", "trust", "acme.pub.pem", "--trust", "trust")[0] == 0
    return tmp_path


def built(capsys: Capture, *options: str) -> Path:
    status, out, err = run(capsys, "bundle", "build", "tiny", "--key", "acme.pem", *options)
    assert status == 0, err
    return Path(out.split()[1].rstrip(":"))


def test_keys_are_made_trusted_and_listed(here: Path, capsys: Capture) -> None:
    assert stat.S_IMODE((here / "acme.pem").stat().st_mode) == 0o600
    status, out, _ = run(capsys, "keys", "list", "--trust", "trust", "--json")
    (key,) = json.loads(out)["keys"]
    assert (status, key["name"], key["role"], len(key["hash"])) == (0, "acme", "release", 64)
    assert run(capsys, "keys", "list", "--trust", "trust")[1] == f"{key['hash'][:16]}  release   acme\n"
    assert run(capsys, "keys", "trust", "acme.pem", "--trust", "trust")[2].startswith(
        "edgert: acme.pem is a private key"
    )
    assert run(capsys, "keys", "new", "acme")[0] == 1


def test_a_key_with_a_passphrase_signs_with_it_only(here: Path, capsys: Capture) -> None:
    (here / "secret").write_text("correct horse\n")
    assert run(capsys, "keys", "new", "locked", "--passphrase-file", "secret")[0] == 0
    status, _, err = run(capsys, "bundle", "build", "tiny", "--key", "locked.pem")
    assert (status, "needs a passphrase" in err) == (1, True)
    assert run(capsys, "bundle", "build", "tiny", "--key", "locked.pem", "--passphrase-file", "secret")[0] == 0


def test_a_bundle_is_built_verified_shown_and_compared(here: Path, capsys: Capture) -> None:
    file = built(capsys, "--board", "hub", "--memory-mb", "10")
    assert file.name == "tiny-1.0.0.edgert"
    status, out, _ = run(capsys, "bundle", "verify", file, "--trust", "trust")
    assert (status, "signed by release key" in out) == (0, True)
    assert json.loads(run(capsys, "bundle", "verify", file, "--trust", "trust", "--json")[1])["counter"] == 1
    status, _, err = run(capsys, "bundle", "verify", file, "--trust", "trust", "--here")
    assert (status, "bundle is for hub, this board is" in err) == (1, True)
    out = run(capsys, "bundle", "show", file)[1]
    assert "cpu; hub; 10 MB for models" in out
    assert "not checked: give --trust" in out
    assert "tokenizer.json" not in out  # nothing of what is inside is shown before the signature was checked
    assert "tokenizer.json" in run(capsys, "bundle", "show", file, "--trust", "trust")[1]
    shown = json.loads(run(capsys, "bundle", "show", file, "--trust", "trust", "--json")[1])
    assert (shown["checked"], shown["manifest"]["name"], shown["label"]["version"]) == (True, "tiny", "1.0.0")
    assert run(capsys, "bundle", "diff", "tiny", file, "--unverified")[:2] == (0, "tiny 1.0.0: the same\n")
    assert run(capsys, "bundle", "diff", "tiny", file, "--trust", "trust")[0] == 0
    assert run(capsys, "bundle", "diff", "tiny", file)[0] == 2
    write_folder(here / "newer", "2.0.0", 2)
    assert run(capsys, "bundle", "diff", "newer", file, "--unverified")[0] == 1


def test_a_file_is_signed_later_and_for_development_only_where_it_is_said(here: Path, capsys: Capture) -> None:
    assert "not signed" in run(capsys, "bundle", "build", "tiny")[1]
    file = Path("tiny-1.0.0.edgert")
    assert "not signed" in run(capsys, "bundle", "verify", file, "--trust", "trust")[2]
    run(capsys, "keys", "new", "mine", "--role", "dev")
    run(capsys, "keys", "trust", "mine.pub.pem", "--trust", "trust")
    assert run(capsys, "bundle", "sign", file, "--key", "mine.pem")[0] == 0
    assert "release keys only" in run(capsys, "bundle", "verify", file, "--trust", "trust")[2]
    assert run(capsys, "bundle", "verify", file, "--trust", "trust", "--allow-dev")[0] == 0
    assert run(capsys, "bundle", "sign", file, "--key", "acme.pem", "-o", "released.edgert")[0] == 0
    assert run(capsys, "bundle", "verify", "released.edgert", "--trust", "trust")[0] == 0


def test_a_licence_policy_blocks_building_signing_and_verifying(here: Path, capsys: Capture) -> None:
    (here / "none.toml").write_text('denied = ["Apache-*"]\n')
    (here / "good.toml").write_text('allowed = ["Apache-2.0"]\n')
    file = built(capsys, "--policy", "good.toml")
    for words in (
        ["build", "tiny", "--key", "acme.pem"],
        ["sign", file, "--key", "acme.pem"],
        ["verify", file, "--trust", "trust"],
    ):
        status, _, err = run(capsys, "bundle", *words, "--policy", "none.toml")
        assert (status, "licence Apache-2.0 is not allowed" in err) == (1, True)
    (here / "config.toml").write_text('store = "store"\n[updates]\ntrust = "trust"\npolicy = "none.toml"\n')
    status, out, _ = run(capsys, "install", file, "--config", "config.toml", "--json")
    assert (status, json.loads(out)["error"]["reason"]) == (1, "licence_denied")


def test_a_store_is_filled_looked_at_changed_and_cleared(here: Path, capsys: Capture) -> None:
    store = ["--store", "store", "--trust", "trust"]
    file = built(capsys)
    assert run(capsys, "install", file, *store)[1].strip().endswith("the daemon tries it next")
    assert "pending, not begun yet" in run(capsys, "status", "--store", "store")[1]
    status, _, err = run(capsys, "confirm", "tiny", *store)
    assert (status, "was not tried yet" in err) == (1, True)
    assert run(capsys, "rollback", "tiny", *store)[1] == "tiny: none is active\n"
    assert "refused" in run(capsys, "status", "--store", "store")[1]
    assert run(capsys, "install", file, *store, "--wait")[1].strip().endswith("it waits")
    state = json.loads(run(capsys, "status", "--store", "store", "--json")[1])
    assert state["models"]["tiny"]["waiting"]["version"] == "1.0.0"
    assert state_from_bytes((here / "store" / STATE).read_bytes()).seq == state["seq"] == 3
    (here / "store" / "objects" / "stray").write_bytes(bytes(2_000_000))
    assert run(capsys, "gc", *store)[1] == "cleared away 1 files, 2.0 MB\n"
    assert run(capsys, "rollback", "other", *store)[0] == 1
    assert run(capsys, "gc")[0] == 2


def test_what_a_board_does_not_take_is_not_installed(here: Path, capsys: Capture) -> None:
    for options, complaint in (
        (["--board", "jetson"], "bundle is for jetson"),
        (["--processor", "cpu-riscv64"], "bundle is for cpu-riscv64"),
        (["--runtime", "99.0"], "needs edgert 99.0"),
        (["--memory-mb", "99999999"], "needs 99999999 MB"),
    ):
        file = built(capsys, *options)
        status, _, err = run(capsys, "install", file, "--store", "store", "--trust", "trust")
        assert (status, complaint in err) == (1, True), err
    assert run(capsys, "status", "--store", "store")[1] == "the store is empty\n"


@pytest.mark.parametrize("words", [["keys", "new", "k"], ["gc", "--store", "s"], ["serve", "--broker", "mqtt://none"]])
def test_without_cryptography_it_is_said_what_to_install(
    here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith(("cryptography", "edge_runtime.bundle"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "edge_runtime.updates.board_store", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    monkeypatch.setenv("EDGERT_STORE", "s")
    status, _, err = run(capsys, *words)
    assert (status, "pip install 'edgert[updates]'" in err) == (2, True), err


def test_release_keys_are_rotated(here: Path, capsys: Capture) -> None:
    file = built(capsys)
    old = json.loads(run(capsys, "keys", "list", "--trust", "trust", "--json")[1])["keys"][0]["hash"]
    run(capsys, "keys", "new", "root", "--role", "rotation")
    run(capsys, "keys", "new", "next", "--role", "release")
    run(capsys, "keys", "trust", "root.pub.pem", "--trust", "trust")
    rotate = ["keys", "rotate", "next.pub.pem", "--drop", old, "--counter", "1", "-o", "keys-1"]
    assert run(capsys, *rotate, "--key", "acme.pem")[0] == 1
    assert run(capsys, *rotate, "--key", "root.pem")[0] == 0
    status, out, _ = run(capsys, "keys", "trust", "keys-1", "--trust", "trust")
    assert (status, old[:16] in out) == (0, True)
    assert run(capsys, "bundle", "verify", file, "--trust", "trust")[0] == 1
    run(capsys, "bundle", "sign", file, "--key", "next.pem")
    assert run(capsys, "bundle", "verify", file, "--trust", "trust")[0] == 0
