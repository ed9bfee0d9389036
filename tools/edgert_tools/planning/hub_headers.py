"""Headers and configs of a model on the hub: JSON files, and the first bytes of the weights by HTTP ranges."""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import SourceUnavailable, UnsupportedModel
from edgert_tools.cache import cache_folder
from edgert_tools.checkpoint import WEIGHTS, pickle_refusal
from edgert_tools.hub import SETTINGS
from edgert_tools.planning.refusal import BadSource
from edgert_tools.planning.safetensors_header import INDEX, tensors_of
from edgert_tools.planning.tensors import Tensor

_TIMEOUT_S = 20.0
_MAX_SETTINGS_BYTES = 64 << 20  # of one file: a tokenizer.json of 35 MB is the largest in use
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True)
class HubHeaders:
    """Folder with the JSON and text files, the tensors, the commit that they are of, whether in several files."""

    folder: Path
    tensors: tuple[Tensor, ...]
    commit: str
    split: bool


def read_hub(model: str, revision: str | None) -> HubHeaders:
    """Fetch what a plan needs of a model on the hub.

    The weights are asked for with an HTTP range: of each file its header, or its first 100 kB where that is shorter.

    Raises:
        SourceUnavailable: no network, or no such model or revision.
        UnsupportedModel: the revision has no safetensors weights.
        BadSource: a header that does not describe its file.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
    try:
        info = api.model_info(model, revision=revision, timeout=_TIMEOUT_S, files_metadata=True)
        sizes = {file.rfilename: file.size for file in info.siblings or ()}
        _check_files(model, sizes)
        folder = Path(api.snapshot_download(
            model,
            revision=info.sha,
            allow_patterns=list(SETTINGS),
            ignore_patterns=[name for name, size in sizes.items() if (size or 0) > _MAX_SETTINGS_BYTES],
            cache_dir=cache_folder() / "hub",
            etag_timeout=_TIMEOUT_S,
        ))  # fmt: skip
        metadata = _metadata(api, model, str(info.sha))
    except (OSError, ValueError) as error:  # all of the hub's errors are one of the two
        raise _unavailable(model, revision, error) from error
    tensors: list[Tensor] = []
    for name, header in sorted(metadata.files_metadata.items()):
        tensors += tensors_of(_plain(header), name, _data_bytes(header, sizes.get(name)))
    return HubHeaders(folder, tuple(tensors), str(info.sha), bool(metadata.sharded))


def _metadata(api: Any, model: str, commit: str) -> Any:
    """The library's parse of every header; it takes much on trust, so many errors may come of one that is damaged."""
    from huggingface_hub.errors import NotASafetensorsRepoError, SafetensorsParsingError

    damaged = (NotASafetensorsRepoError, SafetensorsParsingError)
    try:
        return api.get_safetensors_metadata(model, revision=commit)
    except (*damaged, struct.error, KeyError, TypeError, AttributeError, IndexError) as error:
        raise BadSource(f"{model}: its weights have no safetensors header: {str(error)[:200]}") from error


def _plain(header: Any) -> dict[str, Any]:
    return {
        name: {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": list(tensor.data_offsets)}
        for name, tensor in header.tensors.items()
    }


def _data_bytes(header: Any, size: int | None) -> int | None:
    """Bytes after the header, if the hub told the file's size.

    The header's own length is not handed out; what its tensors claim must at least be within the file.
    """
    ends = [tensor.data_offsets[-1] for tensor in header.tensors.values() if len(tensor.data_offsets) == 2]
    claimed = max((end for end in ends if isinstance(end, int)), default=0)
    return None if size is None or claimed <= size - 8 else size - 8


def _check_files(model: str, sizes: dict[str, int | None]) -> None:
    if WEIGHTS in sizes or INDEX in sizes:
        return
    pickled = next((name for name in sizes if name.endswith(_PICKLES) and "/" not in name), None)
    if pickled:
        raise UnsupportedModel(f"{model}: {pickle_refusal(pickled)}")
    raise UnsupportedModel(
        f"{model} has no {WEIGHTS} at this revision: its files are {', '.join(list(sizes)[:8])}; "
        "a GGUF or ONNX file can be planned for when it is here: download it and give its path"
    )


def _unavailable(model: str, revision: str | None, error: Exception) -> SourceUnavailable:
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    if isinstance(error, OSError) and ("Max retries" in reason or "Connection" in type(error).__name__):
        reason = "no connection to it"
    at = f" at revision {revision}" if revision else ""
    return SourceUnavailable(
        f"cannot get {model}{at} from the model hub: {reason}. Check the name and the network (HF_ENDPOINT names a "
        "mirror, `hf auth login` gives access to closed models), or give the path of a folder"
    )
