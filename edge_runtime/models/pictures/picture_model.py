"""What all models of pictures have in common: one picture a request, each run by itself."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.bundle.picture_specs import ImageSpec
from edge_runtime.engine import Session
from edge_runtime.errors import BadPicture, BadRequest, UnsupportedModel
from edge_runtime.model import Answer, Answered, Asked

Prepared = TypeVar("Prepared")


class PictureModel(ABC, Generic[Prepared]):
    """The stages of an answer are the subclass's: `prepare`, `run`, `finish`."""

    joins = False

    def __init__(self, manifest: Manifest, session: Session) -> None:
        self.manifest = manifest
        self.parallel = getattr(session, "parallel", False)
        self.session = session

    def check(self, asked: Asked) -> None:
        """Refuse a request without a picture, and bad parameters, at no cost."""
        if asked.raw is None:
            raise BadRequest("there is no picture: send image/jpeg or image/png as the payload, with its content type")
        if not asked.raw:
            raise BadPicture("the picture has no bytes")
        self.check_parameters(asked)

    def answer(self, asked: Sequence[Asked]) -> Answered:
        """Answer one picture after the other. BadPicture: one cannot be decoded."""
        answers, encode_ns, run_ns, answer_ns = list[Answer](), 0, 0, 0
        for one in asked:
            start = time.perf_counter_ns()
            self.check(one)
            prepared = self.prepare(one)
            prepared_at = time.perf_counter_ns()
            outputs = self.run(prepared)
            ran_at = time.perf_counter_ns()
            answers.append(self.finish(one, prepared, outputs))
            encode_ns += prepared_at - start
            run_ns += ran_at - prepared_at
            answer_ns += time.perf_counter_ns() - ran_at
        return Answered(answers, encode_ns, run_ns, answer_ns)

    @abstractmethod
    def warm_up(self) -> None:
        """Run once: the first run allocates."""

    @abstractmethod
    def check_parameters(self, asked: Asked) -> None:
        """Refuse parameters that cannot be followed."""

    @abstractmethod
    def prepare(self, asked: Asked) -> Prepared:
        """Decode the picture and make the graph's input."""

    @abstractmethod
    def run(self, prepared: Prepared) -> Any:
        """Run the graph."""

    @abstractmethod
    def finish(self, asked: Asked, prepared: Prepared, outputs: Any) -> Answer:
        """Read the outputs."""


def image_spec(manifest: Manifest) -> ImageSpec:
    """How pictures become inputs. UnsupportedModel: the manifest does not say."""
    if manifest.task.image is None:
        raise UnsupportedModel(f"a bundle for {manifest.task.name!r} must have task.image, this one has none")
    return manifest.task.image


def only_input(session: Session) -> str:
    """The name of the graph's one input. UnsupportedModel: it has others."""
    if len(session.input_names) != 1:
        raise UnsupportedModel(f"model wants inputs {list(session.input_names)[:8]}, a picture is one")
    return session.input_names[0]
