"""Serial framing, pure: feed bytes as they come, get whole lines or messages. No I/O, no clock.

Three formats share one port:
- text lines, ended by LF (`LineBuffer`);
- SMP console frames: base64 lines that start with 06 09 or 04 14 (`encode_console`, `ConsoleDecoder`);
- SMP over COBS: CRC16 inside, one 00 between frames (`encode_cobs`, `CobsDecoder`).

Decoders never raise on what comes from the wire: they drop damaged input, count it and find the next
frame. An answer to a damaged frame would only confuse a client that is already re-sending.

Sources: Zephyr, "SMP Transport Specification" (UART/serial and console); Cheshire and Baker,
"Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7(2), 1999.
"""

from __future__ import annotations

import binascii

from edge_runtime.errors import FrameError

START = b"\x06\x09"
CONTINUATION = b"\x04\x14"
LINE_LIMIT = 127  # whole line with marker and LF: Zephyr's and MCUboot's buffers drop what is longer
MAX_MESSAGE_BYTES = 0xFFFF - 2  # the 16-bit length of a console packet also counts the CRC
SMP_HEADER_BYTES = 8
_MARKER_BYTES = _LENGTH_BYTES = _CRC_BYTES = 2
_COBS_BLOCK = 254  # most bytes that one COBS length byte can announce


class LineBuffer:
    """Cut a byte stream into lines of bounded length."""

    def __init__(self, limit_bytes: int = 4096) -> None:
        """Keep at most `limit_bytes` of an unfinished line (LF not counted)."""
        self._pieces = _Pieces(b"\n", limit_bytes)

    @property
    def dropped_lines(self) -> int:
        """Lines that were longer than the limit; they are dropped whole."""
        return self._pieces.dropped

    def feed(self, data: bytes) -> list[bytes]:
        """Take what was read; return the lines it completes, without LF or CR LF."""
        return [line.removesuffix(b"\r") for line in self._pieces.feed(data)]


class _Pieces:
    """Cut a byte stream at a one-byte delimiter, dropping whole any piece that is too long."""

    def __init__(self, delimiter: bytes, limit_bytes: int) -> None:
        self.dropped = 0
        self._delimiter = delimiter
        self._limit_bytes = limit_bytes
        self._partial = bytearray()
        self._skipping = False  # inside a piece that is already too long

    def feed(self, data: bytes) -> list[bytes]:
        *ended, rest = data.split(self._delimiter)
        pieces = []
        for piece in ended:
            self._append(piece)
            if not self._skipping:
                pieces.append(bytes(self._partial))
            self._partial.clear()
            self._skipping = False
        self._append(rest)
        return pieces

    def _append(self, piece: bytes) -> None:
        if self._skipping:
            return
        self._partial += piece
        if len(self._partial) > self._limit_bytes:
            self._partial.clear()
            self._skipping = True
            self.dropped += 1


def encode_console(message: bytes, line_limit: int = LINE_LIMIT) -> list[bytes]:
    """Frame one SMP message as console lines, in sending order, each ended by LF.

    Args:
        message: SMP header and payload, at most `MAX_MESSAGE_BYTES`.
        line_limit: bytes of the longest line, LF included; at least 7 (one base64 quartet).

    Returns:
        A list and not one string, so that a sender can pace lines for a device that drops bursts.

    Raises:
        FrameError: the message or the line limit cannot be framed.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise FrameError(f"message is {len(message)} bytes, a console packet carries {MAX_MESSAGE_BYTES}")
    chars = (line_limit - _MARKER_BYTES - 1) // 4 * 4  # receivers decode line by line: whole quartets only
    if chars < 4:
        raise FrameError(f"line limit is {line_limit} bytes, a console frame needs at least 7")
    length = (len(message) + _CRC_BYTES).to_bytes(_LENGTH_BYTES, "big")
    text = binascii.b2a_base64(length + _with_crc(message), newline=False)
    parts = [text[at : at + chars] for at in range(0, len(text), chars)]
    return [(CONTINUATION if at else START) + part + b"\n" for at, part in enumerate(parts)]


class ConsoleDecoder:
    """Find SMP messages in a byte stream that may also carry log text and line noise.

    Attributes:
        bad_frames: frames dropped for wrong base64, order, length or CRC.
        noise_bytes: bytes that belonged to no frame.
    """

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        """Refuse packets that announce more than `max_message_bytes`; memory is bounded by that, too."""
        self.max_message_bytes = max_message_bytes
        self.bad_frames = 0
        self.noise_bytes = 0
        self._partial = bytearray()  # an unfinished line
        self._packet: bytearray | None = None  # message and CRC of the packet under way
        self._need_bytes = 0
        # Some servers send a whole message as one line, so the line limit follows from the message limit.
        packet_bytes = _LENGTH_BYTES + max_message_bytes + _CRC_BYTES
        self._line_limit = _MARKER_BYTES + (packet_bytes + 2) // 3 * 4 + len(b"\r")

    def feed(self, data: bytes) -> list[bytes]:
        """Take what was read; return the whole, checked messages that it completes."""
        first, *others = data.split(b"\n")
        self._partial += first
        messages = []
        for piece in others:
            message = self.feed_line(bytes(self._partial))
            if message is not None:
                messages.append(message)
            self._partial[:] = piece
        self._forget_noise()
        return messages

    def feed_line(self, line: bytes) -> bytes | None:
        """Take one line without its LF; return the message if this line completes one."""
        at = _last_marker(line)
        if at < 0:
            self.noise_bytes += len(line)
            return None
        self.noise_bytes += at  # text, or a frame that was torn, before the marker
        marker, text = line[at : at + _MARKER_BYTES], line[at + _MARKER_BYTES :].removesuffix(b"\r")
        try:
            part = binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error:
            self._drop()
            return None
        return self._start(part) if marker == START else self._append(part)

    def _start(self, part: bytes) -> bytes | None:
        if self._packet is not None:  # the one before never ended
            self._drop()
        need_bytes = int.from_bytes(part[:_LENGTH_BYTES], "big")
        if len(part) < _LENGTH_BYTES or need_bytes > self.max_message_bytes + _CRC_BYTES:
            self._drop()
            return None
        self._packet, self._need_bytes = bytearray(), need_bytes
        return self._append(part[_LENGTH_BYTES:])

    def _append(self, part: bytes) -> bytes | None:
        if self._packet is None or len(self._packet) + len(part) > self._need_bytes:
            self._drop()
            return None
        self._packet += part
        if len(self._packet) < self._need_bytes:
            return None
        message = _checked_message(bytes(self._packet))
        if message is None:
            self._drop()
        self._packet = None
        return message

    def _drop(self) -> None:
        self.bad_frames += 1
        self._packet = None

    def _forget_noise(self) -> None:
        """Keep of an unfinished line only what can still become a frame."""
        at = _last_marker(self._partial)
        if at < 0:
            half_marker = self._partial[-1:] in (START[:1], CONTINUATION[:1])
            at = len(self._partial) - half_marker
        elif len(self._partial) - at > self._line_limit:
            self._drop()
            at = len(self._partial)
        self.noise_bytes += at
        del self._partial[:at]


def encode_cobs(message: bytes) -> bytes:
    """Frame one SMP message with CRC16 and COBS, ended by one 00."""
    return cobs_encode(_with_crc(message)) + b"\0"


class CobsDecoder:
    """Find SMP messages in a stream of COBS frames."""

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        """Drop frames that carry more than `max_message_bytes`; memory is bounded by that, too."""
        decoded_bytes = max_message_bytes + _CRC_BYTES
        self._pieces = _Pieces(b"\0", decoded_bytes + decoded_bytes // _COBS_BLOCK + 1)
        self._damaged = 0

    @property
    def bad_frames(self) -> int:
        """Frames dropped for wrong COBS, CRC, header length or size."""
        return self._damaged + self._pieces.dropped

    def feed(self, data: bytes) -> list[bytes]:
        """Take what was read; return the whole, checked messages that it completes."""
        messages = []
        for frame in self._pieces.feed(data):
            if not frame:  # senders may put a delimiter on both ends of a frame
                continue
            try:
                message = _checked_message(cobs_decode(frame))
            except FrameError:
                message = None
            if message is None:
                self._damaged += 1
            else:
                messages.append(message)
        return messages


def cobs_encode(data: bytes) -> bytes:
    """Rewrite `data` without any 00, at a cost of one byte per started 254 bytes.

    A last block of exactly 254 bytes is not followed by an empty one, as in the paper; decoders take both.
    """
    out = bytearray()
    runs = data.split(b"\0")
    for index, run in enumerate(runs):
        full, rest = divmod(len(run), _COBS_BLOCK)
        for at in range(0, full * _COBS_BLOCK, _COBS_BLOCK):
            out.append(0xFF)
            out += run[at : at + _COBS_BLOCK]
        if rest or not full or index < len(runs) - 1:
            out.append(rest + 1)
            out += run[len(run) - rest :]
    return bytes(out)


def cobs_decode(encoded: bytes) -> bytes:
    """Undo `cobs_encode`; `encoded` is one frame without its 00 delimiter.

    Raises:
        FrameError: a 00 inside, or a length byte that points past the end.
    """
    if 0 in encoded:
        raise FrameError("a COBS frame holds a 00 byte: it was not cut at its delimiter")
    out = bytearray()
    at = 0
    while at < len(encoded):
        code = encoded[at]
        end = at + code
        if end > len(encoded):
            raise FrameError(f"a COBS frame of {len(encoded)} bytes ends inside a block: it was cut short")
        out += encoded[at + 1 : end]
        at = end
        if code != 0xFF and at < len(encoded):
            out.append(0)
    return bytes(out)


def _with_crc(message: bytes) -> bytes:
    """Append CRC16/XMODEM (polynomial 0x1021, initial value 0), big-endian."""
    return message + binascii.crc_hqx(message, 0).to_bytes(_CRC_BYTES, "big")


def _checked_message(packet: bytes) -> bytes | None:
    """Take the CRC off `packet`; None if it, or the length in the SMP header, is wrong.

    The CRC alone is not enough: with initial value 0, a frame followed by its own valid CRC leaves the
    register at 0, so two frames whose delimiter was lost check out as one.
    """
    message = packet[:-_CRC_BYTES]
    if len(message) < SMP_HEADER_BYTES or _with_crc(message) != packet:
        return None
    payload_bytes = int.from_bytes(message[2:4], "big")
    return message if len(message) == SMP_HEADER_BYTES + payload_bytes else None


def _last_marker(line: bytes | bytearray) -> int:
    """Where the last frame marker stands, -1 if none: markers never occur inside base64."""
    return max(line.rfind(START), line.rfind(CONTINUATION))
