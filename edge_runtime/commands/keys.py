"""`edgert keys`: who may sign bundles, and whom a board believes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_runtime.commands.options import FILE, FOLDER, as_json, passphrase_file, passphrase_in, trust_folder

if TYPE_CHECKING:
    from edge_runtime.bundle.container.keys import Role

_role = click.option(
    "--role",
    type=click.Choice(["release", "dev", "rotation"]),
    help="What the key may sign: bundles for everybody, bundles for boards of developers, or changes of release keys.",
)


@click.group()
def keys() -> None:
    """Make keys that sign bundles, and say which ones a board trusts (docs/updates.md)."""


@keys.command()
@click.argument("name")
@_role
@click.option("--folder", type=FOLDER, default=".", show_default=True, help="Where the two files are written.")
@click.option("--passphrase", is_flag=True, help="Ask for a passphrase and encrypt the private key with it.")
@passphrase_file
def new(name: str, role: Role | None, folder: Path, passphrase: bool, passphrase_file: Path | None) -> None:
    """Make a key pair: NAME.pem stays with whoever signs, NAME.pub.pem goes to the boards.

    \b
    edgert keys new acme-release --role release --passphrase
    """
    from edge_runtime.bundle.container.keys import SigningKey, write_key_pair

    said = passphrase_in(passphrase_file)
    if passphrase and said is None:
        said = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    key = SigningKey.new(role or "release")
    private, public = write_key_pair(folder, name, key, said)
    click.echo(f"{key.role} key {key.public.id}: {private} (keep it secret), {public}")


@keys.command()
@click.argument("file", type=FILE)
@trust_folder
@_role
@click.option("--name", metavar="NAME", help="What the key is called here. Default: as its file.")
def trust(file: Path, trust: Path, role: Role | None, name: str | None) -> None:
    """Believe a key from now on: FILE is its public half, or a statement of a rotation key.

    A public key is believed because whoever runs this says so; a statement (`edgert keys rotate`) because a rotation
    key that is trusted already has signed it.

    \b
    edgert keys trust acme-release.pub.pem --trust /etc/edgert/trust
    """
    from edge_runtime.bundle.container.keys import read_verifying_key
    from edge_runtime.bundle.trust import add_key, is_statement, trust_statement

    if is_statement(file):
        added, gone = trust_statement(file, trust)
        click.echo(f"trusted from now on: {', '.join(added) or 'nothing new'}; no more: {', '.join(gone) or 'none'}")
        return
    key = read_verifying_key(file, role)
    made = add_key(trust, name or file.name.removesuffix(".pem").removesuffix(".pub"), key)
    click.echo(f"{key.role} key {key.id} is trusted: {made}")


@keys.command("list")
@trust_folder
@as_json
def list_keys(trust: Path, as_json: bool) -> None:
    """Show the keys that are trusted."""
    from edge_runtime.bundle.trust import read_trust

    found = read_trust(trust, allow_dev=True).keys
    if as_json:
        plain = [{"name": name, "role": key.role, "hash": key.hash.hex()} for name, key in found.items()]
        click.echo(json.dumps({"keys": plain}))
        return
    for name, key in found.items():
        click.echo(f"{key.id}  {key.role:8}  {name}")


@keys.command()
@click.argument("public", type=FILE, nargs=-1)
@click.option("--key", "key_file", type=FILE, required=True, help="Private rotation key that signs the statement.")
@click.option("--counter", type=click.IntRange(1, (1 << 32) - 1), required=True, help="Higher than last time.")
@click.option("--drop", metavar="HASH", multiple=True, help="Whole hash of a release key to believe no more.")
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
@passphrase_file
def rotate(
    public: tuple[Path, ...],
    key_file: Path,
    counter: int,
    drop: tuple[str, ...],
    out: Path,
    passphrase_file: Path | None,
) -> None:
    """Write a statement that makes boards believe other release keys: PUBLIC, and no more those to --drop.

    \b
    edgert keys rotate release-2027.pub.pem --key rotation.pem --counter 2 -o keys-2.edgert
    """
    from edge_runtime.bundle.container.keys import read_signing_key, read_verifying_key
    from edge_runtime.bundle.trust import KeyChange, write_statement

    signer = read_signing_key(key_file, passphrase_in(passphrase_file))
    release = tuple(read_verifying_key(file, "release").pem().decode() for file in public)
    write_statement(out, KeyChange(release, drop), counter, signer)
    click.echo(f"wrote {out}: {len(release)} new release keys, {len(drop)} dropped, counter {counter}")
