"""`sbom.json`: what a bundle is made of and with, as a CycloneDX software bill of materials.

The same lock gives the same bytes: no time of day is in it, and its serial number is made of what it lists.
Source: CycloneDX 1.6, machine-learning model components (ECMA-424).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, metadata
from typing import TYPE_CHECKING

from edge_runtime.bundle.manifest import Manifest

if TYPE_CHECKING:
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import License

_NO_PACKAGE = ("python", "edgert")  # not from the package index


def bill_of_materials(manifest: Manifest) -> str:
    """The bill of a bundle whose manifest is complete but for this file, as JSON text."""
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    tools = sorted(_tools(manifest.lock))
    named = "\n".join([manifest.name, manifest.version, manifest.source.sha256, *(f"{n}=={v}" for n, v in tools)])
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, named),
        metadata=BomMetaData(
            component=Component(
                name=manifest.name,
                version=manifest.version,
                type=ComponentType.MACHINE_LEARNING_MODEL,
                bom_ref="bundle",
            )
        ),
    )
    bom.metadata.timestamp = None  # type: ignore[assignment]  # its constructor puts the time of day there
    upstream = _upstream(manifest)
    packages = [_package(name, version) for name, version in tools]
    bom.components.update([upstream, *packages])
    assert bom.metadata.component is not None
    bom.register_dependency(bom.metadata.component, [upstream, *packages])
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _upstream(manifest: Manifest) -> Component:
    """The model whose weights these are."""
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    source = manifest.source
    return Component(
        name=source.model,
        version=source.revision or None,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="upstream",
        description=f"weights, by {source.origin}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=source.sha256)],
        licenses=[_licence(source.license)],
    )


def _package(name: str, version: str) -> Component:
    from cyclonedx.model.component import Component, ComponentScope, ComponentType
    from packageurl import PackageURL

    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY if name != "python" else ComponentType.PLATFORM,
        bom_ref=f"tool-{name}",
        scope=ComponentScope.EXCLUDED,  # a tool: nothing of it is in the bundle
        purl=None if name in _NO_PACKAGE else PackageURL("pypi", None, name.lower(), version),
        licenses=[_licence(found)] if (found := _licence_of(name)) else [],
    )


def _licence(text: str) -> License:
    from cyclonedx.contrib.license.factories import LicenseFactory

    return LicenseFactory().make_from_string(text)


def _licence_of(package: str) -> str | None:
    """What an installed package says its licence is, if that is an expression and no whole text."""
    try:
        told = metadata(package)
    except PackageNotFoundError:
        return None
    stated = next((told[key] for key in ("License-Expression", "License") if key in told), None)
    return stated if stated and len(stated) < 80 and "\n" not in stated else None


def _tools(lock: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in lock.items():
        if not name.endswith("_sha256") and value != "not installed":
            yield name, value
