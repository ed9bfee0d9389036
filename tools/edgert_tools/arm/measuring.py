"""Every form of a model on every target: counted once, kept in the cache, as many at a time as there are cores."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from edge_runtime.bundle.manifest import sha256_of
from edge_runtime.strict import StrictError, decode
from edgert_tools.arm.boards import EmulatedBoard, emulated_board
from edgert_tools.arm.figures import OnBoard, millions, times
from edgert_tools.arm.instructions import Outputs, Row, count, here, likeness
from edgert_tools.arm.programs import qemu_version
from edgert_tools.arm.root import ArmRoot, arm_root
from edgert_tools.cache import cache_folder, keep, work_folder
from edgert_tools.machine import machine
from edgert_tools.progress import Say

FLOAT = "float32"


@dataclass(frozen=True)
class Requests:
    """Model inputs of a few requests, and the number of tokens in the first, which is the one that is counted."""

    rows: tuple[Row, ...]
    tokens: int


@dataclass(frozen=True)
class Found:
    """What one count gave: kept in the cache."""

    instructions: int
    cosine: float
    exact: bool


def typical_requests(rows: Sequence[Row]) -> Requests:
    """Of encoded texts one of the median length, which is counted, then a short and a long one to compare answers on.

    Args:
        rows: model inputs of a text each, (1, tokens); at least one.
    """
    ordered = sorted(rows, key=lambda row: row["input_ids"].size)
    chosen = tuple(ordered[len(ordered) * percent // 100] for percent in (50, 10, 75))
    return Requests(chosen, int(chosen[0]["input_ids"].size))


def emulator_of(board: EmulatedBoard) -> str:
    """What plays the board, as QEMU 7.2.22, cortex-a72."""
    return f"QEMU {'.'.join(map(str, qemu_version()))}, {board.core}"


def lock_of(targets: Sequence[str]) -> dict[str, str]:
    """What a bundle's lock says of the targets that its forms were chosen for; nothing without any."""
    if not targets:
        return {}
    return {"targets": ",".join(targets), "qemu": ".".join(map(str, qemu_version()))}


def on_boards(
    original: Path, graphs: Mapping[str, Path], requests: Requests, targets: Sequence[str], note: Say
) -> dict[str, tuple[OnBoard, ...]]:
    """Count each graph on each target.

    Args:
        original: the float graph.
        graphs: ONNX files by scheme.
        requests: what they are run on.
        targets: names of boards.
        note: gets a line for each count.

    Returns:
        By scheme, the figures in the order of the targets.

    Raises:
        ArmUnavailable: boards cannot be emulated here, or one stopped.
    """
    root, boards = arm_root(note), [emulated_board(name) for name in targets]
    everything = {FLOAT: original, **graphs}
    found = _count_all(root, everything, requests, boards, note)
    return {
        scheme: tuple(
            OnBoard(
                board.name,
                found[scheme, board.name].instructions,
                found[FLOAT, board.name].instructions,
                requests.tokens,
                found[scheme, board.name].cosine,
                found[scheme, board.name].exact,
                emulator_of(board),
            )
            for board in boards
        )
        for scheme in graphs
    }


def _count_all(
    root: ArmRoot, graphs: Mapping[str, Path], requests: Requests, boards: Sequence[EmulatedBoard], note: Say
) -> dict[tuple[str, str], Found]:
    ours = {scheme: here(graph, requests.rows) for scheme, graph in graphs.items()}
    pool = ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0)))
    waiting: dict[tuple[str, str], Future[Found]] = {}
    found: dict[tuple[str, str], Found] = {}
    try:
        for scheme, graph in graphs.items():
            for board in boards:
                waiting[scheme, board.name] = pool.submit(_count, root, graph, requests, board, ours[scheme])
        for (scheme, name), future in waiting.items():
            one = found[scheme, name] = future.result()
            ratio = times(one.instructions / found[FLOAT, name].instructions)
            note(f"{name}: {scheme} {millions(one.instructions)} instructions ({ratio})")
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def _count(root: ArmRoot, graph: Path, requests: Requests, board: EmulatedBoard, ours: Outputs) -> Found:
    """Out of the cache, or counted."""
    place = cache_folder() / "arm" / "counts" / f"{_key(root, graph, requests, board)}.json"
    try:
        return decode(Found, json.loads(place.read_bytes()))
    except (OSError, ValueError, StrictError):
        place.unlink(missing_ok=True)  # damaged
    counted = count(root, graph, requests.rows, board)
    alike = likeness(ours, counted.outputs)
    made = Found(counted.instructions, alike.cosine, alike.exact)
    with work_folder() as work:
        (work / place.name).write_text(json.dumps(dataclasses.asdict(made)), encoding="ascii")
        keep(work / place.name, place)
    return made


def _key(root: ArmRoot, graph: Path, requests: Requests, board: EmulatedBoard) -> str:
    """Hash of everything that a count and its likeness depend on."""
    digest = hashlib.sha256(sha256_of(graph).encode())
    for row in requests.rows:
        for name, values in sorted(row.items()):
            digest.update(f"{name} {values.dtype} {values.shape}".encode() + values.tobytes())
    facts = [root.base.name, root.site.parent.name, root.plugin.parent.name, emulator_of(board), machine()["cpu"]]
    facts += [dataclasses.astuple(board), files("edgert_tools.arm").joinpath("guest.py").read_text(encoding="utf-8")]
    digest.update(json.dumps(facts, default=str).encode())
    return digest.hexdigest()[:32]
