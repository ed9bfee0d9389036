"""What the server takes at once, and tells clients that it does."""

from __future__ import annotations

from typing import Final

BUF_SIZE: Final = 8192  # of a message, header and body: console framing needs that much to be any good
BUF_COUNT: Final = 8  # requests under way; with 8 KB each it fills 3 Mbaud with 8 ms of delay
MOST_TCP_LINKS: Final = 8
MOST_UDP_CLIENTS: Final = 64
ANSWER_ROOM: Final = 128  # of a message, for what stands beside the bytes of a file
