"""`edgert bundle`: a bundle as one signed file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_runtime.commands.options import (
    FILE,
    FOLDER,
    allow_dev,
    as_json,
    passphrase_file,
    passphrase_in,
    policy_file,
    trust_folder,
)

if TYPE_CHECKING:
    from edge_runtime.bundle.container.bundle_file import SignedManifest
    from edge_runtime.bundle.container.keys import Role, SigningKey
    from edge_runtime.bundle.manifest import Manifest

_key = click.option("--key", "key_file", type=FILE, help="Private key (`edgert keys new`).")
_role = click.option(
    "--role", type=click.Choice(["release", "dev"]), help="Of a key that another tool has made, and that says none."
)
_EITHER = click.Path(exists=True, path_type=Path)
_OUT = click.Path(path_type=Path)


@click.group()
def bundle() -> None:
    """Make a bundle one signed file, NAME-VERSION.edgert, and look at such files (docs/updates.md)."""


@bundle.command()
@click.argument("folder", type=FOLDER)
@click.option("-o", "--out", type=_OUT, default=".", show_default=True, help="File to write, or folder to write it in.")
@_key
@_role
@passphrase_file
@click.option("--board", "boards", metavar="NAME", multiple=True, help="Only for boards of this name; may be repeated.")
@click.option("--processor", "processors", metavar="TARGET", multiple=True, help="Default: the manifest's targets.")
@click.option("--runtime", metavar="VERSION", default="", help="Only for this edgert and newer ones.")
@click.option("--memory-mb", type=click.IntRange(0), default=0, help="Only where models can take so much.")
@policy_file
def build(
    folder: Path,
    out: Path,
    key_file: Path | None,
    role: Role | None,
    passphrase_file: Path | None,
    boards: tuple[str, ...],
    processors: tuple[str, ...],
    runtime: str,
    memory_mb: int,
    policy: Path | None,
) -> None:
    """Make one file of the bundle FOLDER; the same folder and key give the same bytes. Without --key sign it later.

    \b
    edgert bundle build home-intents-minilm --key acme-release.pem
    """
    from edge_runtime.bundle.container.bundle_file import build as write
    from edge_runtime.bundle.container.bundle_file import file_name
    from edge_runtime.bundle.manifest import read_manifest
    from edge_runtime.bundle.target import Target

    manifest = read_manifest(folder)
    _judge(manifest, policy)
    target = Target(processors or manifest.targets, boards, runtime, memory_mb)
    file = out / file_name(manifest) if out.is_dir() else out
    key = _signing_key(key_file, passphrase_file, role)
    write(folder, file, key, target)
    signed = f"signed by {key.role} key {key.public.id}" if key else "not signed: `edgert bundle sign` does it"
    click.echo(f"wrote {file}: {file.stat().st_size / 1e6:.2f} MB, {signed}")


@bundle.command()
@click.argument("file", type=FILE)
@click.option("--key", "key_file", type=FILE, required=True, help="Private key (`edgert keys new`).")
@_role
@passphrase_file
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="Default: FILE itself.")
@policy_file
def sign(
    file: Path, key_file: Path, role: Role | None, passphrase_file: Path | None, out: Path | None, policy: Path | None
) -> None:
    """Sign FILE, which is not signed yet or is signed for development. Whoever signs vouches for what is in it.

    \b
    edgert bundle sign home-intents-minilm-1.1.0.edgert --key acme-release.pem
    """
    from edge_runtime.bundle.container import bundle_file

    with file.open("rb") as stream:
        _judge(bundle_file.open_bundle(stream, None).signed.manifest, policy)
    key = _signing_key(key_file, passphrase_file, role)
    assert key is not None
    bundle_file.sign(file, out or file, key)
    click.echo(f"signed {out or file} with {key.role} key {key.public.id}")


@bundle.command()
@click.argument("file", type=FILE)
@trust_folder
@allow_dev
@policy_file
@click.option("--here", is_flag=True, help="Say also whether this board is one that it is for.")
@as_json
def verify(file: Path, trust: Path, allow_dev: bool, policy: Path | None, here: bool, as_json: bool) -> None:
    """Say whether FILE is signed by somebody who is trusted, and whole.

    \b
    edgert bundle verify home-intents-minilm-1.1.0.edgert --trust /etc/edgert/trust
    """
    from edge_runtime.bundle.container.bundle_file import open_bundle
    from edge_runtime.bundle.trust import read_trust

    with file.open("rb") as stream:
        opened = open_bundle(stream, read_trust(trust, allow_dev=allow_dev))
        manifest, container = opened.signed.manifest, opened.container
        for _, content in opened.files():
            for _ in content:
                pass
    _judge(manifest, policy)
    if here:
        from edge_runtime.bundle.target import check_target
        from edge_runtime.updates.this_board import here as this_board

        check_target(container.label.target, this_board())
    if as_json:
        facts = {"name": manifest.name, "version": manifest.version, "counter": manifest.counter}
        click.echo(json.dumps({"ok": True, **facts, "role": container.role, "key": container.key_id}))
        return
    click.echo(f"{manifest.name} {manifest.version}: signed by {container.role} key {container.key_id}, whole")


@bundle.command()
@click.argument("file", type=FILE)
@click.option("--trust", type=FOLDER, help="Folder of trusted keys; without it, only what stands outside is shown.")
@allow_dev
@as_json
def show(file: Path, trust: Path | None, allow_dev: bool, as_json: bool) -> None:
    """Show what stands on FILE; and with --trust, if its signature is good, what is in it.

    \b
    edgert bundle show home-intents-minilm-1.1.0.edgert
    """
    from edge_runtime.bundle.container.sealed import inspect
    from edge_runtime.bundle.container.shown import container_text, plain

    with file.open("rb") as stream:
        container = inspect(stream, "bundle")
    signed = _trusted(file, trust, allow_dev) if trust else None
    if as_json:
        click.echo(json.dumps(plain(container, signed)))
    else:
        click.echo(container_text(container, signed), nl=False)


@bundle.command()
@click.argument("before", type=_EITHER)
@click.argument("after", type=_EITHER)
@click.option("--trust", type=FOLDER, help="Folder of trusted keys, for files.")
@allow_dev
@click.option("--unverified", is_flag=True, help="Compare files whoever has signed them.")
@as_json
def diff(before: Path, after: Path, trust: Path | None, allow_dev: bool, unverified: bool, as_json: bool) -> None:
    """Say how AFTER differs from BEFORE, folders or files, and how much an update would send. Status 1 if it does.

    \b
    edgert bundle diff home-intents-minilm home-intents-minilm-1.1.0.edgert --unverified
    """
    from edge_runtime.bundle.difference import compare, describe, plain

    old, new = (_manifest_of(path, trust, allow_dev, unverified) for path in (before, after))
    found = compare(old, new)
    click.echo(json.dumps(plain(found), ensure_ascii=False) if as_json else describe(found))
    if not found.same:
        sys.exit(1)


def _manifest_of(path: Path, trust: Path | None, allow_dev: bool, unverified: bool) -> Manifest:
    from edge_runtime.bundle.manifest import read_bundle
    from edge_runtime.errors import UsageError

    if path.is_dir():
        return read_bundle(path)
    if trust is None and not unverified:
        raise UsageError(f"{path} is a file: give --trust with the folder of trusted keys, or --unverified")
    return _trusted(path, None if unverified else trust, allow_dev).manifest


def _trusted(file: Path, trust: Path | None, allow_dev: bool) -> SignedManifest:
    from edge_runtime.bundle.container.bundle_file import open_bundle

    if trust is not None:
        from edge_runtime.bundle.trust import read_trust

        keys = read_trust(trust, allow_dev=allow_dev)
    with file.open("rb") as stream:
        return open_bundle(stream, keys if trust is not None else None).signed


def _signing_key(file: Path | None, passphrase: Path | None, role: Role | None) -> SigningKey | None:
    if file is None:
        return None
    from edge_runtime.bundle.container.keys import read_signing_key

    return read_signing_key(file, passphrase_in(passphrase), role)


def _judge(manifest: Manifest, policy: Path | None) -> None:
    from edge_runtime.bundle.policy import check_licence, read_policy

    if policy is not None:
        check_licence(manifest.source.license, read_policy(policy))
