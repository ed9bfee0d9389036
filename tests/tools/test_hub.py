"""Checkpoints from a hub: the real huggingface_hub against a small HTTP server that plays the hub."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edge_runtime.errors import SourceUnavailable, UnsupportedModel, UnsupportedTokenizer
from edgert_tools.hub import fetch_from_hub
from tests import tiny
from tests.tools.checkpoints import unheard

OLD, NEW = "a" * 40, "b" * 40
MODEL = "someone/tiny"
GOOD = {
    "config.json": b'{"model_type": "bert"}',
    "model.safetensors": b"weights",
    "tokenizer.json": json.dumps(tiny.tokenizer_json()).encode(),
    "README.md": b"---\nlicense: apache-2.0\n---\n",
    "1_Pooling/config.json": b"{}",
    "pytorch_model.bin": b"a pickle",
    "modeling_tiny.py": b"raise SystemExit",
}


class FakeHub:
    """Two commits of one model over HTTP; `asked` lists every path that was requested, `broken` fails."""

    def __init__(self, old: dict[str, bytes], new: dict[str, bytes]) -> None:
        self.commits = {OLD: old, NEW: new}
        self.asked: list[str] = []
        self.broken: str | None = None
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self, with_body=True)

            def do_HEAD(self) -> None:
                hub.answer(self, with_body=False)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    def answer(self, request: BaseHTTPRequestHandler, with_body: bool) -> None:
        path = request.path.partition("?")[0]
        self.asked.append(path)
        headers, body = self._find(path)
        found = 403 if self.broken and path.endswith(self.broken) else 200
        request.send_response(found if headers is not None else 404)
        for name, value in {**(headers or {"X-Error-Code": "RepoNotFound"}), "Content-Length": str(len(body))}.items():
            request.send_header(name, value)
        request.end_headers()
        if with_body:
            request.wfile.write(body)

    def _find(self, path: str) -> tuple[dict[str, str] | None, bytes]:
        if path.startswith(f"/api/models/{MODEL}"):
            revision = path.rpartition("/")[2] if "/revision/" in path else "main"
            commit = {"main": NEW, "v1": OLD}.get(revision, revision)
            files = self.commits.get(commit)
            if files is None:
                return None, b""
            info = {"id": MODEL, "sha": commit, "siblings": [{"rfilename": name} for name in files]}
            return {"Content-Type": "application/json"}, json.dumps(info).encode()
        for commit, files in self.commits.items():
            name = path.removeprefix(f"/{MODEL}/resolve/{commit}/")
            if name in files:
                tag = hashlib.sha256(files[name]).hexdigest()
                return {"ETag": f'"{tag}"', "X-Repo-Commit": commit}, files[name]
        return None, b""

    def files_taken(self) -> set[str]:
        return {path.partition("/resolve/")[2][41:] for path in self.asked if "/resolve/" in path}

    def stop(self) -> None:
        if self.thread.is_alive():
            self.server.shutdown()
            self.thread.join()
            self.server.server_close()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Iterator[FakeHub]:
    hub = FakeHub({**GOOD, "model.safetensors": b"old weights"}, GOOD)
    hub.thread.start()
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    yield hub
    hub.stop()


def test_a_tokenizer_that_cannot_be_read_is_refused_before_the_weights_are_fetched(hub: FakeHub) -> None:
    document = tiny.tokenizer_json()
    document["model"]["type"] = "Novel"
    hub.commits[NEW] = {**GOOD, "tokenizer.json": json.dumps(document).encode()}
    with pytest.raises(UnsupportedTokenizer, match="Novel"):
        fetch_from_hub(MODEL, None, unheard)
    assert "model.safetensors" not in hub.files_taken()


def test_the_newest_commit_is_resolved_said_and_recorded(hub: FakeHub, own_cache: Path) -> None:
    said: list[str] = []
    checkpoint = fetch_from_hub(MODEL, None, said.append)
    assert (checkpoint.model, checkpoint.origin, checkpoint.revision) == (MODEL, "hub", NEW)
    assert any(NEW in line and "--revision" in line for line in said)
    assert checkpoint.weights_sha256 == hashlib.sha256(b"weights").hexdigest()
    assert checkpoint.license == "Apache-2.0"
    assert checkpoint.folder.is_relative_to(own_cache)


def test_a_tag_is_resolved_to_its_commit(hub: FakeHub) -> None:
    checkpoint = fetch_from_hub(MODEL, "v1", unheard)
    assert checkpoint.revision == OLD
    assert checkpoint.weights_sha256 == hashlib.sha256(b"old weights").hexdigest()


def test_pickles_and_code_are_never_asked_for(hub: FakeHub) -> None:
    folder = fetch_from_hub(MODEL, None, unheard).folder
    assert hub.files_taken() == set(GOOD) - {"pytorch_model.bin", "modeling_tiny.py"}
    assert not (folder / "pytorch_model.bin").exists()


def test_a_pinned_commit_is_fetched_once_and_then_needs_no_network(hub: FakeHub) -> None:
    first = fetch_from_hub(MODEL, OLD, unheard)
    hub.stop()
    assert fetch_from_hub(MODEL, OLD, unheard) == first


def test_an_interrupted_download_is_not_taken_for_a_whole_one(hub: FakeHub) -> None:
    hub.broken = "tokenizer.json"
    with pytest.raises(SourceUnavailable, match=MODEL):
        fetch_from_hub(MODEL, OLD, unheard)
    hub.broken = None
    assert (fetch_from_hub(MODEL, OLD, unheard).folder / "tokenizer.json").is_file()


def test_a_model_with_pickles_only_is_refused_before_any_download(hub: FakeHub) -> None:
    hub.commits[NEW] = {"config.json": b"{}", "pytorch_model.bin": b"a pickle"}
    with pytest.raises(UnsupportedModel, match=r"pytorch_model\.bin is a pickle"):
        fetch_from_hub(MODEL, None, unheard)
    assert not hub.files_taken()


def test_a_model_in_another_format_is_refused(hub: FakeHub) -> None:
    hub.commits[NEW] = {"model.gguf": b"x"}
    with pytest.raises(UnsupportedModel, match=r"model\.gguf"):
        fetch_from_hub(MODEL, None, unheard)


@pytest.mark.parametrize(("model", "revision"), [("someone/nothing", None), (MODEL, "no-such-tag"), (MODEL, "c" * 40)])
def test_what_the_hub_does_not_have_is_unavailable(hub: FakeHub, model: str, revision: str | None) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        fetch_from_hub(model, revision, unheard)
    assert model in str(caught.value)


@pytest.mark.parametrize("revision", [None, OLD])
def test_no_network_is_said_with_a_way_out(hub: FakeHub, revision: str | None) -> None:
    hub.stop()
    with pytest.raises(SourceUnavailable) as caught:
        fetch_from_hub(MODEL, revision, unheard)
    assert MODEL in str(caught.value)
    assert "give its path" in str(caught.value)
