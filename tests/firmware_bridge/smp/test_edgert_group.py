"""Bundles file by file: only what is missing, only what was lost twice, nothing that was not signed."""

from __future__ import annotations

import hashlib
import random
import threading
import zlib
from pathlib import Path

import pytest

from edge_runtime.bundle.errors import NoSpace
from firmware_bridge.smp import edgert_group as ours
from firmware_bridge.smp.codecs import ZSTD, codecs_here, compress
from firmware_bridge.smp.edgert_group import Command
from firmware_bridge.smp.fields import read_fields
from firmware_bridge.smp.offers import MOST_OFFERS
from tests.edge_runtime.bundle.signed import bundle_bytes
from tests.firmware_bridge.smp.hub_bench import Client, HubBench, parts_of

MANIFEST, FILES = parts_of(bundle_bytes("1.0.0", 1))
NAME = hashlib.sha256(MANIFEST).digest()
MODEL = FILES["model.onnx"]
OBJECT = hashlib.sha256(MODEL).digest()


@pytest.fixture
def bench(tmp_path: Path) -> HubBench:
    return HubBench(tmp_path)


def word(said: dict[str, object]) -> str:
    """The word of a refusal; its number must be the one of the table."""
    error = said["err"]
    assert isinstance(error, dict)
    assert error == {"group": ours.GROUP, "rc": ours.REFUSALS[str(said["word"])]}
    assert said["rsn"]
    return str(said["word"])


def send(client: Client, files: dict[str, bytes], piece: int = 1000) -> None:
    for content in files.values():
        for at in range(0, max(1, len(content)), piece):
            said = client.put(content, at, piece)
        assert said["done"] is True


def test_hello_tells_what_a_client_needs_to_know(bench: HubBench) -> None:
    said = read_fields(ours.HelloAnswer, bench.client.ours(Command.HELLO, ours.HelloRequest(version=9, baud=921600)))
    assert (said.version, said.device, said.buf_size, said.buf_count) == (1, "hub-1", 8192, 8)
    assert (set(said.framings), said.codecs[-1], len(said.boot)) == ({"console", "cobs"}, "zlib", 8)
    assert said.baud == 0, "there is no speed to change on this link"
    assert said.boot != bench.again().hub.boot


def test_a_bundle_is_offered_put_and_committed(bench: HubBench) -> None:
    said = bench.client.offer(MANIFEST)
    assert (said["state"], said["left"]) == ("receiving", sum(map(len, FILES.values())))
    assert ours.missing_files(said["missing"], 2) == [True, True]
    send(bench.client, FILES)
    committed = bench.client.ours(Command.COMMIT, ours.CommitRequest(NAME))
    assert committed == {"model": "tiny", "version": "1.0.0", "counter": 1, "test": True}
    trial = bench.store.slots("tiny").trial
    assert trial is not None
    assert bench.store.check(trial.digest).manifest.version == "1.0.0"
    assert list((bench.root / "smp" / "objects").iterdir()) == []


def test_only_files_that_changed_are_missing_of_a_second_version(bench: HubBench) -> None:
    bench.client.offer(MANIFEST)
    send(bench.client, FILES)
    bench.client.ours(Command.COMMIT, ours.CommitRequest(NAME))
    manifest, files = parts_of(bundle_bytes("1.1.0", 2))
    said = bench.client.offer(manifest)
    missing = dict(zip(files, ours.missing_files(said["missing"], 2), strict=True))
    assert missing == {"model.onnx": True, "tokenizer.json": False}
    assert said["left"] == len(files["model.onnx"])


def test_lost_pieces_alone_are_told_and_any_order_will_do(bench: HubBench) -> None:
    bench.client.offer(MANIFEST)
    assert bench.client.put(MODEL, 2000, 1000) == {"off": 0, "ranges": [2000, 3000]}
    assert bench.client.put(MODEL, 4000, 500)["ranges"] == [2000, 3000, 4000, 4500]
    assert bench.client.put(MODEL, 2000, 1000) == {"off": 0, "ranges": [2000, 3000, 4000, 4500]}
    assert bench.client.put(MODEL, 0, 2000)["off"] == 3000
    said = bench.client.status(object=OBJECT)
    assert (said.state, said.off, said.ranges) == ("receiving", 3000, (4000, 4500))
    bench.client.put(MODEL, 3000, 1000)
    assert bench.client.put(MODEL, 4500, 500) == {"off": 5000, "durable": 5000, "done": True}
    assert bench.client.put(MODEL, 4500, 500) == {"off": 5000, "durable": 5000, "done": True}
    assert bench.client.status(object=OBJECT).state == "active"


@pytest.mark.parametrize("codec", ["zlib", "zstd"])
def test_pieces_may_be_compressed_each_for_itself(bench: HubBench, codec: str) -> None:
    if codec not in codecs_here():
        pytest.skip("zstandard is not installed")
    bench.client.offer(MANIFEST)
    content = FILES["tokenizer.json"]
    for at in range(0, len(content), 700):
        piece = content[at : at + 700]
        said = bench.client.put(content, at, 700, data=compress(codec, piece), codec=codec, size=len(piece))
    assert said["done"] is True


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"codec": "zlib", "size": 100, "data": zlib.compress(bytes(1 << 20))}, "bad_codec"),
        ({"codec": "zlib", "size": 100, "data": zlib.compress(MODEL[:99])}, "bad_codec"),
        ({"codec": "zlib", "size": 100, "data": zlib.compress(MODEL[:100])[:-1]}, "bad_codec"),
        ({"codec": "zlib", "size": 100, "data": zlib.compress(MODEL[:100]) + b"x"}, "bad_codec"),
        ({"codec": "zlib", "size": 100, "data": b"no zlib"}, "bad_codec"),
        ({"codec": "zstd", "size": 100, "data": b"no zstd"}, "bad_codec"),
        ({"codec": "lzma", "size": 100, "data": b""}, "bad_codec"),
        ({"crc": 1}, "chunk_damaged"),
        ({"off": 4950}, "chunk_outside"),
        ({"off": 1 << 39}, "chunk_outside"),
        ({"object": bytes(32)}, "not_offered"),
    ],
)
def test_a_piece_that_is_not_what_it_says_is_refused_by_word_and_changes_nothing(
    bench: HubBench, changed: dict[str, object], expected: str
) -> None:
    bench.client.offer(MANIFEST)
    assert word(bench.client.put(MODEL, 0, 100, **changed)) == expected
    assert bench.client.status(object=OBJECT).off == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"off": -1},
        {"off": 1 << 63},
        {"object": bytes(31)},
        {"object": "x" * 32},
        {"data": "text"},
        {"crc": 1 << 32},
        {"crc": -1},
        {"size": 65537},
        {"codec": 7},
    ],
)
def test_fields_out_of_their_limits_are_invalid_values(bench: HubBench, changed: dict[str, object]) -> None:
    bench.client.offer(MANIFEST)
    assert bench.client.put(MODEL, 0, 100, **changed)["rc"] == 3


def test_a_zstd_piece_that_would_make_more_than_it_says_is_refused(bench: HubBench) -> None:
    if ZSTD not in codecs_here():
        pytest.skip("zstandard is not installed")
    bench.client.offer(MANIFEST)
    bomb = compress(ZSTD, bytes(1 << 20))
    assert word(bench.client.put(MODEL, 0, 100, codec=ZSTD, size=100, data=bomb)) == "bad_codec"


def test_nothing_is_taken_of_a_bundle_that_was_not_offered(bench: HubBench) -> None:
    assert word(bench.client.put(MODEL, 0, 100)) == "not_offered"
    assert word(bench.client.ours(Command.COMMIT, ours.CommitRequest(NAME))) == "not_offered"
    assert bench.client.status(bundle=NAME).state == "unknown"
    assert list((bench.root / "smp" / "objects").iterdir()) == []


def test_a_bundle_is_not_committed_before_all_of_it_has_come(bench: HubBench) -> None:
    bench.client.offer(MANIFEST)
    bench.client.put(MODEL, 0, 5000)
    said = bench.client.ours(Command.COMMIT, ours.CommitRequest(NAME))
    assert word(said) == "not_complete"
    assert bench.store.state().models == {}


def test_manifest_pieces_that_come_twice_or_too_early_are_answered_with_the_place_that_is_wanted(
    bench: HubBench,
) -> None:
    def piece(at: int) -> dict[str, object]:
        return bench.client.ours(Command.OFFER, ours.OfferRequest(NAME, at, len(MANIFEST), MANIFEST[at : at + 500]))

    assert piece(0) == {"off": 500}
    assert piece(1000) == {"off": 500}
    assert piece(0) == {"off": 500}
    for at in range(500, len(MANIFEST), 500):
        said = piece(at)
    assert said["state"] == "receiving"
    assert piece(0) == said, "once more after it is whole: the same answer"


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (flipped(MANIFEST, 200), "bad_container"),
        (flipped(MANIFEST, len(MANIFEST) - 5), "signature_refused"),
        (bundle_bytes(role="dev"), "signature_refused"),
        (bundle_bytes(), "bad_container"),
        (MANIFEST[:-1], "bad_container"),
        (b"x" * 100, "bad_container"),
    ],
)
def test_a_manifest_that_is_damaged_or_not_signed_for_here_is_refused_by_word(
    bench: HubBench, manifest: bytes, expected: str
) -> None:
    assert word(bench.client.offer(manifest)) == expected
    assert word(bench.client.put(MODEL, 0, 100)) == "not_offered"


def test_a_manifest_that_is_not_the_one_it_is_called_is_damaged(bench: HubBench) -> None:
    said = bench.client.ours(Command.OFFER, ours.OfferRequest(bytes(32), 0, len(MANIFEST), MANIFEST))
    assert word(said) == "chunk_damaged"


def test_a_manifest_piece_past_its_end_is_outside(bench: HubBench) -> None:
    said = bench.client.ours(Command.OFFER, ours.OfferRequest(NAME, 0, 10, MANIFEST))
    assert word(said) == "chunk_outside"


def test_a_bundle_below_what_was_confirmed_is_a_downgrade(bench: HubBench) -> None:
    manifest, files = parts_of(bundle_bytes("2.0.0", 5))
    bench.client.offer(manifest)
    send(bench.client, files)
    bench.client.ours(Command.COMMIT, ours.CommitRequest(hashlib.sha256(manifest).digest()))
    bench.store.begin_trial("tiny")
    bench.store.confirm("tiny")
    assert word(bench.client.offer(MANIFEST)) == "downgrade"


def test_what_has_come_before_a_power_cut_is_not_sent_again(tmp_path: Path) -> None:
    bench = HubBench(tmp_path)
    bench.client.offer(MANIFEST)
    send(bench.client, {"model.onnx": MODEL})
    again = bench.again()
    assert again.client.status(bundle=NAME).state == "unknown"
    said = again.client.offer(MANIFEST)
    assert ours.missing_files(said["missing"], 2) == [False, True]


def test_many_clients_may_put_one_object_at_once(bench: HubBench) -> None:
    bench.client.offer(MANIFEST)
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        client, places = Client(bench.server, f"c{seed}"), list(range(0, 5000, 250))
        random.Random(seed).shuffle(places)
        try:
            for at in places:
                assert "off" in client.put(MODEL, at, 250)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert bench.client.status(object=OBJECT).done


def test_committing_twice_says_the_same_and_can_start_the_trial_later(bench: HubBench) -> None:
    bench.client.offer(MANIFEST)
    send(bench.client, FILES)
    first = bench.client.ours(Command.COMMIT, ours.CommitRequest(NAME, test=False))
    assert first == {"model": "tiny", "version": "1.0.0", "counter": 1}
    assert bench.client.status(bundle=NAME).state == "waiting"
    assert bench.client.ours(Command.COMMIT, ours.CommitRequest(NAME))["test"] is True
    assert bench.client.ours(Command.COMMIT, ours.CommitRequest(NAME))["test"] is True
    assert bench.client.status(bundle=NAME).state == "trial"


def test_status_tells_what_became_of_a_bundle(bench: HubBench) -> None:
    bench.client.offer(MANIFEST)
    assert bench.client.status(bundle=NAME).state == "receiving"
    send(bench.client, FILES)
    bench.client.ours(Command.COMMIT, ours.CommitRequest(NAME))
    bench.store.begin_trial("tiny")
    assert (bench.client.status(bundle=NAME).state, bench.client.status(bundle=NAME).begun) == ("trial", 1)
    bench.store.fail("tiny", "golden_mismatch: it answered wrong")
    said = bench.client.status(bundle=NAME)
    assert (said.state, said.reason, said.model, said.version) == (
        "refused",
        "golden_mismatch: it answered wrong",
        "tiny",
        "1.0.0",
    )


def test_a_bundle_that_was_refused_can_be_offered_again_without_sending_it(bench: HubBench) -> None:
    bench.client.offer(MANIFEST)
    send(bench.client, FILES)
    bench.client.ours(Command.COMMIT, ours.CommitRequest(NAME))
    bench.store.begin_trial("tiny")
    bench.store.fail("tiny", "no")
    assert bench.client.offer(MANIFEST)["missing"] == b"\0"
    assert bench.client.ours(Command.COMMIT, ours.CommitRequest(NAME))["test"] is True


def test_files_that_were_cleared_away_meanwhile_are_asked_for_again(bench: HubBench) -> None:
    bench.client.offer(MANIFEST)
    send(bench.client, FILES)
    bench.store.gc(unfinished=True)
    assert word(bench.client.ours(Command.COMMIT, ours.CommitRequest(NAME))) == "bad_store"
    assert ours.missing_files(bench.client.offer(MANIFEST)["missing"], 2) == [True, True]


def test_a_full_disk_keeps_what_has_come(bench: HubBench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise NoSpace(5000, 0)

    bench.client.offer(MANIFEST)
    with monkeypatch.context() as patched:
        patched.setattr(bench.store, "put_object", full)
        assert word(bench.client.put(MODEL, 0, 5000)) == "no_space"
    assert bench.client.put(MODEL, 0, 1)["done"] is True, "one piece more, and it is tried again"


def test_an_object_that_takes_long_to_check_is_busy_and_then_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, may_end = HubBench(tmp_path, patience_s=0.05), threading.Event()
    bench.hub.finishing._patience_s = 30.0
    bench.client.offer(MANIFEST)
    bench.hub.finishing._patience_s = 0.05
    real = bench.store.put_object

    def slow(*given: object) -> None:
        may_end.wait(20)
        real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.store, "put_object", slow)
    assert bench.client.put(MODEL, 0, 5000)["busy"] is True
    assert bench.client.status(object=OBJECT).busy
    may_end.set()
    bench.hub.finishing._patience_s = 30.0
    assert bench.client.status(object=OBJECT).done


def test_few_offers_are_remembered_at_once(bench: HubBench) -> None:
    for version in range(MOST_OFFERS + 1):
        bench.client.offer(parts_of(bundle_bytes(f"1.0.{version}", 1))[0])
        bench.client.ours(Command.OFFER, ours.OfferRequest(bytes([version]) * 32, 0, 100, b"x"))
    assert len(bench.hub.offers._offers) == MOST_OFFERS
    assert len(bench.hub.offers._arriving) <= MOST_OFFERS
    first, files = parts_of(bundle_bytes("1.0.0", 1))
    assert word(bench.client.put(files["model.onnx"], 0, 100)) == "not_offered"
    assert bench.client.offer(first)["state"] == "receiving"


def test_bits_of_missing_files_are_the_ones_that_were_written() -> None:
    for files in (0, 1, 8, 9, 1000):
        wanted = [random.Random(files + index).random() < 0.5 for index in range(files)]
        assert ours.missing_files(ours.missing_bits(wanted), files) == wanted
