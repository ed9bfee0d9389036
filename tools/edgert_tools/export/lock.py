"""Locks: the exact packages of an exporter's environment, as `locks/<name>.txt` has them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

_LINE = re.compile(r"([A-Za-z0-9][\w.-]*)==([\w.!+-]+)\s*(?:;\s*([^\\]*?))?\s*(?:--hash|$)")
_PYTHONS = re.compile(r"# Python (\d+)\.(\d+) to (\d+)\.(\d+)")


@dataclass(frozen=True)
class Lock:
    """One lock: a requirements file of pip's with exact versions.

    Attributes:
        name: of the exporter.
        text: the file. A line `# Python 3.11 to 3.14` says for which versions it holds.
        deciding: names of the packages that decide what the exporter gives; the rest is what they need.
    """

    name: str
    text: str
    deciding: tuple[str, ...] = ()

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The requirements, each on one line with its hashes."""
        joined = re.sub(r"\\\n\s*", "", self.text)
        return tuple(line.strip() for line in joined.splitlines() if line.strip() and not line.startswith("#"))

    @property
    def hashed(self) -> tuple[str, ...]:
        """Requirements that pip checks by their hashes."""
        return tuple(line for line in self.lines if "--hash" in line)

    @property
    def unhashed(self) -> tuple[str, ...]:
        """Requirements whose file depends on the index: PyTorch's CPU build is another one than the default's."""
        return tuple(line for line in self.lines if "--hash" not in line)

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Package -> version; of a package with several, for several Pythons, the first."""
        found: dict[str, str] = {}
        for line in self.lines:
            if match := _LINE.match(line):
                found.setdefault(match[1], match[2])
        return found

    @property
    def decides(self) -> Mapping[str, str]:
        """Package -> version of those that decide what comes out."""
        return {name: self.versions[name] for name in self.deciding}

    @property
    def pythons(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """First and last version of Python that it holds for; None: it does not say."""
        match = _PYTHONS.search(self.text)
        return ((int(match[1]), int(match[2])), (int(match[3]), int(match[4]))) if match else None

    @property
    def sha256(self) -> str:
        """Hex sha256 of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def installed_here(self) -> bool:
        """Whether this Python has all deciding packages at exactly these versions, builds aside."""
        try:
            return all(version(name).partition("+")[0] == wanted for name, wanted in self.decides.items())
        except PackageNotFoundError:
            return False


def read_lock(name: str) -> Lock:
    """The lock of an exporter that comes with edgert."""
    folder = files("edgert_tools.export").joinpath("locks")
    asked = Lock(name, folder.joinpath(f"{name}.in").read_text(encoding="utf-8"))
    return Lock(name, folder.joinpath(f"{name}.txt").read_text(encoding="utf-8"), tuple(asked.versions))
