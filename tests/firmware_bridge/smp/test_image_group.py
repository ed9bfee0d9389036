"""Bundle files as images, and the store as two slots: MCUboot's life of an image, and everything that is refused."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from edge_runtime.bundle.errors import NoSpace
from firmware_bridge.smp.parts import STEP_BYTES
from firmware_bridge.smp.uploads import MOST_IMAGES
from tests.edge_runtime.bundle.signed import bundle_bytes
from tests.firmware_bridge.smp.hub_bench import Client, HubBench

STATE, UPLOAD, ERASE, SLOTS = 0, 1, 5, 6
ONE, TWO = bundle_bytes("1.0.0", 1), bundle_bytes("1.1.0", 2)


@pytest.fixture
def bench(tmp_path: Path) -> HubBench:
    return HubBench(tmp_path)


def flags(client: Client) -> dict[int, tuple[str, set[str]]]:
    """Slot -> version and the flags that are set."""
    names = ("pending", "confirmed", "active", "permanent")
    return {slot: (one["version"], {name for name in names if one[name]}) for slot, one in client.images().items()}


def reset(bench: HubBench, *, tries: bool = True) -> None:
    """A reset, and what the daemon does then with what is on trial."""
    assert bench.client.write(0, 5) == {}
    slots = bench.store.state().models["tiny"]
    if tries and slots.trial is not None and not slots.begun:
        bench.store.begin_trial("tiny")


def running(bench: HubBench, data: bytes) -> None:
    """Bring a bundle the whole way."""
    bench.client.upload(data)
    bench.client.write(1, STATE, hash=bench.client.images()[1]["hash"])
    reset(bench)
    bench.client.write(1, STATE, confirm=True)


def test_an_image_is_uploaded_tested_and_confirmed(bench: HubBench) -> None:
    assert bench.client.upload(ONE) == {"off": len(ONE), "match": True}
    assert flags(bench.client) == {1: ("1.0.0", set())}
    bench.client.write(1, STATE, hash=bench.client.images()[1]["hash"])
    assert flags(bench.client) == {1: ("1.0.0", {"pending"})}
    reset(bench)
    assert flags(bench.client) == {0: ("1.0.0", {"active"})}
    bench.client.write(1, STATE, confirm=True)
    assert flags(bench.client) == {0: ("1.0.0", {"active", "confirmed"})}


def test_an_image_that_nobody_confirms_goes_back_at_the_next_reset(bench: HubBench) -> None:
    running(bench, ONE)
    bench.client.upload(TWO)
    bench.client.write(1, STATE, hash=bench.client.images()[1]["hash"])
    reset(bench)
    assert flags(bench.client) == {0: ("1.1.0", {"active"}), 1: ("1.0.0", {"confirmed"})}
    reset(bench)
    assert flags(bench.client) == {0: ("1.0.0", {"active", "confirmed"})}
    refused = bench.store.slots("tiny").refused
    assert refused is not None
    assert refused.bundle.version == "1.1.0"


def test_the_previous_image_can_be_chosen_again_where_its_counter_allows_it(bench: HubBench) -> None:
    running(bench, bundle_bytes("1.0.0", 2))
    running(bench, TWO)
    assert flags(bench.client)[1] == ("1.0.0", set())
    bench.client.write(1, STATE, hash=bench.client.images()[1]["hash"])
    assert flags(bench.client)[1] == ("1.0.0", {"pending"})
    reset(bench)
    assert flags(bench.client)[0] == ("1.0.0", {"active", "confirmed"})


def test_a_mark_outlives_a_power_cut(bench: HubBench) -> None:
    bench.client.upload(ONE)
    bench.client.write(1, STATE, hash=bench.client.images()[1]["hash"])
    again = bench.again()
    assert flags(again.client) == {1: ("1.0.0", {"pending"})}
    reset(again)
    assert flags(again.client)[0] == ("1.0.0", {"active"})


def test_a_reset_that_finds_nothing_marked_changes_nothing(bench: HubBench) -> None:
    running(bench, ONE)
    before = bench.store.state()
    reset(bench)
    assert bench.store.state() == before


def test_an_image_that_was_not_tried_cannot_be_confirmed(bench: HubBench) -> None:
    bench.client.upload(ONE)
    said = bench.client.write(1, STATE, hash=bench.client.images()[1]["hash"], confirm=True)
    assert said["err"] == {"group": 1, "rc": 32}


def test_what_runs_cannot_be_tested_and_confirming_it_again_is_well(bench: HubBench) -> None:
    running(bench, ONE)
    active = bench.client.images()[0]["hash"]
    assert bench.client.write(1, STATE, hash=active)["err"] == {"group": 1, "rc": 33}
    assert bench.client.write(1, STATE, hash=active, confirm=True)["images"][0]["confirmed"] is True
    assert bench.client.write(1, STATE, confirm=True)["images"][0]["confirmed"] is True


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, {"group": 1, "rc": 8}),
        ({"hash": bytes(32)}, {"group": 1, "rc": 8}),
        ({"hash": bytes(31)}, None),
        ({"hash": "text"}, None),
    ],
)
def test_an_image_that_is_not_there_or_not_named_is_refused(
    bench: HubBench, fields: dict[str, object], said: object
) -> None:
    answer = bench.client.write(1, STATE, **fields)
    assert answer["err"] == said if said else answer["rc"] == 3


def test_while_one_is_being_tried_no_other_is_marked_and_the_slot_is_not_erased(bench: HubBench) -> None:
    running(bench, ONE)
    bench.client.upload(TWO)
    bench.client.write(1, STATE, hash=bench.client.images()[1]["hash"])
    reset(bench)
    other = bundle_bytes("1.2.0", 3)
    bench.client.upload(other)
    waiting = bench.store.slots("tiny").waiting
    assert waiting is not None
    assert bench.client.write(1, STATE, hash=bytes.fromhex(waiting.image))["err"] == {"group": 1, "rc": 28}
    assert bench.client.write(1, ERASE)["err"] == {"group": 1, "rc": 28}


def test_erasing_empties_slot_1_and_forgets_what_has_come_of_an_image(bench: HubBench) -> None:
    running(bench, ONE)
    bench.client.upload(TWO)
    bench.client.upload(bundle_bytes("1.2.0", 3), upto=4000)
    assert bench.client.write(1, ERASE, slot=1) == {}
    assert flags(bench.client) == {0: ("1.0.0", {"active", "confirmed"})}
    assert list((bench.root / "smp" / "images").iterdir()) == []


@pytest.mark.parametrize("slot", [0, 2, 3, 99, -1])
def test_a_slot_that_is_none_or_runs_cannot_be_erased(bench: HubBench, slot: int) -> None:
    running(bench, ONE)
    assert bench.client.write(1, ERASE, slot=slot)["err"] == {"group": 1, "rc": 14}


def test_two_models_are_two_images(bench: HubBench) -> None:
    bench.client.upload(ONE)
    bench.client.upload(bundle_bytes("3.0.0", 1, name="other"))
    assert [(one["image"], one["version"]) for one in bench.client.read(1, STATE)["images"]] == [
        (0, "3.0.0"),
        (1, "1.0.0"),
    ]
    assert [one["image"] for one in bench.client.read(1, SLOTS)["images"]] == [0, 1]
    assert bench.client.write(1, ERASE, slot=3) == {}
    assert [one["version"] for one in bench.client.read(1, STATE)["images"]] == ["3.0.0"]


# --- uploads ---


@pytest.mark.parametrize(
    ("fields", "rc"),
    [
        ({"off": 0, "data": b"x"}, 21),
        ({"off": 0, "data": b"", "len": 0}, 21),
        ({"off": 0, "data": b"", "len": 31}, 21),
        ({"off": 0, "data": b"", "len": 100, "sha": bytes(31)}, 24),
        ({"off": 0, "data": bytes(101), "len": 100}, 31),
        ({"off": 0, "data": bytes(100), "len": 100}, 22),
        ({"off": 500, "data": b"x"}, 17),
    ],
)
def test_an_upload_that_cannot_be_one_is_refused_by_number(bench: HubBench, fields: dict[str, object], rc: int) -> None:
    assert bench.client.write(1, UPLOAD, **fields)["err"] == {"group": 1, "rc": rc}


@pytest.mark.parametrize("fields", [{"off": -1}, {"off": 1 << 63}, {"off": 0, "len": 1 << 63}, {"off": 0, "data": "x"}])
def test_an_offset_or_length_out_of_all_limits_is_an_invalid_value(bench: HubBench, fields: dict[str, object]) -> None:
    assert bench.client.write(1, UPLOAD, **({"data": b"x", "len": 100} | fields))["rc"] == 3


def test_what_is_no_container_is_refused_with_its_first_piece_and_leaves_nothing(bench: HubBench) -> None:
    said = bench.client.write(1, UPLOAD, off=0, data=b"\x7fELF" + bytes(60), len=1 << 20, sha=bytes(32))
    assert said["err"] == {"group": 1, "rc": 22}
    assert list((bench.root / "smp" / "images").iterdir()) == []


def test_pieces_that_come_twice_or_too_early_are_answered_with_the_place_that_is_wanted(bench: HubBench) -> None:
    def piece(at: int, size: int = 1000) -> dict[str, object]:
        first = {"len": len(ONE), "sha": hashlib.sha256(ONE).digest()} if at == 0 else {}
        return bench.client.write(1, UPLOAD, off=at, data=ONE[at : at + size], **first)

    assert piece(0) == {"off": 1000}
    assert piece(2000) == {"off": 1000}
    assert piece(1000) == {"off": 2000}
    assert piece(1000) == {"off": 2000}
    assert piece(0) == {"off": 2000}, "the first piece once more must not begin anew"
    for at in range(2000, len(ONE), 1000):
        said = piece(at)
    assert said == {"off": len(ONE), "match": True}
    assert piece(len(ONE) // 1000 * 1000) == said, "and so must the last one"


def test_an_upload_goes_on_after_a_power_cut_where_it_was_but_for_one_step(bench: HubBench) -> None:
    large = bundle_bytes("1.0.0", 1) + bytes(STEP_BYTES * 10)  # no bundle, but large enough to be cut
    reached = bench.client.upload(large, upto=STEP_BYTES * 5)["off"]
    again = bench.again()
    resumed = again.client.upload(large, upto=1)["off"]
    assert reached - STEP_BYTES - 2000 < resumed <= reached


def test_an_image_that_is_cut_again_and_again_comes_in_the_end(bench: HubBench) -> None:
    for upto in range(1000, len(ONE), 3000):
        bench.client.upload(ONE, chunk=500, upto=upto)
        bench = bench.again()
    assert bench.client.upload(ONE) == {"off": len(ONE), "match": True}


def test_two_clients_may_send_the_same_image(bench: HubBench) -> None:
    other = Client(bench.server, "other")
    said: dict[str, object] = {}
    sha = hashlib.sha256(ONE).digest()
    offset = 0
    for turn in range(1000):
        client = (bench.client, other)[turn % 2]
        first = {"len": len(ONE), "sha": sha} if turn < 2 else {}
        at = 0 if turn < 2 else offset
        said = client.write(1, UPLOAD, off=at, data=ONE[at : at + 1000], **first)
        offset = int(str(said["off"]))
        if "match" in said:
            break
    assert said == {"off": len(ONE), "match": True}
    assert bench.client.images()[1]["version"] == "1.0.0"


def test_two_clients_may_send_different_images(bench: HubBench) -> None:
    other = Client(bench.server, "other")
    bench.client.upload(ONE, upto=4000)
    assert other.upload(TWO)["match"] is True
    assert bench.client.upload(ONE)["match"] is True


def test_an_image_with_another_hash_than_was_announced_is_no_match_and_can_be_sent_again(bench: HubBench) -> None:
    assert bench.client.upload(ONE, sha=bytes(32)) == {"off": len(ONE), "match": False}
    assert bench.client.read(1, STATE)["images"] == []
    assert bench.client.upload(ONE)["match"] is True


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("data", "rc", "reason"),
    [
        (flipped(ONE, 3000), 22, "SHA-256"),
        (flipped(ONE, len(ONE) - 5), 24, "signature"),
        (ONE[:-10], 22, "cut short"),
        (ONE + b"\0", 22, "bytes follow"),
        (bundle_bytes("1.0.0", 1, role="dev"), 24, "dev key"),
        (bundle_bytes("1.0.0", 1, role="rotation"), 24, "rotation key"),
    ],
)
def test_a_bundle_that_is_damaged_or_not_signed_for_here_is_refused_and_says_why(
    bench: HubBench, data: bytes, rc: int, reason: str
) -> None:
    assert bench.client.upload(data)["err"] == {"group": 1, "rc": rc}
    assert bench.client.read(1, STATE)["images"] == []
    assert reason in bench.client.read(3, 0, name="edgert/refused")["val"].decode()
    assert list((bench.root / "smp" / "images").iterdir()) == []


def test_a_bundle_below_what_was_confirmed_is_refused_as_older(bench: HubBench) -> None:
    running(bench, TWO)
    assert bench.client.upload(ONE)["err"] == {"group": 1, "rc": 27}


def test_an_image_that_does_not_fit_is_refused_before_anything_is_written(
    bench: HubBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.hub.disk, "free_bytes", lambda: 2 * len(ONE))
    assert bench.client.upload(ONE)["err"] == {"group": 1, "rc": 30}
    assert list((bench.root / "smp" / "images").iterdir()) == []


def test_a_disk_that_fills_up_while_it_is_installed_is_too_large(
    bench: HubBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise NoSpace(100, 1)

    monkeypatch.setattr(bench.store, "install", full)
    assert bench.client.upload(ONE)["err"] == {"group": 1, "rc": 30}


def test_few_images_that_are_not_whole_are_kept(bench: HubBench) -> None:
    for version in range(MOST_IMAGES + 3):
        bench.client.upload(bundle_bytes(f"1.0.{version}", 1), upto=3000)
    assert len(list((bench.root / "smp" / "images").glob("*.part"))) == MOST_IMAGES


def test_an_image_that_takes_long_to_check_is_answered_in_time_and_marked_when_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, may_end = HubBench(tmp_path, patience_s=0.05), threading.Event()
    install = bench.store.install

    def slow(*given: object, **more: object) -> object:
        may_end.wait(20)
        return install(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.store, "install", slow)
    assert bench.client.upload(ONE) == {"off": len(ONE)}
    assert bench.client.write(1, STATE, hash=bytes(32))["rc"] == 10
    may_end.set()
    bench.hub.finishing.close()
    assert bench.client.images()[1]["version"] == "1.0.0"
    assert bench.client.write(1, STATE, hash=bytes(32))["err"] == {"group": 1, "rc": 8}
