"""`edgert broker`: set a Mosquitto up for hub, panels and boards."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def broker() -> None:
    """Set up an MQTT broker for devices and users: `edgert broker init`."""


@broker.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--device", "devices", multiple=True, metavar="NAME", help="A board; may be repeated.")
@click.option(
    "--user",
    "users",
    multiple=True,
    metavar="NAME[=MODEL,...]",
    help="Somebody who asks, of all models or only of these; may be repeated.",
)
@click.option("--admin", "admins", multiple=True, metavar="NAME", help="A user who may load and unload models, too.")
@click.option("--home-assistant", metavar="NAME", help="Home Assistant's user, with its discovery topics.")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME/IP",
    help="How the broker is reached, for its certificate; may be repeated. Default: this machine's name.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=8883, show_default=True, help="For other machines, TLS.")
@click.option(
    "--plain-port", type=click.IntRange(1, 65535), default=1883, show_default=True, help="For this machine only."
)
@click.option("--tls/--no-tls", default=True, show_default=True, help="Whether other machines can connect at all.")
@click.option("--client-certificates", is_flag=True, help="Others log in by certificate, not by password.")
@click.option("--days", type=click.IntRange(1, 36500), default=3650, show_default=True, help="Certificates' lifetime.")
@click.option("--root", default="edgert/v1", show_default=True, help="First levels of all topics.")
@click.option("--force", is_flag=True, help="Write over what is there; the authority and all passwords are kept.")
def init(
    folder: Path,
    devices: tuple[str, ...],
    users: tuple[str, ...],
    admins: tuple[str, ...],
    home_assistant: str | None,
    hosts: tuple[str, ...],
    port: int,
    plain_port: int,
    tls: bool,
    client_certificates: bool,
    days: int,
    root: str,
    force: bool,
) -> None:
    """Write a Mosquitto configuration with access list, passwords and certificates into DIR, and say what to do next.

    \b
    edgert broker init broker --device kitchen --device hall --user panel=home-intents-minilm --host hub.local
    """
    import socket

    from edge_runtime.mqtt.broker_setup import BrokerPlan, User, next_steps, write_setup

    name = socket.gethostname()
    plan = BrokerPlan(
        folder.absolute(),
        devices,
        (
            *map(User.parse, users),
            *(User.parse(admin, "admin") for admin in admins),
            *([User.parse(home_assistant, "home-assistant")] if home_assistant else ()),
        ),
        hosts or (name, f"{name}.local"),
        port if tls else 0,
        plain_port,
        client_certificates,
        days,
        root,
    )
    write_setup(plan, force=force)
    click.echo(f"wrote {plan.folder}\n\n{next_steps(plan)}")
