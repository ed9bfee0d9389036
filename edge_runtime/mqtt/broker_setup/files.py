"""Write a broker's files: all or, if one of them is there already, none."""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.errors import UsageError
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker_setup.certificates import Authority
from edge_runtime.mqtt.broker_setup.passwords import new_password, password_line
from edge_runtime.mqtt.broker_setup.plan import BrokerPlan
from edge_runtime.mqtt.broker_setup.texts import acl_text, config_text

ON_BOARD = "/etc/edgert"  # where a board keeps what is written for it
_OWN_FILES = ("mosquitto.conf", "acl", "passwords", "ca.crt", "server.crt", "server.key", "authority")


def write_setup(plan: BrokerPlan, *, force: bool = False) -> None:
    """Write everything into the plan's folder; what is secret can be read by its owner only, from the first moment on.

    Args:
        plan: what to write.
        force: write over what is there; its authority and its passwords are kept, so that who has a login keeps it.

    Raises:
        UsageError: something is there already and `force` was not said; it is named.
        OpensslFailed: certificates cannot be made.
        OSError: the folder cannot be written.
    """
    folder = plan.folder
    there = [name for name in (*_OWN_FILES, *map(folder_of, plan.names)) if (folder / name).exists()]
    if there and not force:
        raise UsageError(
            f"{folder} holds {', '.join(there)} already: take another folder, or say --force to write them anew "
            "(the authority and the passwords are kept)"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = _authority(plan) if plan.tls else None
    if authority is not None:
        authority.server(folder / "server.crt", folder / "server.key", [*plan.hosts, *_also(plan.hosts)])
    lines = "".join(password_line(name, _write_login(plan, name, authority)) for name in plan.names)
    _write(folder / "passwords", lines)
    _write(folder / "acl", acl_text(plan))
    _write(folder / "mosquitto.conf", config_text(plan), 0o644)


def folder_of(name: str) -> str:
    """The folder with what is to be carried to a device or user."""
    return f"for-{name}"


def address_for(plan: BrokerPlan, name: str, password: str = "", *, files: str = ON_BOARD) -> BrokerAddress:
    """How somebody reaches the broker.

    Args:
        files: the folder that holds `ca.crt` and so on there.
    """
    if not plan.tls:
        return BrokerAddress("mqtt", "127.0.0.1", plan.plain_port, username=name, password=password)
    by_certificate = (f"{files}/client.crt", f"{files}/client.key") if plan.client_certificates else ("", "")
    host = plan.hosts[0].rstrip(".")
    return BrokerAddress("mqtts", host, plan.port, "", name, password, f"{files}/ca.crt", *by_certificate)


def device_config(plan: BrokerPlan, name: str) -> str:
    """The lines of a board's config that concern the broker."""
    address = address_for(plan, name)
    lines = [f'device = "{name}"', "", "[broker]", f'url = "{address.scheme}://{_in_url(address)}:{address.port}"']
    lines.append(f'username = "{name}"')
    if plan.client_certificates:
        lines += [f'cert_file = "{address.cert_file}"', f'key_file = "{address.key_file}"']
    else:
        lines.append(f'password_file = "{ON_BOARD}/password"')
    if plan.tls:
        lines.append(f'ca_file = "{address.ca_file}"')
    if plan.root != BrokerPlan.root:
        lines.append(f'root = "{plan.root}"')
    return "\n".join([*lines, ""])


def _authority(plan: BrokerPlan) -> Authority:
    private = plan.folder / "authority"
    private.mkdir(mode=0o700, exist_ok=True)
    return Authority.open(plan.folder / "ca.crt", private / "ca.key", plan.days)


def _also(hosts: tuple[str, ...]) -> list[str]:
    """This machine's own names, so that its clients can use TLS, too."""
    return [host for host in ("localhost", "127.0.0.1") if host not in hosts]


def _write_login(plan: BrokerPlan, name: str, authority: Authority | None) -> str:
    """Write what is to be carried to one device or user; the password, which was there before or is new."""
    folder = plan.folder / folder_of(name)
    folder.mkdir(mode=0o700, exist_ok=True)
    secret = folder / "password"
    password = secret.read_text(encoding="ascii").strip() if secret.exists() else new_password()
    _write(secret, password + "\n")
    if authority is not None:
        _write(folder / "ca.crt", authority.certificate.read_text(encoding="ascii"), 0o644)
        if plan.client_certificates:
            authority.client(folder / "client.crt", folder / "client.key", name)
    if name in plan.devices:
        _write(folder / "edgert.toml", device_config(plan, name), 0o644)
    else:
        login = "" if plan.client_certificates else password
        _write(folder / "url", address_for(plan, name, login, files=str(folder)).url() + "\n")
    return password


def _write(file: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file whole; it never has a wider mode than this."""
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as stream:
        stream.write(text)
    new.replace(file)


def _in_url(address: BrokerAddress) -> str:
    return f"[{address.host}]" if ":" in address.host else address.host
