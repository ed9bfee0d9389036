"""A graph that writes, run as a board would: one cache of keys and values, bound once, in place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.generate_specs import GenerateSpec
from edge_runtime.errors import UnsupportedModel

FloatArray = npt.NDArray[np.float32]


class Decoder:
    """A loaded graph and the tokens that it has seen."""

    def __init__(self, graph: Path, spec: GenerateSpec, room: int, threads: int) -> None:
        """Load it.

        Args:
            graph: gives the last token's logits, or all; its weights lie beside it.
            room: the most tokens of prompt and answer together.

        Raises:
            UnsupportedModel: ONNX Runtime cannot load it.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        try:
            self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of a type of its own for each cause, none of them public
            raise UnsupportedModel(f"ONNX Runtime cannot load {graph.name}: {str(error)[:300]}") from error
        cache = spec.cache
        self._spec, self._room, self.seen = spec, room, 0
        self._all = self._session.get_outputs()[0].shape[1] != 1
        self._mask = np.ones((1, room), np.int64)
        shape = (1, cache.heads, room, cache.width)
        self._cache = [np.zeros(shape, np.float32) for _ in cache.names(cache.past)]
        self._binding = self._session.io_binding()
        for past, present, buffer in zip(cache.names(cache.past), cache.names(cache.present), self._cache, strict=True):
            where = ("cpu", 0, np.float32, buffer.shape, buffer.ctypes.data)
            self._binding.bind_input(past, *where)
            self._binding.bind_output(present, *where)

    def forget(self) -> None:
        """Begin a new text."""
        self.seen = 0

    def read(self, tokens: Sequence[int]) -> FloatArray:
        """Take in more tokens; logits after the last one, (1, words), or after each, (tokens, words).

        After the first tokens of a text only one at a time may follow.
        """
        ids = np.asarray(tokens, np.int64)[None]
        assert self.seen + ids.shape[1] <= self._room, "the cache is full"
        self.seen += ids.shape[1]
        mask = self._mask[:, : self.seen]
        logits = np.empty((1, ids.shape[1] if self._all else 1, self._spec.words), np.float32)
        for name, values in ((self._spec.tokens, ids), (self._spec.mask, mask)):
            self._binding.bind_input(name, "cpu", 0, np.int64, values.shape, values.ctypes.data)
        self._binding.bind_output(self._spec.logits, "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
        self._session.run_with_iobinding(self._binding)
        found: FloatArray = logits[0]
        return found

    def write(self, prompt: Sequence[int], most: int, lead: float) -> list[int]:
        """The most likely continuation, up to an end token, as long as each token leads the next best by `lead`."""
        self.forget()
        written: list[int] = []
        logits = self.read(prompt)[-1]
        while len(written) < most:
            second, best = np.argpartition(logits, -2)[-2:]
            second, best = sorted((int(second), int(best)), key=lambda token: float(logits[token]))
            if logits[best] - logits[second] < lead:
                break
            written.append(best)
            if best in self._spec.end or len(written) == most:
                break
            logits = self.read([best])[-1]
        return written
