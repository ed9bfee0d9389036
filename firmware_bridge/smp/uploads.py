"""Bundle files that come as images, by the standard upload command of any SMP tool."""

from __future__ import annotations

import hashlib
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from edge_runtime.bundle.container.bundle_file import open_bundle
from edge_runtime.bundle.container.image import HEADER_BYTES, read_header
from edge_runtime.bundle.errors import BadContainer, NoSpace, UpdateError
from edge_runtime.bundle.store.disk import Disk
from edge_runtime.bundle.store.store import Store
from edge_runtime.bundle.trust import Trust
from edge_runtime.errors import EdgertError
from firmware_bridge.smp.finishing import Finishing, StillBusy
from firmware_bridge.smp.parts import Part, Parts
from firmware_bridge.smp.session import Sending, Session

_MOST_ENDED = 16  # of which the last piece may come once more
MOST_IMAGES = 2  # unfinished ones; the one that was left alone longest goes
_SPACE = 2.2  # of an image's size: the file itself, then the objects out of it, and a tenth


class NoUpload(UpdateError):
    """A piece of an image has come, but no image was announced on this link."""

    code = "no_upload"


class TooMuch(UpdateError):
    """More bytes have come than were announced."""

    code = "too_much"


@dataclass(frozen=True)
class Progress:
    """The next byte that is wanted; with the last one, whether the announced SHA-256 was right."""

    off: int
    match: bool | None = None


class Uploads:
    """Images on their way.

    Args:
        store: takes the bundles.
        trust: the keys that are trusted now.
        disk: of the store.
        parts: where they are kept meanwhile.
        finishing: checks and installs them.
        refused: told why a bundle was not taken.
    """

    def __init__(
        self,
        store: Store,
        trust: Callable[[], Trust],
        disk: Disk,
        parts: Parts,
        finishing: Finishing,
        refused: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._store, self._trust, self._disk, self._parts = store, trust, disk, parts
        self._finishing, self._refused = finishing, refused
        self._ended: deque[str] = deque(maxlen=_MOST_ENDED)

    def begin(self, session: Session, size: int, sha: bytes) -> None:
        """An image is announced. With a SHA-256 that was announced before, it goes on where it was.

        Raises:
            NoSpace: it does not fit, or cannot.
        """
        name = sha.hex() if sha else f"nameless-{secrets.token_hex(8)}"
        self._finishing.forget(name)
        if name in self._ended:
            self._ended.remove(name)
        begun = [one for one in self._parts.names() if not self._finishing.goes_on(one)]
        if name not in begun:
            free_bytes = self._disk.free_bytes()
            if int(size * _SPACE) > free_bytes:
                raise NoSpace(int(size * _SPACE), free_bytes)
            for old in begun[: max(0, len(begun) - MOST_IMAGES + 1)]:
                self._parts.remove(old)
        session.sending = Sending(name, size, sha)

    def take(self, session: Session, offset: int, data: bytes) -> Progress:
        """A piece of the image; what comes twice or too early changes nothing.

        Raises:
            NoUpload, TooMuch: it does not belong to what was announced.
            UpdateError, BundleError: all has come, and the bundle is not taken.
        """
        sending = session.sending
        if sending is None:
            raise NoUpload("no image was announced on this link: begin at offset 0, with its length")
        if offset + len(data) > sending.size:
            raise TooMuch(f"image was announced with {sending.size} bytes, {offset + len(data)} have come")
        if sending.part in self._ended:
            return Progress(sending.size, True)
        if self._finishing.goes_on(sending.part):
            return self._finish(session, sending)
        part = self._parts.open(sending.part, sending.size)
        if offset == part.prefix:
            part.write(offset, data)
            self._look_at_head(sending, part, offset)
        return self._finish(session, sending) if part.whole else Progress(part.prefix)

    def forget(self) -> None:
        """Throw away what has come of images that are not whole."""
        for name in self._parts.names():
            if not self._finishing.goes_on(name):
                self._parts.remove(name)

    def _look_at_head(self, sending: Sending, part: Part, offset: int) -> None:
        """Refuse what is no container before all of it has come."""
        if offset < HEADER_BYTES <= part.prefix:
            try:
                read_header(part.head(HEADER_BYTES))
            except BadContainer:
                self._parts.remove(sending.part)
                raise

    @property
    def busy(self) -> bool:
        """Whether a bundle that has come is being checked."""
        return any(self._finishing.goes_on(name) for name in self._parts.names())

    def _finish(self, session: Session, sending: Sending) -> Progress:
        try:
            match = self._finishing.done(sending.part, lambda: self._install(sending))
        except StillBusy:  # what a client can do now is what it would do if it were done
            return Progress(sending.size)
        except EdgertError:
            session.sending = None
            raise
        return Progress(sending.size, match)

    def _install(self, sending: Sending) -> bool:
        part = self._parts.open(sending.part, sending.size)
        try:
            if sending.sha and _sha256(part) != sending.sha:
                self._refused("image is not the one that was announced, its SHA-256 differs: send it again")
                return False
            with part.file.open("rb") as stream:
                self._store.install(open_bundle(stream, self._trust()), test=False)
        except EdgertError as error:
            self._refused(str(error))
            raise
        finally:
            self._parts.remove(sending.part)
        self._ended.append(sending.part)
        return True


def _sha256(part: Part) -> bytes:
    hasher = hashlib.sha256()
    for piece in part.pieces():
        hasher.update(piece)
    return hasher.digest()
