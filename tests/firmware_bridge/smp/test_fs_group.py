from __future__ import annotations

import os
from pathlib import Path

import pytest

from firmware_bridge.smp.files import MOST_FILES
from tests.firmware_bridge.smp.hub_bench import FILES_BYTES, Client, HubBench

FILE, STATUS, HASH = 0, 1, 2


@pytest.fixture
def bench(tmp_path: Path) -> HubBench:
    return HubBench(tmp_path)


def folder(bench: HubBench) -> Path:
    return bench.root / "smp" / "files"


def send(client: Client, name: str, data: bytes, chunk: int = 1000) -> dict[str, object]:
    said: dict[str, object] = {}
    for at in range(0, max(1, len(data)), chunk):
        first = {"len": len(data)} if at == 0 else {}
        said = client.write(8, FILE, name=name, off=at, data=data[at : at + chunk], **first)
    return said


def test_a_file_has_its_name_only_when_all_of_it_has_come(bench: HubBench) -> None:
    (folder(bench) / "a").write_bytes(b"the old one")
    bench.client.write(8, FILE, name="a", off=0, data=b"new", len=6)
    assert (folder(bench) / "a").read_bytes() == b"the old one"
    bench.client.write(8, FILE, name="a", off=3, data=b"est")
    assert (folder(bench) / "a").read_bytes() == b"newest"


def test_a_piece_that_comes_twice_or_too_early_is_answered_with_the_place_that_is_wanted(bench: HubBench) -> None:
    write = bench.client.write
    assert write(8, FILE, name="a", off=0, data=b"0123", len=12) == {"off": 4}
    assert write(8, FILE, name="a", off=8, data=b"89ab") == {"off": 4}
    assert write(8, FILE, name="a", off=4, data=b"4567") == {"off": 8}
    assert write(8, FILE, name="a", off=4, data=b"xxxx") == {"off": 8}
    assert write(8, FILE, name="a", off=8, data=b"89ab") == {"off": 12}
    assert (folder(bench) / "a").read_bytes() == b"0123456789ab"


def test_an_empty_file_is_a_file(bench: HubBench) -> None:
    assert send(bench.client, "/files/empty", b"") == {"off": 0}
    assert bench.client.read(8, STATUS, name="empty") == {"len": 0}
    assert bench.client.read(8, HASH, name="empty")["err"] == {"group": 8, "rc": 16}


@pytest.mark.parametrize(
    ("name", "rc"),
    [
        ("../state.json", 2),
        ("/files/../../etc/passwd", 2),
        ("a..b", 2),
        ("a/b", 2),
        (".hidden", 2),
        ("", 2),
        ("/files/", 2),
        ("nul\0", 2),
        ("n" * 65, 2),
        ("n" * 4096, 2),
        ("ä", 2),
        ("/etc/passwd", 14),
        ("/files", 14),
        ("/lfs1/x", 14),
    ],
)
def test_a_name_that_could_lead_anywhere_else_is_refused(bench: HubBench, name: str, rc: int) -> None:
    for said in (
        bench.client.read(8, FILE, name=name, off=0),
        bench.client.read(8, STATUS, name=name),
        bench.client.read(8, HASH, name=name),
        bench.client.write(8, FILE, name=name, off=0, data=b"x", len=1),
    ):
        assert said["err"] == {"group": 8, "rc": rc}
    assert list(folder(bench).iterdir()) == []


def test_links_and_what_is_no_file_are_not_followed(bench: HubBench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    (folder(bench) / "link").symlink_to(outside)
    os.mkfifo(folder(bench) / "pipe")
    (folder(bench) / "folder").mkdir()
    assert bench.client.read(8, FILE, name="link", off=0)["err"]["group"] == 8
    assert bench.client.read(8, FILE, name="pipe", off=0)["err"] == {"group": 8, "rc": 3}
    assert bench.client.read(8, FILE, name="folder", off=0)["err"] == {"group": 8, "rc": 3}
    assert send(bench.client, "link", b"mine") == {"off": 4}
    assert outside.read_bytes() == b"secret"
    assert (folder(bench) / "link").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "fields",
    [{"off": -1, "data": b""}, {"off": 1 << 63, "data": b""}, {"off": 0, "data": b"x"}, {"off": 0, "data": "x"}],
)
def test_an_offset_or_a_length_that_is_none_is_an_invalid_value(bench: HubBench, fields: dict[str, object]) -> None:
    assert bench.client.write(8, FILE, name="a", **fields)["rc"] == 3


def test_a_place_behind_the_end_and_more_than_was_announced_have_a_number(bench: HubBench) -> None:
    send(bench.client, "a", b"12345")
    assert bench.client.read(8, FILE, name="a", off=6)["err"] == {"group": 8, "rc": 12}
    assert bench.client.read(8, HASH, name="a", off=6)["err"] == {"group": 8, "rc": 12}
    assert bench.client.write(8, FILE, name="b", off=7, data=b"x")["err"] == {"group": 8, "rc": 12}
    assert bench.client.write(8, FILE, name="b", off=0, data=b"xx", len=1)["err"] == {"group": 8, "rc": 12}


def test_the_folder_holds_no_more_than_it_may_with_what_was_announced(bench: HubBench) -> None:
    assert bench.client.write(8, FILE, name="a", off=0, data=b"x", len=FILES_BYTES - 10) == {"off": 1}
    assert bench.client.write(8, FILE, name="b", off=0, data=b"x", len=11)["err"] == {"group": 8, "rc": 10}
    assert bench.client.write(8, FILE, name="b", off=0, data=b"x", len=1 << 40)["rc"] == 3
    assert bench.client.write(8, FILE, name="b", off=0, data=b"x", len=10) == {"off": 1}


def test_the_folder_holds_no_more_files_than_it_may(bench: HubBench) -> None:
    said = [bench.client.write(8, FILE, name=f"f{index}", off=0, data=b"x", len=2) for index in range(MOST_FILES + 1)]
    assert said[:-1] == [{"off": 1}] * MOST_FILES
    assert said[-1]["err"] == {"group": 8, "rc": 10}


def test_a_hash_of_another_kind_is_refused(bench: HubBench) -> None:
    send(bench.client, "a", b"12345")
    assert bench.client.read(8, HASH, name="a", type="md5")["err"] == {"group": 8, "rc": 13}
    assert bench.client.read(8, HASH, name="a", type="crc32", off=1, len=3)["len"] == 3


def test_what_has_come_of_a_file_goes_when_the_server_starts_anew(bench: HubBench) -> None:
    bench.client.write(8, FILE, name="a", off=0, data=b"new", len=6)
    again = bench.again()
    assert list(folder(again).iterdir()) == []
    assert again.client.write(8, FILE, name="a", off=3, data=b"est")["err"] == {"group": 8, "rc": 12}
