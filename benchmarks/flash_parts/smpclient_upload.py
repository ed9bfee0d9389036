"""Run in an environment with smpclient 7.3.0: upload a file over a serial port, and print what it took as JSON.

    python smpclient_upload.py DEVICE FILE BUFFER_BYTES

BUFFER_BYTES 0 takes what the server says, as smpclient does by itself; else its buffers are told to be so large.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from smpclient import SMPClient
from smpclient.transport.serial import Auto, BufferSize, SMPSerialTransport


async def upload(device: str, data: bytes, buffer_bytes: int) -> float:
    """Seconds from the first byte to the last answer."""
    transport = SMPSerialTransport(BufferSize(buffer_bytes) if buffer_bytes else Auto())
    async with SMPClient(transport, device, 10.0) as client:
        begun_s = time.perf_counter()
        async for _ in client.upload_file(data, "/files/bench.bin", timeout_s=20.0):
            pass
        return time.perf_counter() - begun_s


if __name__ == "__main__":
    seconds = asyncio.run(upload(sys.argv[1], Path(sys.argv[2]).read_bytes(), int(sys.argv[3])))
    print(json.dumps({"seconds": seconds}))
