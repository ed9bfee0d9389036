"""Firmware by SMP's image group: upload, test, confirm, as MCUboot has it; and files by its file group."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firmware_bridge.errors import LinkLost, PeerRefused
from firmware_bridge.smp.client import Client
from firmware_bridge.smp.client_upload import Stream, Upload

IMAGE_GROUP, FILE_GROUP = 1, 8
STATE, UPLOAD = 0, 1
FILE, FILE_STATUS, FILE_HASH = 0, 1, 2
_STATE_S = 5.0


@dataclass(frozen=True)
class ImageSlot:
    """What is in a slot, as the board says it; `hash` is the container's, not the file's."""

    image: int
    slot: int
    version: str
    hash: bytes
    active: bool
    confirmed: bool
    pending: bool
    permanent: bool


def read_slots(client: Client) -> list[ImageSlot]:
    """The slots that hold something. Raises as `Client.request`."""
    return _slots(client.request(0, IMAGE_GROUP, STATE, {}, timeout_s=_STATE_S))


def mark_for_test(client: Client, image_hash: bytes) -> list[ImageSlot]:
    """Run this image after the next reset, once, unless it is confirmed then. Raises as `Client.request`."""
    return _slots(client.request(2, IMAGE_GROUP, STATE, {"hash": image_hash}, timeout_s=_STATE_S))


def confirm(client: Client) -> list[ImageSlot]:
    """Keep the image that runs. Raises as `Client.request`."""
    return _slots(client.request(2, IMAGE_GROUP, STATE, {"confirm": True}, timeout_s=_STATE_S))


def upload_image(
    client: Client, data: bytes, image: int = 0, progress: Callable[[int], None] = lambda done: None, baud: int = 0
) -> Upload:
    """Upload an image file into the slot that does not run.

    Raises:
        PeerRefused: the board does not take it, or has got something else than was sent.
        LinkLost: it does not answer any more; the next upload of the same file goes on where the board can.
    """
    first = {"len": len(data), "sha": hashlib.sha256(data).digest(), "image": image}
    upload = Upload(client, client.params(), Stream(IMAGE_GROUP, UPLOAD, first, {}), data, progress, baud)
    upload.run()
    if upload.match is False:
        raise PeerRefused("upload", IMAGE_GROUP, 0, "the SHA-256 of what has come is another one")
    return upload


def upload_file(
    client: Client, data: bytes, name: str, progress: Callable[[int], None] = lambda done: None, baud: int = 0
) -> Upload:
    """Put a file into the board's file system, and compare its hash there if the board can tell it.

    Raises:
        PeerRefused: the board does not take it, or its hash there is another one.
        LinkLost: it does not answer any more.
    """
    stream = Stream(FILE_GROUP, FILE, {"len": len(data)}, {"name": name}, in_order_only=True)
    upload = Upload(client, client.params(), stream, data, progress, baud)
    upload.run()
    check_file(client, data, name)
    return upload


def check_file(client: Client, data: bytes, name: str) -> None:
    """Compare length and, where the board can tell it, hash of a file there. PeerRefused: another one."""
    length = client.read(FILE_GROUP, FILE_STATUS, name=name).get("len")
    if length != len(data):
        raise PeerRefused(f"file {name}", FILE_GROUP, 0, f"it has {length} bytes there, sent were {len(data)}")
    try:
        said = client.request(0, FILE_GROUP, FILE_HASH, {"name": name, "type": "sha256"}, timeout_s=_STATE_S)
    except (PeerRefused, LinkLost):
        return
    if "output" in said and said["output"] != hashlib.sha256(data).digest():
        raise PeerRefused(f"file {name}", FILE_GROUP, 0, "its SHA-256 there is another one")


def _slots(body: Mapping[str, object]) -> list[ImageSlot]:
    images = body.get("images")
    found = [_slot(one) for one in images if isinstance(one, dict)] if isinstance(images, list) else []
    return sorted(found, key=lambda one: (one.image, one.slot))


def _slot(plain: Mapping[object, object]) -> ImageSlot:
    """One entry; what is left out is false or 0, as Zephyr has it."""

    def number(name: str) -> int:
        value = plain.get(name, 0)
        return value if isinstance(value, int) else 0

    image_hash, version = plain.get("hash", b""), plain.get("version", "")
    return ImageSlot(
        image=number("image"),
        slot=number("slot"),
        version=version if isinstance(version, str) else "",
        hash=image_hash if isinstance(image_hash, bytes) else b"",
        active=bool(plain.get("active")),
        confirmed=bool(plain.get("confirmed")),
        pending=bool(plain.get("pending")),
        permanent=bool(plain.get("permanent")),
    )
