"""Who asked what of which model: one JSON object a line in a file that spares SD cards.

Rows wait in memory and are written together, with one sync. What is written a day is bounded.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.config import AuditConfig
from edge_runtime.errors import ConfigError
from edge_runtime.observing.log_lines import utc_text

log = logging.getLogger("edgert.audit")

RING_ROWS = 8192
RING_BYTES = 4 << 20  # estimated; at half of it or of the rows, they are written before their time
DAY_SHARES = 32  # at most this many times `most_mb` is written in a day
_DAY_S = 86_400.0
_CLOSE_S = 5.0  # a disk that hangs must not keep the daemon from ending
_ROW_BYTES = 400  # a line without content, about


@dataclass(frozen=True)
class AuditRow:
    """One request that was run.

    Attributes:
        at_s: when, in seconds since 1970.
        user: who, as in the reply topic (docs/mqtt.md).
        model_sha256, input_sha256, output_sha256: of the model's file, `texts_sha256`, of the reply's body; "" if none.
        status: 200, or the error's number.
        texts, answer: kept only if `audit.content` says so.
    """

    at_s: float
    user: str
    model: str
    version: str
    model_sha256: str
    input_sha256: str
    output_sha256: str
    status: int
    request_id: str | None = None
    texts: Sequence[str] | None = None
    answer: Mapping[str, object] | None = None


def texts_sha256(texts: Sequence[str]) -> str:
    """The hex SHA-256 of a text's UTF-8; of several texts, that of their hashes, each with a newline."""
    hashes = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts]
    return hashes[0] if len(hashes) == 1 else body_sha256("".join(f"{one}\n" for one in hashes).encode())


def body_sha256(body: bytes) -> str:
    """The hex SHA-256 of a reply's body."""
    return hashlib.sha256(body).hexdigest()


class Audit:
    """The audit file: `record` from any thread, `close` at the end.

    Args:
        config: file, content, most_mb (of the file and its one predecessor `<file>.1` together) and sync_s.
        clock: monotonic seconds.

    Raises:
        ConfigError: the file cannot be written.

    Attributes:
        dropped: rows that could not be kept: ring full, disk full, or the day's budget used up. The file says so, too.
    """

    def __init__(self, config: AuditConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._content, self._sync_s, self._clock = config.content, max(1, config.sync_s), clock
        self._file = _AuditFile(Path(config.file), max(1, config.most_mb) << 20, clock)
        self._rows: collections.deque[AuditRow | bytes] = collections.deque()
        self._bytes = self._lost = self.dropped = 0
        self._changed = threading.Condition()
        self._closing = False
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="edgert-audit", daemon=True)
        self._thread.start()

    def record(self, row: AuditRow) -> None:
        """Keep a row in memory until it is written; never blocks on the disk."""
        kept: AuditRow | bytes = row  # without content it is put into words later, by the thread that writes
        if self._content:
            kept = _line(row, content=True)
        elif row.texts is not None or row.answer is not None:
            kept = dataclasses.replace(row, texts=None, answer=None)
        size_bytes = len(kept) if isinstance(kept, bytes) else _ROW_BYTES
        with self._changed:
            if self._closing or len(self._rows) >= RING_ROWS or self._bytes + size_bytes > RING_BYTES:
                self._lost += 1
                self.dropped += 1
                return
            self._rows.append(kept)
            self._bytes += size_bytes
            if self._half_full():
                self._changed.notify()

    def flush(self) -> None:
        """Write what waits, and sync."""
        with self._writing:
            with self._changed:
                rows, lost = list(self._rows), self._lost
                self._rows.clear()
                self._bytes = self._lost = 0
            if not rows and not lost:
                return
            lines = [row if isinstance(row, bytes) else _line(row, content=False) for row in rows]
            written = self._file.write([*([_gap(lost)] if lost else []), *lines])
            if not written:
                with self._changed:
                    self._lost += lost + len(rows)
                    self.dropped += len(rows)

    def close(self) -> None:
        """Write the rest, sync, and take nothing more."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_CLOSE_S)

    def _half_full(self) -> bool:
        return len(self._rows) >= RING_ROWS // 2 or self._bytes >= RING_BYTES // 2

    def _run(self) -> None:
        closing = False
        while not closing:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._half_full(), self._sync_s)
                closing = self._closing
            try:
                self.flush()
            except Exception:  # the thread must live on
                log.exception("audit rows could not be written")


class _AuditFile:
    """A file and its predecessor, together no larger than agreed; and bounded in what is written a day."""

    def __init__(self, path: Path, most_bytes: int, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        self._half_bytes, self._day_bytes = most_bytes // 2, most_bytes * DAY_SHARES
        self._day_began_s, self._spent_bytes = clock(), 0
        self._failing = False
        try:
            os.close(self._open())
        except OSError as error:
            raise ConfigError(f"cannot write audit.file {path}: {error.strerror}") from error

    def write(self, lines: Sequence[bytes]) -> bool:
        """Append lines and sync; False if not all could be kept."""
        size_bytes = sum(map(len, lines))
        now_s = self._clock()
        if now_s - self._day_began_s >= _DAY_S:
            self._day_began_s, self._spent_bytes = now_s, 0
        if self._spent_bytes + size_bytes > self._day_bytes:
            self._fail(f"{self._spent_bytes >> 20} MB were written today, audit.most_mb allows no more")
            return False
        self._spent_bytes += size_bytes
        try:
            for piece in _pieces(lines, self._half_bytes):
                self._append(piece)
        except OSError as error:
            self._fail(error.strerror or str(error))
            return False
        if self._failing:
            self._failing = False
            log.info("audit file %s is written again", self._path)
        return True

    def _append(self, data: bytes) -> None:
        descriptor = self._open()
        try:
            size_bytes = os.fstat(descriptor).st_size
            if size_bytes and size_bytes + len(data) > self._half_bytes:
                os.close(descriptor)
                descriptor = -1
                self._path.replace(f"{self._path}.1")
                descriptor, size_bytes = self._open(), 0
            if size_bytes and os.pread(descriptor, 1, size_bytes - 1) != b"\n":
                data = b"\n" + data  # the power was cut in the middle of a line
            try:
                _write_all(descriptor, data)
                os.fsync(descriptor)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, size_bytes)  # half a line would be no JSON
                raise
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _fail(self, reason: str) -> None:
        if not self._failing:
            log.warning("audit rows are dropped and counted until this ends: %s: %s", self._path, reason)
        self._failing = True


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _pieces(lines: Sequence[bytes], most_bytes: int) -> Iterator[bytes]:
    """Lines put together, each piece no larger than a file may be; a line that is larger is left out."""
    piece: list[bytes] = []
    size_bytes = 0
    for line in lines:
        if len(line) > most_bytes:
            line = _gap(1)
        if size_bytes + len(line) > most_bytes:
            yield b"".join(piece)
            piece, size_bytes = [], 0
        piece.append(line)
        size_bytes += len(line)
    yield b"".join(piece)


def _line(row: AuditRow, *, content: bool) -> bytes:
    shown: dict[str, object] = {
        "ts": utc_text(row.at_s),
        "user": row.user,
        "model": row.model,
        "version": row.version,
        "model_sha256": row.model_sha256,
        "input_sha256": row.input_sha256,
        "output_sha256": row.output_sha256,
        "status": row.status,
        "id": row.request_id,
    }
    if content:
        shown |= {
            "texts": row.texts if row.texts is None else list(row.texts),
            "answer": row.answer and dict(row.answer),
        }
    return json.dumps(shown, separators=(",", ":"), default=str, skipkeys=True).encode() + b"\n"


def _gap(lost: int) -> bytes:
    return json.dumps({"ts": utc_text(time.time()), "dropped": lost}, separators=(",", ":")).encode() + b"\n"
