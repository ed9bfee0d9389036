"""Run in an environment with smpclient 7.3.0: every group of a server, by a client that is not ours.

    python smpclient_script.py (serial:DEVICE | udp:HOST) IMAGE OTHER_IMAGE

Prints one JSON object: what the server said, for the test to judge.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from smpclient import SMPClient
from smpclient.generics import success
from smpclient.requests import enumeration_management as enums
from smpclient.requests import file_management as files
from smpclient.requests import image_management as images
from smpclient.requests import os_management as systems
from smpclient.requests import settings_management as settings
from smpclient.requests import statistics_management as statistics
from smpclient.transport.serial import Auto, SMPSerialTransport
from smpclient.transport.udp import SMPUDPTransport

CONTENT = bytes(range(256)) * 100


def connect(where: str) -> SMPClient:
    kind, _, address = where.partition(":")
    return SMPClient(SMPSerialTransport(Auto()) if kind == "serial" else SMPUDPTransport(mtu=8192), address, 10.0)


class Script:
    def __init__(self, client: SMPClient) -> None:
        self._client = client
        self.said: dict[str, Any] = {}

    async def ask(self, name: str, request: Any) -> Any:
        answer = await self._client.request(request)
        fields = answer.model_dump(exclude={"header", "version", "sequence", "smp_data"}, exclude_none=True)
        self.said[name] = fields if success(answer) else {"refused": fields}
        return answer

    async def whole(self, image: bytes, other: bytes) -> None:
        await self.system()
        await self.lists()
        await self.folder()
        await self.slots(image, other)

    async def system(self) -> None:
        await self.ask("echo", systems.EchoWrite(d="a text, ä"))
        await self.ask("tasks", systems.TaskStatisticsRead())
        await self.ask("datetime", systems.DateTimeRead())
        await self.ask("set datetime", systems.DateTimeWrite(datetime="2020-01-01T00:00:00"))
        await self.ask("params", systems.MCUMgrParametersRead())
        await self.ask("info", systems.OSApplicationInfoRead(format="a"))
        await self.ask("bootloader", systems.BootloaderInformationRead())

    async def lists(self) -> None:
        await self.ask("group count", enums.CountSupportedGroups())
        await self.ask("groups", enums.ListSupportedGroups())
        await self.ask("group 0", enums.GroupId(index=0))
        await self.ask("group 99", enums.GroupId(index=99))
        await self.ask("details", enums.GroupDetails())
        await self.ask("statistics", statistics.ListOfGroups())
        await self.ask("counts", statistics.GroupData(name="edgert_smp"))
        await self.ask("other counts", statistics.GroupData(name="other"))
        await self.ask("device", settings.ReadSetting(name="edgert/device"))
        await self.ask("set device", settings.WriteSetting(name="edgert/device", val=b"x"))
        await self.ask("delete device", settings.DeleteSetting(name="edgert/device"))

    async def folder(self) -> None:
        async for _ in self._client.upload_file(CONTENT, "/files/blob.bin"):
            pass
        self.said["downloaded"] = (await self._client.download_file("/files/blob.bin")) == CONTENT
        await self.ask("size", files.FileStatus(name="blob.bin"))
        await self.ask("sha256", files.FileHashChecksum(name="blob.bin", type="sha256"))
        await self.ask("crc32", files.FileHashChecksum(name="blob.bin", type="crc32"))
        await self.ask("hash types", files.SupportedFileHashChecksumTypes())
        await self.ask("close", files.FileClose())
        await self.ask("escape", files.FileStatus(name="/files/../state.json"))

    async def slots(self, image: bytes, other: bytes) -> None:
        self.said["content sha256"] = hashlib.sha256(CONTENT).digest()
        self.said["offsets"] = [offset async for offset in self._client.upload(image)]
        first = (await self.ask("uploaded", images.ImageStatesRead())).images[0]
        await self.ask("marked", images.ImageStatesWrite(hash=first.hash))
        await self.ask("confirm untried", images.ImageStatesWrite(hash=first.hash, confirm=True))
        await self.ask("reset", systems.ResetWrite())
        await self.ask("after reset", images.ImageStatesRead())
        cut = self._client.upload(other)
        async for offset in cut:
            if offset > len(other) // 2:
                break
        await cut.aclose()
        again = [offset async for offset in self._client.upload(other)]
        self.said["resumed at"] = [offset, again[0], again[-1]]
        await self.ask("uploaded again", images.ImageStatesRead())
        await self.ask("erase", images.ImageErase(slot=1))
        await self.ask("erased", images.ImageStatesRead())


async def main() -> None:
    where, image, other = sys.argv[1:]
    async with connect(where) as client:
        script = Script(client)
        await script.whole(Path(image).read_bytes(), Path(other).read_bytes())
    json.dump(script.said, sys.stdout, default=lambda value: value.hex() if isinstance(value, bytes) else str(value))


asyncio.run(main())
