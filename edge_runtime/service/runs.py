"""Running a batch: together where the model allows it, each by itself where one of them spoils it for the others."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from edge_runtime.errors import Cancelled, EdgertError
from edge_runtime.model import Answer, Answered, Model
from edge_runtime.mqtt.contract import (
    Address,
    Request,
    answer_body,
    binary_body,
    encode_chunk,
    json_body,
    tensor_body,
    tensor_head,
)
from edge_runtime.mqtt.message import Message
from edge_runtime.service.job import Job, Outcome

log = logging.getLogger("edgert.service")

Timing = Mapping[str, int]
SendChunk = Callable[[Job, Callable[[Address], Message]], None]
Finished = Callable[[Job, Model, Outcome, Answered | None, Answer | None], None]


@runtime_checkable
class Streaming(Protocol):
    """A model that can answer piece by piece."""

    def stream(self, request: Request) -> Iterator[Mapping[str, object]]:
        """Give the pieces of the answer, each a JSON object; at least one."""


class Runs:
    """Runs batches of one model each.

    Args:
        finished: told of each request: its job, model, outcome, what was run for it and its own answer of that.
    """

    def __init__(self, finished: Finished | None = None) -> None:
        self._finished = finished

    def run(self, model: Model, batch: Sequence[Job], waited: Sequence[Timing], send: SendChunk) -> list[Outcome]:
        """Answer the requests of a batch; what fails becomes an error of each that it concerns."""
        first = batch[0].request
        if len(batch) == 1 and first.stream and isinstance(model, Streaming):
            outcome = _shielded(first.model, waited[0], lambda: self._streamed(model, batch[0], waited[0], send))
            self._tell(batch[0], model, outcome, None, None)
            return [outcome]
        if len(batch) > 1:
            with contextlib.suppress(Exception):  # one of them is at fault: which one shows when each runs alone
                return self._together(model, batch, waited)
        return [self._alone(model, job, timing) for job, timing in zip(batch, waited, strict=True)]

    def _alone(self, model: Model, job: Job, waited: Timing) -> Outcome:
        outcome = _shielded(job.request.model, waited, lambda: self._together(model, [job], [waited])[0])
        if outcome.error is not None:
            self._tell(job, model, outcome, None, None)
        return outcome

    def _together(self, model: Model, batch: Sequence[Job], waited: Sequence[Timing]) -> list[Outcome]:
        answered = model.answer([job.request for job in batch])
        took = (answered.encode_ns + answered.run_ns + answered.answer_ns) // 1000
        outcomes = []
        for job, answer, timing in zip(batch, answered.answers, waited, strict=True):
            body, header_bytes = _body(model.manifest.version, job.request, answer)
            outcomes.append(Outcome(body, None, {**timing, "infer-us": took}, header_bytes))
            self._tell(job, model, outcomes[-1], answered, answer)
        return outcomes

    def _streamed(self, model: Streaming, job: Job, waited: Timing, send: SendChunk) -> Outcome:
        """Send all pieces but the last, which is the reply."""
        held: bytes | None = None
        seq = 0
        for piece in model.stream(job.request):
            if job.cancelled:
                raise Cancelled("the request was cancelled while it was answered")
            if held is not None:
                body, number = held, seq
                send(job, lambda address, body=body, number=number: encode_chunk(address, body, number, last=False))  # type: ignore[misc]
                seq += 1
            held = json_body(piece)
        return Outcome(held or b"{}", None, {**waited, "seq": seq, "last": 1})

    def _tell(self, job: Job, model: Model, outcome: Outcome, answered: Answered | None, answer: Answer | None) -> None:
        if self._finished is None:
            return
        try:
            self._finished(job, model, outcome, answered, answer)
        except Exception:  # counting must cost nobody an answer
            log.exception("what was told of a run could not be counted")


def _shielded(model: str, waited: Timing, run: Callable[[], Outcome]) -> Outcome:
    try:
        return run()
    except EdgertError as error:
        return Outcome(b"", error, waited)
    except Exception as error:
        log.exception("model %s failed", model)
        reason = f"the model failed ({type(error).__name__}): the daemon's log has more"
        return Outcome(b"", EdgertError(reason), waited)


def _body(version: str, request: Request, answer: Answer) -> tuple[bytes, int]:
    """Write the answer to one request, and the length of the JSON before binary tensors."""
    if request.form != "tensors":
        return answer_body(request, version, answer.rows(), answer.truncated), 0
    outputs = answer.tensors()
    if request.wants_binary:
        head = tensor_head(request, version)
        return binary_body(head, [(tensor.described(), tensor.packed()) for tensor in outputs])
    return tensor_body(request, version, [tensor.plain() for tensor in outputs]), 0
