"""Runs one function of a file for the process that started this: see `../process.py` for what goes over the pipes."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any


def main() -> None:
    """Read the request, run the function, write its result or what went wrong."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer of ours
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def tell(message: dict[str, object]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        function = _load(request["module"], request["function"])
        tell({"result": function(say=lambda line: tell({"progress": line}), **request["arguments"])})
    except Exception as error:  # noqa: BLE001  # an exporter raises anything; the parent tells it a person
        why = getattr(error, "why", "") or " ".join(str(error).split())[:500] or type(error).__name__
        what = getattr(error, "what", "") or f"the exporter stopped ({type(error).__name__})"
        tell({"error": {"what": what, "why": why, "remedy": getattr(error, "remedy", "")}})
        sys.stderr.write(f"{type(error).__name__}: {error}\n")


def _load(file: str, name: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location("exporter", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["exporter"] = module
    spec.loader.exec_module(module)
    function: Callable[..., Any] = getattr(module, name)
    return function


def _end_with_parent() -> None:
    """Leave at once when the parent is gone: nobody would take the result."""
    sys.stdin.read()
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)  # with what we started
    os._exit(3)


if __name__ == "__main__":
    main()
    os._exit(0)  # libraries' threads and destructors do not hold us up
