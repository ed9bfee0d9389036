"""Firmware to a real MCUboot with a real Zephyr behind it, in QEMU: tried, kept, and gone back from."""

from __future__ import annotations

import hashlib
import os
import random
import struct
from collections.abc import Iterator

import pytest

from edge_runtime.bundle.errors import BadContainer
from firmware_bridge.errors import RolledBack
from firmware_bridge.flashers.mcuboot import FirmwareImage, read_image
from firmware_bridge.flashers.smp import SmpBoard
from firmware_bridge.link import open_link, read_address
from firmware_bridge.smp.client_image import ImageSlot, mark_for_test, upload_image
from tests.firmware_bridge.flashers.microbit import Microbit
from tests.firmware_bridge.flashers.zephyr_builds import firmware

RESETS = int(os.environ.get("RESETS", "40"))
IN_QEMU = pytest.mark.skipif(not os.environ.get("QEMU"), reason="takes minutes: set QEMU=1")


def versioned(data: bytes, revision: int) -> bytes:
    """The same image with another version; its hash is made anew, which needs no key."""
    header, body, protected = *struct.unpack_from("<H", data, 8), *struct.unpack_from("<I", data, 12), 0
    made = bytearray(data)
    struct.pack_into("<BBHI", made, 20, 1, 2, revision, 0)
    covered = header + body + protected
    at = made.find(struct.pack("<HH", 0x10, 32), covered)
    made[at + 4 : at + 36] = hashlib.sha256(bytes(made[:covered])).digest()
    return bytes(made)


@pytest.fixture
def image() -> FirmwareImage:
    return read_image(versioned(firmware("qemu_cortex_m0_serial.signed.bin").read_bytes(), 3))


@pytest.fixture
def microbit() -> Iterator[Microbit]:
    machine = Microbit(firmware("qemu_cortex_m0_serial.merged.hex"))
    yield machine
    machine.close()


@pytest.fixture
def board(microbit: Microbit) -> Iterator[SmpBoard]:
    made = SmpBoard(read_address(f"socket://127.0.0.1:{microbit.console}"), open_link)
    microbit.start()
    yield made
    made.close()


def running(board: SmpBoard) -> ImageSlot:
    """What runs after whatever happened."""
    return next(slot for slot in board._slots(0) if slot.active)


@IN_QEMU
def test_firmware_is_tried_and_kept_and_survives_a_reset(
    microbit: Microbit, board: SmpBoard, image: FirmwareImage
) -> None:
    there: list[int] = []
    report = board.flash(image, progress=there.append)
    assert (report.end, report.version, report.before) == ("confirmed", "1.2.3", "0.0.0")
    assert there[-1] == len(image.data)
    assert board.flash(image).end == "present"
    microbit.reset()
    assert running(board).version == "1.2.3"


@IN_QEMU
def test_firmware_left_on_trial_is_gone_after_the_next_reset(
    microbit: Microbit, board: SmpBoard, image: FirmwareImage
) -> None:
    assert board.flash(image, manual=True).end == "on_trial"
    assert not running(board).confirmed
    microbit.reset()
    slot = running(board)
    assert (slot.version, slot.confirmed) == ("0.0.0", True)


@IN_QEMU
def test_an_image_that_the_loader_refuses_ends_in_what_ran_before(board: SmpBoard, image: FirmwareImage) -> None:
    damaged = bytearray(image.data)
    damaged[5000] ^= 1
    with pytest.raises(BadContainer, match="damaged"):
        read_image(bytes(damaged))
    with pytest.raises(RolledBack, match=r"0\.0\.0 runs again"):
        board.flash(FirmwareImage(bytes(damaged), image.version, image.hash))


@IN_QEMU
def test_a_power_cut_in_the_upload_leaves_what_ran(microbit: Microbit, board: SmpBoard, image: FirmwareImage) -> None:
    def cut(there: int) -> None:
        if there > 20_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upload_image(board._client, image.data, progress=cut)
    microbit.reset()
    assert running(board).version == "0.0.0"
    assert board.flash(image).end == "confirmed"


@IN_QEMU
def test_no_reset_at_any_moment_of_a_swap_costs_an_image(
    microbit: Microbit, board: SmpBoard, image: FirmwareImage
) -> None:
    upload_image(board._client, image.data)
    dice, ran = random.Random(5), set[str]()
    for _ in range(RESETS):
        slots = board._slots(0)
        assert len(slots) == 2
        ran |= {slot.version for slot in slots if slot.active}
        active, other = sorted(slots, key=lambda slot: not slot.active)
        if active.confirmed:  # else the reset is the way back, which is a swap as well
            mark_for_test(board._client, other.hash)
        for _ in range(dice.randint(0, 2)):
            microbit.reset(dice.uniform(0.0, 0.9))
        microbit.reset()
    assert ran == {"0.0.0", "1.2.3"}


def bad_images() -> dict[str, bytes]:
    header = struct.pack("<IIHHIIBBHI", 0x96F3B83D, 0, 32, 0, 100, 0, 1, 0, 0, 0) + bytes(4)
    body = header + bytes(100)
    good = body + struct.pack("<HHHH", 0x6907, 40, 0x10, 32) + hashlib.sha256(body).digest()
    assert read_image(good).version == "1.0.0"
    return {
        "empty": b"",
        "text": b"firmware\n" * 10,
        "cut in the body": good[:80],
        "cut in its values": good[:-1],
        "one bit": good[:50] + b"\x01" + good[51:],
        "no hash": body + struct.pack("<HH", 0x6907, 4),
        "a value past the end": body + struct.pack("<HHHH", 0x6907, 12, 0x10, 60000) + bytes(4),
        "protected values that are not there": good[:10] + b"\x10" + good[11:],
    }


@pytest.mark.parametrize("bad", bad_images().values(), ids=bad_images())
def test_a_bad_image_is_refused_before_it_travels(bad: bytes) -> None:
    with pytest.raises(BadContainer):
        read_image(bad)
