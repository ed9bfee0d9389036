"""A certificate authority of one's own, by the `openssl` program."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.errors import OpensslFailed
from edge_runtime.mqtt.broker_setup.plan import is_address

_WITHIN_S = 60.0
_AUTHORITY = """\
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""
_LEAF = """\
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
extendedKeyUsage = {use}
"""


class Authority:
    """Signs certificates with the key in two files; `open` makes them if they are not there.

    Keys are of the curve P-256, which small boards check in milliseconds; PEM, without a pass phrase.
    """

    def __init__(self, program: str, certificate: Path, key: Path, days: int) -> None:
        self._program, self.certificate, self.key, self._days = program, certificate, key, days

    @classmethod
    def open(cls, certificate: Path, key: Path, days: int) -> Authority:
        """The authority in these files, or a new one, whose files are private from their first moment on.

        Raises:
            OpensslFailed: there is no `openssl`, or it failed.
        """
        program = shutil.which("openssl")
        if program is None:
            raise OpensslFailed(
                "certificates are made by the openssl program, which is not installed: run `apt install openssl`, or "
                "use --no-tls for a broker that only this machine can reach"
            )
        authority = cls(program, certificate, key, days)
        if not (certificate.exists() and key.exists()):
            authority._make(certificate, key, "edgert broker authority", _AUTHORITY)
        return authority

    def server(self, certificate: Path, key: Path, hosts: Sequence[str]) -> None:
        """A certificate for a server that is reached by these names and addresses."""
        names = ", ".join(f"{'IP' if is_address(host) else 'DNS'}:{host}" for host in hosts)
        extensions = _LEAF.format(use="serverAuth") + f"subjectAltName = {names}\n"
        self._make(certificate, key, hosts[0][:64], extensions, signed=True)

    def client(self, certificate: Path, key: Path, name: str) -> None:
        """A certificate that says who somebody is: its CN."""
        self._make(certificate, key, name, _LEAF.format(use="clientAuth"), signed=True)

    def _make(self, certificate: Path, key: Path, name: str, extensions: str, *, signed: bool = False) -> None:
        with tempfile.TemporaryDirectory(prefix=".making-", dir=certificate.parent) as private:  # mode 0700
            folder = Path(private)
            (folder / "request.cnf").write_text(f"[req]\nprompt = no\ndistinguished_name = dn\n[dn]\nCN = {name}\n")
            (folder / "extensions").write_text(extensions)
            curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
            self._run(folder, "genpkey", *curve, "-out", "key")
            self._run(folder, "req", "-new", "-config", "request.cnf", "-key", "key", "-sha256", "-out", "request")
            signer = ["-CA", str(self.certificate.absolute()), "-CAkey", str(self.key.absolute())]
            self._run(
                folder,
                *("x509", "-req", "-in", "request", "-sha256", "-days", str(self._days)),
                *("-set_serial", f"0x{_serial()}", "-extfile", "extensions", "-out", "certificate"),
                *(signer if signed else ["-signkey", "key"]),
            )
            (folder / "key").chmod(0o600)
            (folder / "certificate").chmod(0o644)
            (folder / "key").replace(key)
            (folder / "certificate").replace(certificate)

    def _run(self, folder: Path, *arguments: str) -> None:
        command = [self._program, *arguments]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_WITHIN_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OpensslFailed(f"`openssl {arguments[0]}` cannot be run: {error}") from error
        if done.returncode:
            raise OpensslFailed(f"`openssl {arguments[0]}` failed: {done.stderr.strip()[-300:]}")


def _serial() -> str:
    """128 random bits, the first one 0: serial numbers are positive (RFC 5280 section 4.1.2.2)."""
    return f"{secrets.randbits(127) | 1:032x}"
