"""Group 1: the store as two slots a model, and bundle files as images."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated

from firmware_bridge.smp.fields import Digest, Limits, Offset
from firmware_bridge.smp.group import Body, Group, in_words_of, reads
from firmware_bridge.smp.hub import Hub
from firmware_bridge.smp.message import READ, WRITE, Rc
from firmware_bridge.smp.refusals import Refused
from firmware_bridge.smp.session import Session

NUMBER = 1
STATE, UPLOAD, ERASE, SLOTS = 0, 1, 5, 6
MOST_IMAGE_BYTES = (1 << 32) - 1
LEAST_IMAGE_BYTES = 32  # of a header

# Zephyr's numbers (`img_mgmt.h`), by the codes of our errors; where it has no word, the nearest.
_UNKNOWN, _NO_IMAGE, _HASH_NOT_FOUND, _INVALID_SLOT, _INVALID_LENGTH = 1, 3, 8, 14, 21
_CONFIRMATION_DENIED, _TEST_TO_ACTIVE_DENIED = 32, 33
_WORDS = {
    "no_upload": (17, Rc.EBADSTATE),  # FLASH_CONTEXT_NOT_SET
    "too_much": (31, Rc.EINVAL),  # INVALID_IMAGE_DATA_OVERRUN
    "bad_container": (22, Rc.ECORRUPT),  # INVALID_IMAGE_HEADER
    "bad_bundle": (22, Rc.ECORRUPT),
    "signature_refused": (24, Rc.EACCESSDENIED),  # INVALID_HASH
    "downgrade": (27, Rc.EACCESSDENIED),  # CURRENT_VERSION_IS_NEWER
    "no_space": (30, Rc.ENOMEM),  # INVALID_IMAGE_TOO_LARGE
    "wrong_target": (25, Rc.EACCESSDENIED),  # INVALID_FLASH_ADDRESS: made for another place
    "licence_denied": (32, Rc.EACCESSDENIED),
    "bad_store": (12, Rc.EUNKNOWN),  # FLASH_WRITE_FAILED
    "nothing_there": (_NO_IMAGE, Rc.ENOENT),
    "store_busy": (28, Rc.EBUSY),  # IMAGE_ALREADY_PENDING
    "slot_busy": (28, Rc.EBUSY),
}


@dataclass(frozen=True)
class SetState:
    """`hash` alone: try it at the next reset. With `confirm`: keep it; without a hash, what is being tried."""

    hash: Digest | None = None
    confirm: bool = False


@dataclass(frozen=True)
class Upload:
    """A piece of an image; the first says how long it is, and its SHA-256 so that it can go on after a cut.

    `image` and `upgrade` change nothing: the bundle itself says which model it is, and its counter whether it may come.
    """

    off: Offset
    data: bytes
    len: Annotated[int, Limits(0, MOST_IMAGE_BYTES)] | None = None
    sha: Annotated[bytes, Limits(0, 32)] = b""
    image: int = 0
    upgrade: bool = False


@dataclass(frozen=True)
class Erase:
    """Which slot; they are counted through all images: 1 is slot 1 of the first, 3 of the second."""

    slot: int = 1


def image_group(hub: Hub) -> Group:
    """The group."""
    return Group(
        NUMBER,
        "img mgmt",
        {
            (READ, STATE): lambda body, session: _images(hub),
            (WRITE, STATE): reads(SetState, lambda asked, session: _set_state(hub, asked)),
            (WRITE, UPLOAD): reads(Upload, lambda asked, session: _upload(hub, asked, session)),
            (WRITE, ERASE): reads(Erase, lambda asked, session: _erase(hub, asked)),
            (READ, SLOTS): lambda body, session: _slots(hub),
        },
    )


def _images(hub: Hub) -> Body:
    with _our_words():
        images = hub.slots.images()
    return {"images": [dataclasses.asdict(image) for image in images], "splitStatus": 0}


def _set_state(hub: Hub, asked: SetState) -> Body:
    with _our_words():
        if asked.hash is None:
            if not asked.confirm:
                raise Refused(Rc.EINVAL, "which image? Its hash is missing", NUMBER, _HASH_NOT_FOUND)
            hub.slots.confirm()
        else:
            _choose(hub, asked.hash, confirm=asked.confirm)
    return _images(hub)


def _choose(hub: Hub, wanted: bytes, *, confirm: bool) -> None:
    found = hub.slots.find(wanted)
    if found is None:
        if hub.uploads.busy:
            raise Refused(Rc.EBUSY, "the image that has come is still being checked: ask again")
        raise Refused(Rc.ENOENT, f"no image has hash {wanted.hex()[:16]}", NUMBER, _HASH_NOT_FOUND)
    name, bundle = found
    runs = any(one.slot == 0 and one.hash == hub.slots.hash_of(bundle) for one in hub.slots.images())
    if confirm and runs:
        hub.slots.confirm_one(name)
    elif confirm:
        said = f"{name} {bundle.version} was not tried: test it, reset, then confirm it"
        raise Refused(Rc.EBADSTATE, said, NUMBER, _CONFIRMATION_DENIED)
    elif runs:
        raise Refused(Rc.EBADSTATE, f"{name} {bundle.version} runs already", NUMBER, _TEST_TO_ACTIVE_DENIED)
    else:
        hub.slots.mark(name, bundle)


def _upload(hub: Hub, asked: Upload, session: Session) -> Body:
    if asked.off == 0:
        if asked.len is None or asked.len < LEAST_IMAGE_BYTES:
            said = f"'len' is {asked.len}, the first piece must say it, and it is {LEAST_IMAGE_BYTES} at least"
            raise Refused(Rc.EINVAL, said, NUMBER, _INVALID_LENGTH)
        if len(asked.sha) not in (0, 32):
            raise Refused(Rc.EINVAL, f"'sha' has {len(asked.sha)} bytes, SHA-256 has 32", NUMBER, 24)
    with _our_words():
        if asked.off == 0 and asked.len is not None:
            hub.uploads.begin(session, asked.len, asked.sha)
        progress = hub.uploads.take(session, asked.off, asked.data)
    return {"off": progress.off} if progress.match is None else {"off": progress.off, "match": progress.match}


def _erase(hub: Hub, asked: Erase) -> Body:
    """Empty a slot 1, and forget what has come of images that are not whole."""
    names = hub.slots.names()
    number, slot = divmod(asked.slot, 2)
    if slot != 1 or not 0 <= number < max(1, len(names)):
        said = f"slot {asked.slot} cannot be erased: of image N it is slot 2 N + 1, and there are {len(names)} images"
        raise Refused(Rc.EINVAL, said, NUMBER, _INVALID_SLOT)
    with _our_words():
        hub.uploads.forget()
        if names:
            hub.slots.empty(names[number])
    return {}


def _slots(hub: Hub) -> Body:
    most_bytes = min(MOST_IMAGE_BYTES, hub.disk.free_bytes())
    slots = [{"slot": slot, "size": most_bytes} for slot in (0, 1)]
    images = range(max(1, len(hub.slots.names())))
    return {"images": [{"image": number, "slots": slots, "max_image_size": most_bytes} for number in images]}


def _our_words() -> AbstractContextManager[None]:
    return in_words_of(NUMBER, _WORDS, (_UNKNOWN, Rc.EUNKNOWN))
