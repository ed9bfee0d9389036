"""Checkpoints from a model hub: at a known commit, weights as safetensors only."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_runtime.errors import EdgertError, SourceUnavailable, UnsupportedModel
from edgert_tools.cache import cache_folder
from edgert_tools.checkpoint import WEIGHTS, Checkpoint, check_settings, open_checkpoint, pickle_refusal
from edgert_tools.progress import Say
from edgert_tools.tokenizer_sources import PATTERNS

SETTINGS = ("*.json", "*.txt", *PATTERNS, "README.md")  # the card says the licence
ALLOWED = ("*.safetensors", *SETTINGS)  # never pickles, never code
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PICKLE = re.compile(r"\.(bin|pt|pth|ckpt|pkl)$")
_TIMEOUT_S = 20.0


def fetch_from_hub(model: str, revision: str | None, say: Say) -> Checkpoint:
    """Download a checkpoint at one commit; a commit that is in the cache already needs no network.

    Args:
        model: hub id, `organisation/name`.
        revision: commit, branch or tag; None takes the newest commit, and says which.
        say: gets one line for a person.

    Raises:
        SourceUnavailable: no network, or no such model or revision.
        UnsupportedModel: the revision has no safetensors weights.
    """
    pinned = revision if revision and _COMMIT.fullmatch(revision) else None
    kept = _kept(model, pinned) if pinned else None
    if kept is not None:
        return open_checkpoint(kept, model=model, origin="hub", revision=str(pinned))
    info = _info(model, revision)
    _check_files(model, [file.rfilename for file in info.siblings or ()])
    if pinned is None:
        say(f"{model}: {revision or 'the newest revision'} is commit {info.sha}; pin it with --revision {info.sha}")
    check_settings(_snapshot(model, info.sha, SETTINGS))  # kilobytes, before the weights
    folder = _snapshot(model, info.sha, ALLOWED)
    _keep_mark(model, info.sha, folder)
    return open_checkpoint(folder, model=model, origin="hub", revision=info.sha)


def _kept(model: str, commit: str) -> Path | None:
    """The snapshot of an earlier run, if that run finished."""
    mark = _mark(model, commit)
    folder = Path(mark.read_text(encoding="utf-8")) if mark.is_file() else None
    return folder if folder is not None and folder.is_dir() else None


def _mark(model: str, commit: str) -> Path:
    """A file that says where a whole snapshot is; the hub's own cache does not tell whole from interrupted."""
    return _hub_cache() / "whole" / f"{model.replace('/', '--')}-{commit}"


def _info(model: str, revision: str | None) -> Any:
    from huggingface_hub import HfApi

    try:
        return HfApi(endpoint=_endpoint()).model_info(model, revision=revision, timeout=_TIMEOUT_S)
    except (OSError, ValueError) as error:  # all of the hub's errors are one of the two
        raise _unavailable(model, revision, error) from error


def _keep_mark(model: str, commit: str, folder: Path) -> None:
    mark = _mark(model, commit)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(str(folder), encoding="utf-8")


def _snapshot(model: str, commit: str, patterns: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        folder: str = snapshot_download(
            model,
            revision=commit,
            allow_patterns=list(patterns),
            cache_dir=_hub_cache(),
            endpoint=_endpoint(),
            etag_timeout=_TIMEOUT_S,
        )
    except (OSError, ValueError) as error:
        raise _unavailable(model, commit, error) from error
    return Path(folder)


def _check_files(model: str, files: list[str]) -> None:
    if WEIGHTS in files:
        return
    pickled = next((name for name in files if _PICKLE.search(name) and "/" not in name), None)
    if pickled:
        raise UnsupportedModel(f"{model}: {pickle_refusal(pickled)}")
    raise UnsupportedModel(f"{model} has no {WEIGHTS} at this revision: its files are {', '.join(files[:8])}")


def _endpoint() -> str | None:
    """A mirror, if the user's environment names one."""
    return os.environ.get("HF_ENDPOINT") or None


def _hub_cache() -> Path:
    return cache_folder() / "hub"


def _unavailable(model: str, revision: str | None, error: Exception) -> EdgertError:
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    if isinstance(error, OSError) and ("Max retries" in reason or "Connection" in type(error).__name__):
        reason = "no connection to it"  # the library's own words are a nest of three exceptions
    at = f" at revision {revision}" if revision else ""
    return SourceUnavailable(
        f"cannot get {model}{at} from the model hub: {reason}. Check the name and the network (HF_ENDPOINT names a "
        "mirror, `hf auth login` gives access to closed models), or download the folder elsewhere and give its path"
    )
