"""An ESP32-C3 ROM loader on a PTY, as far as the real esptool needs one, with faults.

Source: Espressif, "Serial Protocol" of esptool's documentation.
"""

from __future__ import annotations

import hashlib
import os
import select
import struct
import threading
import tty
import zlib
from dataclasses import dataclass, field

_END, _ESCAPE = b"\xc0", b"\xdb"
SYNC, READ_REG, SECURITY_INFO, MD5 = 0x08, 0x0A, 0x14, 0x13
BEGIN, DATA, DEFLATE_BEGIN, DEFLATE_DATA, CHANGE_BAUD = 0x02, 0x03, 0x10, 0x11, 0x0F
FLASH_BYTES = 4 << 20
_CHIP_ID = 5  # ESP32-C3
_ROM = 0x20120707  # anything but 0, which would say that the stub runs already


@dataclass
class EspFaults:
    """What goes wrong.

    Attributes:
        deaf_above: speeds above this are changed to and then not understood; 0: all are.
        refuse_block: the block of this number is refused, each time.
        wrong_md5: what is in the flash is not what was sent.
        silent_after: so many blocks, then the plug is pulled.
    """

    deaf_above: int = 0
    refuse_block: int = -1
    wrong_md5: bool = False
    silent_after: int = -1


@dataclass
class FakeEsp:
    """The chip; `device` is its port, `bauds` the speeds it was asked for."""

    faults: EspFaults = field(default_factory=EspFaults)

    def __post_init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._master)
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self.flash = bytearray(b"\xff" * FLASH_BYTES)
        self.bauds: list[int] = []
        self._baud, self._address, self._next, self._blocks = 115200, 0, 0, 0
        self._inflate: zlib._Decompress | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        buffer = bytearray()
        while not self._stopped.is_set():
            if not select.select([self._master], [], [], 0.05)[0]:
                continue
            try:
                buffer += os.read(self._master, 65536)
            except OSError:
                continue
            *frames, rest = bytes(buffer).split(_END)
            buffer[:] = rest
            for frame in frames:
                plain = frame.replace(_ESCAPE + b"\xdc", _END).replace(_ESCAPE + b"\xdd", _ESCAPE)
                answer = self._answer(plain) if len(plain) >= 8 and plain[0] == 0 else b""
                os.write(self._master, answer)

    def _answer(self, frame: bytes) -> bytes:
        op, size, check = struct.unpack_from("<BHI", frame, 1)
        data = frame[8 : 8 + size]
        if op == SYNC:
            self._baud = 115200  # a reset
            return _reply(op, _ROM) * 8
        if self.faults.deaf_above and self._baud > self.faults.deaf_above:
            return b""
        if 0 <= self.faults.silent_after <= self._blocks:
            return b""
        if op == SECURITY_INFO:
            return _reply(op, 0, struct.pack("<IB7BII", 0, 0, *[0] * 7, _CHIP_ID, 0))
        if op == CHANGE_BAUD:
            self._baud = struct.unpack_from("<I", data)[0]
            self.bauds.append(self._baud)
            return _reply(op)
        if op in (BEGIN, DEFLATE_BEGIN):
            self._address, self._next = struct.unpack_from("<I", data, 12)[0], 0
            self._inflate = zlib.decompressobj() if op == DEFLATE_BEGIN else None
            return _reply(op)
        if op in (DATA, DEFLATE_DATA):
            return self._block(op, data, check)
        if op == MD5:
            at, length = struct.unpack_from("<II", data)
            digest = hashlib.md5(self.flash[at : at + length], usedforsecurity=False).hexdigest()
            return _reply(op, 0, (digest[::-1] if self.faults.wrong_md5 else digest).encode())
        return _reply(op)

    def _block(self, op: int, data: bytes, check: int) -> bytes:
        size, number = struct.unpack_from("<II", data)
        body, total = data[16 : 16 + size], 0xEF
        for byte in body:
            total ^= byte
        self._blocks += 1
        if total != check & 0xFF or number != self._next or number == self.faults.refuse_block:
            return _reply(op, ok=False)
        self._next += 1
        out = self._inflate.decompress(body) if self._inflate else body
        self.flash[self._address : self._address + len(out)] = out
        self._address += len(out)
        return _reply(op)

    def close(self) -> None:
        """Take it away."""
        self._stopped.set()
        self._thread.join(5)
        os.close(self._master)
        os.close(self._slave)


def _reply(op: int, value: int = 0, data: bytes = b"", ok: bool = True) -> bytes:
    plain = struct.pack("<BBHI", 1, op, len(data) + 4, value) + data + (bytes(4) if ok else b"\1\5\0\0")
    return _END + plain.replace(_ESCAPE, _ESCAPE + b"\xdd").replace(_END, _ESCAPE + b"\xdc") + _END
