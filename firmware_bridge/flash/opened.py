"""A target's URL, and the target that it names.

| URL | how |
|---|---|
| `dir:/mnt/card/var/lib/edgert` | the store itself |
| `serial:`, `socket://`, `rfc2217://`, `udp://` | SMP over a link (`firmware_bridge/link.py`) |
| `ssh://user@host/var/lib/edgert` | SMP over the standard input of `edgert receive` there |
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from edge_runtime import __version__
from edge_runtime.bundle.target import Here
from edge_runtime.bundle.trust import Trust
from firmware_bridge.errors import BadTarget, LinkLost, NotThere, PeerRefused
from firmware_bridge.flash.folder import FolderTarget
from firmware_bridge.flash.hub import HubTarget
from firmware_bridge.flash.image import ImageTarget
from firmware_bridge.flash.target import Target
from firmware_bridge.link import Link, LinkAddress, open_link, read_address
from firmware_bridge.pipe_link import ProgramLink
from firmware_bridge.smp.client import Channel, CobsFraming, framing_named
from firmware_bridge.smp.client_edgert import HubClient

FAST_BAUDS = (3_000_000, 921_600, 460_800, 230_400)
_LINK_OPTIONS = {"framing", "fast"}
_FOLDER_OPTIONS = {"board", "processor", "wait"}
_SSH_OPTIONS = {"config", "trust", "edgert"}


@dataclass(frozen=True)
class Ways:
    """How targets are reached, besides their URL.

    Attributes:
        trust: the keys that a folder's board trusts.
        ssh: the program, and what stands before the host.
        open: opens a link.
        patience_s: how long a board may say nothing.
        tell: gets a line whenever something is not as asked for.
    """

    trust: Callable[[], Trust]
    ssh: tuple[str, ...] = ("ssh", "-o", "BatchMode=yes")
    open: Callable[[LinkAddress], Link] = open_link
    patience_s: float = 10.0
    tell: Callable[[str], None] = lambda line: None


def open_target(url: str, ways: Ways) -> Target:
    """The target that a URL names, reached and asked what it is.

    Raises:
        BadTarget: the URL, or what it names, is not there.
        PortBusy, LinkLost, ProgramFailed: it cannot be reached.
    """
    kind = url.partition(":")[0]
    if kind == "dir":
        return _folder(url, ways)
    if kind == "ssh":
        return _over_ssh(url, ways)
    if kind == "mqtt":
        raise BadTarget("mqtt:// is not flashed to: bundles go over a broker by `edgert deploy`")
    address = read_address(url)
    _known(dict(address.options), _LINK_OPTIONS, url)
    link = ways.open(address)
    try:
        return _over_link(link, address, ways)
    except BaseException:
        link.close()
        raise


def _over_link(link: Link, address: LinkAddress, ways: Ways) -> Target:
    """Our group if the board has it, else the image group that every board with firmware has."""
    baud = address.baud if address.kind in ("serial", "rfc2217") else 0
    framing = address.option("framing")
    hub = HubClient(Channel(link, framing_named(framing) if framing else None))
    try:
        hub.greet()
    except (NotThere, PeerRefused):
        return ImageTarget(link, hub.client, baud)
    fast = address.option("fast")
    if baud and fast:
        baud = _quickened(hub, link, baud, fast, ways.tell)
    if not framing:
        hub.use_cobs()
    return HubTarget(link, hub, baud, patience_s=ways.patience_s)


def _quickened(hub: HubClient, link: Link, baud: int, fast: str, tell: Callable[[str], None]) -> int:
    """Go to the highest speed that works, from the one asked for downwards; the one that holds then."""
    if not fast.isdigit():
        raise BadTarget(f"fast={fast[:20]!r} must be a baud rate")
    for wanted in (int(fast), *(one for one in FAST_BAUDS if baud < one < int(fast))):
        if hub.quicken(link, wanted, baud):
            return wanted
        tell(f"{wanted} baud does not work on this link")
    return baud


def _over_ssh(url: str, ways: Ways) -> Target:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    _known(options, _SSH_OPTIONS, url)
    store = unquote(parts.path)
    if not parts.hostname or parts.hostname.startswith("-") or (not store.strip("/") and "config" not in options):
        raise BadTarget(f"target {url[:200]!r}: write ssh://[USER@]HOST[:PORT]/PATH/OF/STORE")
    far = [options.get("edgert") or "edgert", "receive"]
    far += ["--store", store] if store.strip("/") else []
    for name in ("config", "trust"):
        far += [f"--{name}", options[name]] if name in options else []
    host = f"{parts.username}@{parts.hostname}" if parts.username else parts.hostname
    port = ["-p", str(parts.port)] if parts.port else []
    link = ProgramLink([*ways.ssh, *port, "--", host, shlex.join(far)], f"ssh to {host}")
    try:
        hub = HubClient(Channel(link, CobsFraming()))
        try:
            hub.greet(tries=30)  # a login takes as long as it takes
        except NotThere as error:
            raise LinkLost(f"{host}: its edgert cannot receive bundles: update it") from error
        return HubTarget(link, hub, patience_s=ways.patience_s)
    except BaseException:
        link.close()
        raise


def _folder(url: str, ways: Ways) -> FolderTarget:
    path, _, query = url.removeprefix("dir:").partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    _known(options, _FOLDER_OPTIONS, url)
    if not path:
        raise BadTarget("target 'dir:': write dir:PATH/OF/STORE")
    board = None
    if "board" in options or "processor" in options:
        processors = {"cpu", *filter(None, options.get("processor", "").split(","))}
        boards = set(filter(None, options.get("board", "").split(",")))
        board = Here(processors, boards, __version__, math.inf)
    return FolderTarget(Path(path), ways.trust, board, wait="wait" in options)


def _known(options: dict[str, str], known: set[str], url: str) -> None:
    unknown = sorted(set(options) - known)
    if unknown:
        raise BadTarget(f"target {url[:200]!r}: option {unknown[0]!r} is none of {', '.join(sorted(known))}")
