"""An exporter as a child process: one JSON request in, JSON lines out (progress, then a result or an error).

Request: `{"module": FILE, "function": NAME, "arguments": {...}}`. Lines: `{"progress": TEXT}`, `{"result": {...}}`,
`{"error": {"what": ..., "why": ..., "remedy": ...}}`. The child's own chatter goes to its standard error, which is
shown only if it dies without a word. It ends with its parent: by a signal, and when its standard input is closed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edge_runtime.errors import UnsupportedModel
from edgert_tools.progress import Say

CHILD = Path(__file__).parent / "child"
_SERVE = CHILD / "serve.py"
_MOST_LINE = 16 << 20  # characters; results are names and numbers, weights go by files
_GRACE_S = 5.0
# Nothing is looked up on a network, no user's site, no other order of sets from run to run.
_SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONHASHSEED": "0",
    "CUDA_VISIBLE_DEVICES": "",
}


@dataclass(frozen=True)
class Call:
    """A function of a file in `child/`, with arguments that JSON can carry."""

    module: str
    function: str
    arguments: Mapping[str, object]

    def request(self) -> str:
        """The line that the child reads."""
        file = Path(self.module) if self.module.endswith(".py") else CHILD / f"{self.module}.py"
        return json.dumps({"module": str(file), "function": self.function, "arguments": dict(self.arguments)}) + "\n"


def run(python: Path, call: Call, say: Say) -> Mapping[str, Any]:
    """Run the call with a Python of its own and wait for its result.

    Raises:
        UnsupportedModel: the exporter's own refusal, or how the child died; with what, why and a remedy.
    """
    with tempfile.TemporaryFile() as chatter:
        process = subprocess.Popen(
            [str(python), "-I", str(_SERVE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=chatter,
            env={**_inherited(), **_SETTINGS},
            start_new_session=True,  # Ctrl-C comes to us first; we end it
        )
        try:
            result = _talk(process, call, say)
            if result is not None:
                return result
            process.wait(_GRACE_S)
            raise _died(call, process.returncode, chatter)
        finally:
            _end(process)


def _inherited() -> dict[str, str]:
    """Our environment without what points Python at our packages."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def _talk(process: subprocess.Popen[bytes], call: Call, say: Say) -> Mapping[str, Any] | None:
    """Ask, pass progress on, and give the result; None: the child went without one."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(call.request().encode())
        process.stdin.flush()  # it stays open: that it closes tells the child that we are gone
    except BrokenPipeError:
        return None
    while line := process.stdout.readline(_MOST_LINE):
        try:
            message = json.loads(line)
        except ValueError:
            return None
        if "progress" in message:
            say(str(message["progress"]))
        elif "error" in message:
            raise _refused(message["error"])
        elif "result" in message:
            found: Mapping[str, Any] = message["result"]
            return found
    return None


def _refused(error: Mapping[str, str]) -> UnsupportedModel:
    remedy = f": {error['remedy']}" if error.get("remedy") else ""
    return UnsupportedModel(f"{error.get('what')}: {error.get('why')}{remedy}")


def _died(call: Call, code: int | None, chatter: IO[bytes]) -> UnsupportedModel:
    chatter.seek(0)
    lines = chatter.read()[-20_000:].decode("utf-8", "replace").strip().splitlines()
    if code == -signal.SIGKILL:
        why = "it was killed, most likely for want of memory: close other programs or take a smaller model"
    else:
        why = f"it ended with status {code}: {lines[-1][:300] if lines else 'without a word'}"
    return UnsupportedModel(f"the exporter ({call.module}, {call.function}) gave no result: {why}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that nothing of it runs on."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    if process.poll() is None:
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(_GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # the session's other processes, if there are any
    process.wait()
