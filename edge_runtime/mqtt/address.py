"""Where a broker is and as whom to log in: one URL <-> one frozen value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from edge_runtime.errors import UsageError

Scheme = Literal["mqtt", "mqtts", "unix"]

PORTS: dict[str, int] = {"mqtt": 1883, "mqtts": 8883}
FORMS = (
    "mqtt://[user[:password]@]host[:1883], mqtts://[user[:password]@]host[:8883][?ca=FILE][&cert=FILE&key=FILE] "
    "or unix:///path"
)
TLS_KEYS = ("ca", "cert", "key")

# Names, IPv4 and (without the brackets) IPv6 with a zone; what the resolver makes of them is its affair.
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A broker, and the user and password for it; the password never shows in `repr` or `display()`.

    Attributes:
        scheme: plain TCP, TLS, or a unix socket.
        host: name or IP address without brackets; empty for a unix socket.
        port: 0 for a unix socket.
        path: of the unix socket, else empty.
        ca_file: for TLS, the authority to trust instead of the system's; else empty.
        cert_file: for TLS, the certificate that says who we are; else empty.
        key_file: its private key; empty if it is in `cert_file`.
    """

    scheme: Scheme
    host: str = ""
    port: int = 0
    path: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    @classmethod
    def parse(cls, url: str) -> BrokerAddress:
        """Read `mqtt://[user[:password]@]host[:port]`, `mqtts://...[?ca=FILE&cert=FILE&key=FILE]` or `unix://[user[:password]@]/path`.

        User, password, path and file may be percent-encoded; an IPv6 address stands in brackets.

        Raises:
            UsageError: anything else; the message never repeats the password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:  # not repeated: with an unencoded / it holds part of the password
            raise UsageError(
                f"broker URL cannot be read at its port or brackets: expected {FORMS}, special characters as %XX"
            ) from None
        if parts.scheme not in ("mqtt", "mqtts", "unix"):
            found = f"starts with {parts.scheme[:20]!r}" if parts.scheme else "has no scheme"
            raise UsageError(f"broker URL {found}: expected {FORMS}")
        username, password = _login(parts)
        if parts.scheme == "unix":
            return cls("unix", path=_socket_path(parts), username=username, password=password)
        scheme: Scheme = "mqtts" if parts.scheme == "mqtts" else "mqtt"
        host = _host(parts)
        if parts.path not in ("", "/") or parts.fragment:
            raise UsageError(f"broker URL has a path or fragment after the host: expected {FORMS}")
        return cls(scheme, host, _port(port, scheme), "", username, password, *_tls_files(parts))

    def url(self) -> str:
        """The whole URL, password included: for a private file or variable, never for a log."""
        login = quote(self.username, safe="")
        if self.password:
            login += ":" + quote(self.password, safe="")
        return self._written(login + "@" if login else "")

    def display(self) -> str:
        """The URL for people and logs: with the user, without the password."""
        return self._written(quote(self.username, safe="") + "@" if self.username else "")

    def _written(self, login: str) -> str:
        if self.scheme == "unix":
            return f"unix://{login}{quote(self.path)}"
        host = quote(self.host, safe=":")
        if ":" in host:
            host = f"[{host}]"
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        files = zip(TLS_KEYS, (self.ca_file, self.cert_file, self.key_file), strict=True)
        query = "&".join(f"{key}={quote(file, safe='/')}" for key, file in files if file)
        return f"{self.scheme}://{login}{host}{port}{'?' if query else ''}{query}"


def _login(parts: SplitResult) -> tuple[str, str]:
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if password and not username:
        raise UsageError("broker URL has a password but no user: write user:password@ before the host")
    if "\0" in username + password:
        raise UsageError("broker URL has a NUL in the user or password, which MQTT cannot carry")
    return username, password


def _host(parts: SplitResult) -> str:
    host = unquote(parts.hostname or "")
    if not _HOST.fullmatch(host):
        raise UsageError(f"broker URL has {f'a bad host {host[:60]!r}' if host else 'no host'}: expected {FORMS}")
    return host


def _port(port: int | None, scheme: Scheme) -> int:
    if port == 0:
        raise UsageError("broker URL has port 0: expected 1 to 65535")
    return port or PORTS[scheme]


def _socket_path(parts: SplitResult) -> str:
    path = unquote(parts.path)
    where = parts.netloc.rpartition("@")[2]
    if where or not path.startswith("/") or path == "/" or "\0" in path:
        raise UsageError(
            "broker URL of a unix socket needs an absolute path: write three slashes, as unix:///run/mqtt.sock"
        )
    if parts.query or parts.fragment:
        raise UsageError(f"broker URL of a unix socket takes no query or fragment: expected {FORMS}")
    return path


def _tls_files(parts: SplitResult) -> tuple[str, str, str]:
    if not parts.query:
        return "", "", ""
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    files = dict(pairs)
    if parts.scheme != "mqtts" or len(files) < len(pairs) or not files.keys() <= set(TLS_KEYS) or "" in files.values():
        raise UsageError(f"broker URL has an unknown query, only mqtts:// takes ?ca=FILE and such: expected {FORMS}")
    if "\0" in parts.query or any("\0" in file for file in files.values()):
        raise UsageError("broker URL has a NUL in a file's name, which no file can have")
    if "key" in files and "cert" not in files:
        raise UsageError("broker URL has a key but no certificate in its query: add &cert=FILE")
    return files.get("ca", ""), files.get("cert", ""), files.get("key", "")
