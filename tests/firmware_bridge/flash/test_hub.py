"""A bundle to a hub by our own group: the real client, the real server, a cable between them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.bundle.errors import NoSpace
from edge_runtime.bundle.target import Here, Target, check_target
from firmware_bridge.errors import LinkLost, PeerRefused, RolledBack
from firmware_bridge.flash.cargo import Cargo, open_cargo
from firmware_bridge.flash.engine import Report, Told, estimated, exit_code, flash
from firmware_bridge.flash.hub import HubTarget
from firmware_bridge.loopback import NO_FAULTS, Faults, LoopbackLink, loopback
from firmware_bridge.smp.client import Channel
from firmware_bridge.smp.client_edgert import HubClient
from tests.edge_runtime.bundle.signed import KEYS
from tests.firmware_bridge.flash.boards import Board, make_bundle, noise

MODEL = noise(200_000, 1)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    made = Board(tmp_path / "store")
    yield made
    made.close()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "one.edgert", {"model.onnx": MODEL, "tokenizer.json": b"word " * 4000})


def target_over(link: LoopbackLink, baud: int = 0, patience_s: float = 3.0) -> HubTarget:
    hub = HubClient(Channel(link))
    hub.greet()
    hub.use_cobs()
    return HubTarget(link, hub, baud, patience_s=patience_s)


def put_over(cargo: Cargo, board: Board, faults: Faults = NO_FAULTS, cut: int | None = None, **wire: int) -> Report:
    """One attempt over a new cable; left on trial, as no daemon runs."""
    here, there = loopback(faults, cut_after_bytes=cut, **wire)
    with board.serve(there):
        try:
            return flash(cargo, target_over(here), confirm="manual")
        finally:
            here.close()


def test_a_bundle_arrives_whole_and_is_marked_for_its_trial(bundle: Path, board: Board) -> None:
    with open_cargo(bundle) as cargo:
        report = put_over(cargo, board)
        assert report.end == "on_trial"
        slots = board.store.slots("tiny")
        assert slots.trial is not None
        assert slots.trial.digest == cargo.signed.digest
        board.store.check(slots.trial.digest)  # every object is hashed
        assert report.sent.again_bytes == 0
        assert report.estimate.send_bytes == report.sent.useful_bytes == len(MODEL) + 20_000
        assert report.estimate.state == ""


def test_what_compresses_is_compressed_and_the_estimate_says_so(tmp_path: Path, board: Board) -> None:
    path = make_bundle(tmp_path / "text.edgert", {"model.onnx": b"the same again " * 20_000})
    with open_cargo(path) as cargo:
        report = put_over(cargo, board)
    assert report.sent.wire_bytes < 0.1 * report.sent.useful_bytes
    assert report.sent.wire_bytes == pytest.approx(report.estimate.wire_bytes, abs=12_000)


def test_the_second_version_sends_only_the_file_that_changed(tmp_path: Path, bundle: Path, board: Board) -> None:
    second = make_bundle(
        tmp_path / "two.edgert",
        {"model.onnx": MODEL, "tokenizer.json": noise(30_000, 2)},
        version="1.1.0",
        counter=2,
    )
    with open_cargo(bundle) as cargo:
        put_over(cargo, board)
    with open_cargo(second) as cargo:
        report = put_over(cargo, board)
    assert report.estimate.send_bytes == 30_000
    assert report.estimate.send_files == 1
    assert report.sent.wire_bytes < 30_000 + 0.03 * 30_000 + 0.005 * (len(MODEL) + 30_000)


def test_the_same_bundle_again_sends_nothing(bundle: Path, board: Board) -> None:
    with open_cargo(bundle) as cargo:
        put_over(cargo, board)
        report = put_over(cargo, board)
    assert report.estimate.state == "trial"
    assert report.sent.useful_bytes == 0


@pytest.mark.parametrize("cut", [300, 20_000, 100_000, 190_000])
def test_after_a_cut_it_goes_on_and_hardly_anything_is_sent_again(bundle: Path, board: Board, cut: int) -> None:
    with open_cargo(bundle) as cargo:
        with pytest.raises(LinkLost) as lost:
            put_over(cargo, board, cut=cut)
        assert exit_code(lost.value) == 3
        report = put_over(cargo, board)
        board.store.check(cargo.signed.digest)
    sent = cut + report.sent.wire_bytes
    assert sent < len(MODEL) + 128 * 1024


def test_after_a_restart_of_the_hub_itself_it_goes_on(tmp_path: Path, bundle: Path) -> None:
    first = Board(tmp_path / "store")
    with open_cargo(bundle) as cargo:
        with pytest.raises(LinkLost):
            put_over(cargo, first, cut=150_000)
        first.close()
        second = Board(tmp_path / "store")
        report = put_over(cargo, second)
        second.store.check(cargo.signed.digest)
        second.close()
    assert report.estimate.send_bytes < len(MODEL) + 20_000 - 100_000 + 2 * 65536


FAULTS = {
    "flips": Faults(flip=1e-4, seed=1),
    "drops": Faults(drop=1e-4, seed=2),
    "doubles": Faults(double=1e-4, seed=3),
    "noise": Faults(noise=1e-4, seed=4),
    "swaps": Faults(swap=0.02, seed=5),
    "losses": Faults(lose=0.02, seed=6),
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_a_bad_cable_costs_little_and_no_wrong_byte_is_taken(bundle: Path, board: Board, faults: Faults) -> None:
    with open_cargo(bundle) as cargo:
        report = put_over(cargo, board, faults)
        board.store.check(cargo.signed.digest)
    assert report.sent.again_bytes <= 0.3 * report.sent.useful_bytes


def test_datagrams_may_be_lost_and_overtake_each_other(bundle: Path, board: Board) -> None:
    from firmware_bridge.smp.client import DatagramFraming
    from firmware_bridge.smp.session import Session

    here, there = loopback(Faults(lose=0.03, swap=0.03, seed=7), datagrams=True)
    stopped = threading.Event()

    def answer() -> None:
        session = Session("udp")
        while not stopped.is_set():
            data = there.read(0.05)
            said = board.server.answer(data, session) if data else None
            if said is not None:
                there.write(said)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    with open_cargo(bundle) as cargo:
        target = target_over(here)
        assert isinstance(target._hub.channel.framing, DatagramFraming)
        flash(cargo, target, confirm="manual")
        board.store.check(cargo.signed.digest)
    stopped.set()
    thread.join(5)


def test_a_dry_run_says_what_it_would_cost_and_sends_no_file(bundle: Path, board: Board) -> None:
    here, there = loopback()
    told = []
    with open_cargo(bundle) as cargo, board.serve(there):
        target = target_over(here, baud=115200)
        report = flash(cargo, target, dry_run=True, told=Told(estimate=told.append))
        here.close()
    assert report.end == "dry_run"
    assert told == [report.estimate]
    assert report.estimate.seconds == pytest.approx(len(MODEL) * 10 / 115200, rel=0.1)
    assert "on the wire" in report.estimate.describe()
    assert not list((board.root / "objects").iterdir())


def test_a_bundle_that_did_not_stay_is_told_with_its_reason(bundle: Path, board: Board) -> None:
    here, there = loopback()
    with open_cargo(bundle) as cargo, board.serve(there):
        target = target_over(here)

        def refuse(line: str) -> None:
            board.store.begin_trial("tiny")
            board.store.fail("tiny", "golden_mismatch: row 3 answers otherwise")

        with pytest.raises(RolledBack, match="row 3 answers otherwise") as told:
            flash(cargo, target, limit_s=20, told=Told(line=refuse))
        here.close()
    assert exit_code(told.value) == 4


def test_a_bundle_that_the_board_keeps_ends_confirmed(bundle: Path, board: Board) -> None:
    here, there = loopback()

    def keep(line: str) -> None:
        board.store.begin_trial("tiny")
        board.store.confirm("tiny")

    with open_cargo(bundle) as cargo, board.serve(there):
        report = flash(cargo, target_over(here), limit_s=20, told=Told(line=keep))
        here.close()
    assert report.end == "confirmed"


def refusal(path: Path, board: Board) -> PeerRefused:
    with open_cargo(path) as cargo, pytest.raises(PeerRefused) as told:
        put_over(cargo, board)
    assert exit_code(told.value) == 2
    assert not board.store.state().models
    return told.value


def test_a_dev_bundle_is_refused_by_a_board_for_release_bundles(tmp_path: Path, board: Board) -> None:
    path = make_bundle(tmp_path / "dev.edgert", {"model.onnx": MODEL[:1000]}, key=KEYS["dev"])
    assert refusal(path, board).code == "signature_refused"


def test_a_bundle_for_another_board_is_refused_before_its_files_travel(tmp_path: Path) -> None:
    here = Here({"cpu"}, {"this-board"}, "0.1.0", 1e9)
    board = Board(tmp_path / "store", lambda signed: check_target(signed.container.label.target, here))
    path = make_bundle(tmp_path / "other.edgert", {"model.onnx": MODEL}, target=Target(boards=("another",)))
    error = refusal(path, board)
    board.close()
    assert error.code == "wrong_target"
    assert "another" in str(error)
    assert not list(tmp_path.glob("store/smp/objects/*"))


def test_more_than_fits_is_refused_before_the_first_byte(bundle: Path, board: Board) -> None:
    here, there = loopback()
    with open_cargo(bundle) as cargo, board.serve(there):
        target = target_over(here)
        assert target._hub.hello is not None
        wanted = target.look(cargo)

        class Full:
            def look(self, cargo: Cargo) -> object:
                return wanted.__class__(**{**vars(wanted), "free_bytes": 1000})

        with pytest.raises(NoSpace):
            flash(cargo, Full())  # type: ignore[arg-type]
        assert estimated(cargo, wanted).free_bytes is not None
        here.close()


def test_a_board_that_says_nothing_is_a_lost_link() -> None:
    here, _ = loopback()
    hub = HubClient(Channel(here))
    with pytest.raises(LinkLost):
        hub.greet(tries=1)


def test_the_speed_is_raised_and_the_hub_goes_with_it(bundle: Path, board: Board) -> None:
    from firmware_bridge.loopback import Damage, Wire

    there_wire, back_wire = (Wire(Damage(Faults()), 115200) for _ in range(2))
    bauds: list[int] = []

    def here_baud(baud: int) -> None:
        bauds.append(baud)
        there_wire.baud = baud

    def there_baud(baud: int) -> None:
        back_wire.baud = baud

    here = LoopbackLink(there_wire, back_wire, told_baud=here_baud)
    there = LoopbackLink(back_wire, there_wire, told_baud=there_baud)
    with board.serve(there, 115200):
        hub = HubClient(Channel(here))
        hub.greet()
        assert hub.quicken(here, 921600, 115200)
        here.close()
    assert bauds == [921600]
    assert back_wire.baud == 921600


def test_a_speed_that_does_not_work_is_left_by_both_ends(board: Board) -> None:
    from firmware_bridge.loopback import Damage, Wire

    there_wire, back_wire = (Wire(Damage(Faults()), 115200) for _ in range(2))

    class Deaf(LoopbackLink):
        """Hears nothing above 115200 baud, as a cheap adapter."""

        baud = 115200

        def set_baud(self, baud: int) -> bool:
            self.baud = baud
            return True

        def read(self, timeout_s: float) -> bytes:
            data = super().read(timeout_s)
            return data if self.baud == 115200 else b""

    here, there = Deaf(there_wire, back_wire), LoopbackLink(back_wire, there_wire)
    with board.serve(there, 115200):
        hub = HubClient(Channel(here))
        hub.greet()
        assert not hub.quicken(here, 921600, 115200)
        assert here.baud == 115200
        assert hub.client.echo("still here") == "still here"
        here.close()
