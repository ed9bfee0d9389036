"""The servers that edgert is compared with: how each is installed, started and asked, all on 127.0.0.1.

Each gets the bundle's own ONNX file and tokenizer, one process with the model, and batching where it has any.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import benchmarks
from benchmarks.service_parts.http_load import HttpConnections
from benchmarks.service_parts.infinity_folder import MODEL_NAME, infinity_folder
from benchmarks.service_parts.peer_settings import BUNDLE, THREADS
from benchmarks.service_parts.peer_venv import NoPeer, one_line, peer_python
from benchmarks.serving import free_port

START_S, STOP_S = 120.0, 15.0
APPS = "benchmarks.service_parts"
# No peer looks for models on a hub, reports home, or tokenizes with more threads than it was given.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "BENTOML_DO_NOT_TRACK": "True",
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(frozen=True)
class Peer:
    """A server.

    Attributes:
        name: as the table has it.
        requirements: pinned; the first is the server itself.
        arguments: of the environment's Python, from the port, the bundle and an empty folder to work in.
        path: where it answers.
        body: a request's JSON for one text.
        answer: the answer's object (`embedding`, or `label` and `score`) out of the response's JSON.
    """

    name: str
    requirements: tuple[str, ...]
    arguments: Callable[[int, Path, Path], list[str]]
    path: str = "/infer"
    body: Callable[[str], bytes] = lambda text: json.dumps({"text": text}).encode()
    answer: Callable[[bytes], dict[str, object]] = json.loads
    torch: bool = False

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.requirements[0].partition('==')[2]}"


def _app(module: str) -> Callable[[int, Path, Path], list[str]]:
    return lambda port, _bundle, _work: ["-m", f"{APPS}.{module}", str(port)]


# The onnxruntime that this Python has, so that all differences are the servers'.
MODEL = (f"onnxruntime=={version('onnxruntime')}", "tokenizers==0.23.3")
FASTAPI = Peer("FastAPI", ("fastapi==0.165.0", "uvicorn[standard]==0.54.0", *MODEL), _app("http_app"))


def peers() -> tuple[Peer, ...]:
    """FastAPI, then the others."""
    return (
        FASTAPI,
        Peer(
            "infinity-emb",
            ("infinity-emb[server,optimum]==0.0.78", "optimum-onnx==0.1.0", "transformers==4.57.6", MODEL[0]),
            _infinity,
            path="/embeddings",
            body=lambda text: json.dumps({"model": MODEL_NAME, "input": text}).encode(),
            answer=lambda body: dict(json.loads(body)["data"][0]),
            torch=True,
        ),
        Peer(
            "BentoML",
            ("bentoml==1.4.40", *MODEL),
            _bento,
            body=lambda text: json.dumps({"text": [text]}).encode(),
            answer=lambda body: dict(json.loads(body)[0]),
        ),
        Peer("LitServe", ("litserve==0.2.19", *MODEL), _app("litserve_app")),
        Peer("mosec", ("mosec==0.9.8", *MODEL), _mosec),
    )


def _mosec(port: int, _bundle: Path, work: Path) -> list[str]:
    where = ["--address", "127.0.0.1", "--port", str(port), "--path", str(work / "socket")]
    return ["-m", f"{APPS}.mosec_app", *where, "--timeout", "60000", "--log-level", "warning"]


def _bento(port: int, _bundle: Path, _work: Path) -> list[str]:
    return ["-m", "bentoml", "serve", f"{APPS}.bento_app:Model", "--host", "127.0.0.1", "--port", str(port), "-q"]


def _infinity(port: int, bundle: Path, work: Path) -> list[str]:
    infinity_folder(bundle, work)
    # Seen from the folder: infinity-emb 0.0.78 does not find the ONNX file by an absolute path.
    model = ["--model-id", ".", "--served-model-name", MODEL_NAME, "--pooling-method", "mean"]
    model += ["--onnx-disable-optimize"]  # the file is optimized
    # Its cache on disk would answer a text of an earlier round without the model.
    engine = ["--engine", "optimum", "--device", "cpu", "--no-model-warmup", "--no-vector-disk-cache"]
    where = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    return ["-m", f"{APPS}.infinity_app", "v2", *model, *engine, *where]


@contextlib.contextmanager
def served_by(peer: Peer, bundle: Path, *, threads: int = 0, torch_index: str = "") -> Iterator[int]:
    """Run a peer and give its port once it answers.

    Args:
        peer: which.
        bundle: the folder with the model.
        threads: that the model may use; 0 leaves it as the peer and onnxruntime have it.
        torch_index: package index with the CPU build of PyTorch.

    Raises:
        NoPeer: it cannot be installed here, or does not start.
    """
    python = peer_python(peer.name, peer.requirements, torch=peer.torch, torch_index=torch_index)
    port, root = free_port(), Path(benchmarks.__file__).parent.parent
    with tempfile.TemporaryDirectory(prefix="edgert-peer-") as name:
        work = Path(name)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        environment |= QUIET | {BUNDLE: str(bundle.resolve()), THREADS: str(threads)}
        environment |= {"PYTHONPATH": str(root), "BENTOML_HOME": str(work / "bentoml"), "HF_HOME": str(work)}
        command = [str(python), *peer.arguments(port, bundle.resolve(), work)]
        with (work / "log").open("wb") as log:
            # A session of its own, so that its workers can be ended with it.
            process = subprocess.Popen(
                command, env=environment, cwd=work, stdout=log, stderr=log, start_new_session=True
            )
        try:
            _wait_until_it_answers(peer, port, process, work / "log")
            yield port
        finally:
            _end(process)


def _wait_until_it_answers(peer: Peer, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    said = ""
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with HttpConnections(port, peer.path, peer.body, 1) as connection:
                connection.run(["hello"])
                return
        except OSError as error:
            said = str(error)
        time.sleep(0.1)
    last = (log.read_text(errors="replace").strip().splitlines() or [said])[-1]
    raise NoPeer(one_line(f"it does not start: {last}"))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    with contextlib.suppress(ProcessLookupError):  # workers that outlive their parent, or all of them
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
