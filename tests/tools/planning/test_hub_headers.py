"""Plans for hub ids: the real huggingface_hub against a server that answers ranges and counts what it gave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from edgert_tools.planning.folder_model import Asked
from edgert_tools.planning.refusal import BadSource
from edgert_tools.planning.source import read_model
from tests import tiny
from tests.tools.planning.headers import safetensors_header
from tests.tools.planning.test_folder_model import CONFIG, TENSORS
from tests.tools.test_hub import MODEL, NEW, OLD, FakeHub

WEIGHTS = "model.safetensors"
LARGE = 4 << 20  # bytes of a tensor that nobody needs
HEADER = safetensors_header({**TENSORS, "big.weight": ("F32", (1024, 1024), LARGE)})
WHOLE = HEADER + bytes(sum(entry[2] for entry in TENSORS.values()) + LARGE)
GOOD = {
    "config.json": json.dumps(CONFIG).encode(),
    "tokenizer.json": json.dumps(tiny.tokenizer_json()).encode(),
    "README.md": b"---\nlicense: apache-2.0\n---\n",
    WEIGHTS: WHOLE,
}


class RangedHub(FakeHub):
    """A hub that answers ranges as the real one does; `given` adds up the bytes of weights that were sent."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__({}, files)
        self.given = 0

    def _find(self, path: str) -> tuple[dict[str, str] | None, bytes]:
        headers, body = super()._find(path)
        if headers is not None and path.startswith(f"/api/models/{MODEL}"):
            info = json.loads(body)
            files = self.commits[info["sha"]]
            info["siblings"] = [{"rfilename": name, "size": len(content)} for name, content in files.items()]
            body = json.dumps(info).encode()
        return headers, body

    def answer(self, request: BaseHTTPRequestHandler, with_body: bool) -> None:
        path = request.path.partition("?")[0]
        wanted = request.headers.get("Range")
        if not path.endswith(".safetensors") or wanted is None:
            if path.endswith(".safetensors") and with_body:
                self.given += len(self._find(path)[1])
            super().answer(request, with_body)
            return
        self.asked.append(path)
        _, body = self._find(path)
        first, last = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
        part = body[first : last + 1]
        self.given += len(part)
        request.send_response(206)
        request.send_header("Content-Length", str(len(part)))
        request.end_headers()
        request.wfile.write(part)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Iterator[RangedHub]:
    hub = RangedHub(dict(GOOD))
    hub.thread.start()
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    yield hub
    hub.stop()


def test_a_model_on_the_hub_is_planned_for_by_its_header_alone(hub: RangedHub) -> None:
    model = read_model(MODEL)
    assert (model.task, model.license, model.revision) == ("embed", "Apache-2.0", NEW)
    assert model.blockers == ()
    assert model.stored_bytes == len(WHOLE) - len(HEADER)
    assert 0 < hub.given <= 100_001  # of 4 MB: the library asks for the first 100 kB


def test_weights_in_several_files_are_planned_for_by_their_headers(hub: RangedHub) -> None:
    files = {name: value for name, value in GOOD.items() if name != WEIGHTS}
    weight_map = {}
    for number, (name, entry) in enumerate(TENSORS.items()):
        files[f"part-{number}.safetensors"] = safetensors_header({name: entry}) + bytes(entry[2])
        weight_map[name] = f"part-{number}.safetensors"
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    hub.commits[NEW] = {**files, "model.safetensors.index.json": json.dumps(index).encode()}
    model = read_model(MODEL)
    assert model.stored_bytes == sum(entry[2] for entry in TENSORS.values())
    assert any("several files" in blocker for blocker in model.blockers)


def test_a_commit_is_asked_for_by_its_name(hub: RangedHub) -> None:
    hub.commits[OLD] = dict(GOOD)
    assert read_model(MODEL, Asked(revision="v1")).revision == OLD


@pytest.mark.parametrize(
    "weights",
    [
        b"",
        b"short",
        b"\xff" * 64,
        b"\x02" + bytes(7) + b"[]",
        b"\x02" + bytes(7) + b"{}",
        WHOLE[8:],
        b"\x05" + bytes(99),
    ],
    ids=["empty", "short", "long header", "list", "no tensors", "no length", "zeros"],
)
def test_a_header_that_is_none_is_refused(hub: RangedHub, weights: bytes) -> None:
    hub.commits[NEW] = {**GOOD, WEIGHTS: weights}
    with pytest.raises(BadSource):
        read_model(MODEL)


def test_a_header_that_claims_more_than_the_file_has_is_refused(hub: RangedHub) -> None:
    hub.commits[NEW] = {**GOOD, WEIGHTS: WHOLE[: len(HEADER) + 100]}
    with pytest.raises(BadSource, match="cut short"):
        read_model(MODEL)


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"config.json": b"{}", "pytorch_model.bin": b"p"}, "is a pickle"),
        ({"model.gguf": b"GGUF"}, "download it and give its path"),
        ({WEIGHTS: WHOLE}, "no config.json"),
    ],
)
def test_what_cannot_be_planned_for_is_refused(hub: RangedHub, files: dict[str, bytes], complaint: str) -> None:
    hub.commits[NEW] = files
    with pytest.raises(BadSource, match=complaint):
        read_model(MODEL)


def test_no_network_is_said_with_a_way_out(hub: RangedHub) -> None:
    hub.stop()
    with pytest.raises(BadSource, match="give the path of a folder"):
        read_model(MODEL)


def test_a_recipe_whose_checkpoint_is_not_here_is_looked_up_on_the_hub(hub: RangedHub) -> None:
    with pytest.raises(BadSource, match="edgert convert all-minilm-l6-v2"):
        read_model("all-minilm-l6-v2")  # this hub has only the tiny model
    assert any("all-MiniLM-L6-v2" in path for path in hub.asked)
