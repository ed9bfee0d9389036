"""`edgert tokenizer check`: is the tokenizer of a file, folder or bundle the same here as in Hugging Face's package?"""

from __future__ import annotations

import json
import os
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from edge_runtime.bundle.manifest import MANIFEST, read_bundle, sha256_of
from edge_runtime.errors import SourceUnavailable, UnsupportedTokenizer
from edge_runtime.tokenizer import open_tokenizer
from edge_runtime.tokenizer.plain.reference import ReferenceTokenizer
from edgert_tools.parity import COMPARED, Comparison, compare
from edgert_tools.parity_texts import builtin_texts, file_texts
from edgert_tools.tokenizer_sources import OWN, find_source, make_tokenizer

_ROUNDS = 3


@dataclass(frozen=True)
class Speed:
    """Bytes of UTF-8 a second, in megabytes, documents to ids in one thread.

    Attributes:
        first: edgert straight after opening, when it has seen no word of the texts.
        again: edgert on texts that it has seen.
        reference: Hugging Face's, the best of some passes.
    """

    first: float
    again: float
    reference: float


@dataclass(frozen=True)
class Check:
    """What was found out about one tokenizer.

    Attributes:
        opened: the file that edgert opened: of a bundle the compiled form, if it has one for this edgert.
        made: what the `tokenizer.json` was made of, if the model ships none; else empty.
        fast: False if only the plain form can run it.
    """

    name: str
    opened: str
    made: str
    fast: bool
    texts: str
    comparison: Comparison
    speed: Speed


def check_tokenizer_at(place: Path, corpus: Path | None) -> Check:
    """Compare the tokenizer at `place` with Hugging Face's.

    Args:
        place: a `tokenizer.json`, a bundle, or a checkpoint's folder.
        corpus: a text file to compare on instead of the built-in texts.

    Raises:
        SourceUnavailable: there is no tokenizer.
        UnsupportedTokenizer: edgert cannot read it.
        UsageError: the corpus has no text.
        BundleError: the bundle is damaged.
    """
    with tempfile.TemporaryDirectory() as work:
        files = _files_of(place, Path(work))
        own = None if corpus is None else file_texts(corpus)
        comparison = compare(files.source, builtin_texts if own is None else lambda tokens: own, files.opened)
        speed = _measure(files, (own or builtin_texts()).documents)
        fast = not isinstance(open_tokenizer(files.opened), ReferenceTokenizer)
    texts = "built-in texts" if corpus is None else str(corpus)
    return Check(str(place), files.opened.name, files.made, fast, texts, comparison, speed)


def as_json(check: Check) -> str:
    """All of it as one JSON document."""
    return json.dumps({**asdict(check), "compared": COMPARED}, indent=1)


def in_words(check: Check) -> str:
    """All of it for a terminal."""
    compared, speed = check.comparison, check.speed
    lines = [
        f"{check.name}: {compared.family}, {f'made of {check.made}' if check.made else check.opened}",
        f"  compared with  {compared.oracle}, on {check.texts}",
        f"  texts          {compared.lines:,} lines and {compared.documents:,} documents, "
        f"{compared.characters:,} characters",
        *_hanging("  compared       ", "; ".join(COMPARED)),
        f"  mismatches     {compared.mismatches:,}",
        f"  speed          {speed.again:.1f} MB/s (first pass {speed.first:.1f}), {compared.oracle} "
        f"{speed.reference:.1f} MB/s: {speed.again / speed.reference:.1f}x, one thread each",
        *([] if check.fast else ["                 no fast path is known for its steps: it works in its plain form"]),
    ]
    for mismatch in compared.first:
        lines += [
            f"  DIFFERENT      {mismatch.text!a}: {mismatch.compared}",
            f"    edgert       {mismatch.found[:300]}",
            f"    {compared.oracle.split()[0]:12} {mismatch.expected[:300]}",
        ]
    return "\n".join(lines)


def _hanging(head: str, text: str) -> list[str]:
    return textwrap.wrap(text, 100, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False)


class _Files(NamedTuple):
    """The `tokenizer.json`, the file that edgert opens, and the name of the file that the first was made of."""

    source: Path
    opened: Path
    made: str = ""


def _files_of(place: Path, work: Path) -> _Files:
    if place.is_file():
        return _Files(place, place)
    if not place.is_dir():
        raise SourceUnavailable(f"no file or folder {place}")
    if (place / MANIFEST).is_file():
        return _files_of_bundle(place)
    source = find_source(place)
    if source.kind == OWN:
        return _Files(source.file, source.file)
    config = place / "config.json"
    make_tokenizer(source, json.loads(config.read_bytes()) if config.is_file() else {}, work / OWN)
    return _Files(work / OWN, work / OWN, source.file.name)


def _files_of_bundle(folder: Path) -> _Files:
    """The files of a bundle, which is served by its compiled form unless that is for another version of edgert."""
    named = read_bundle(folder).tokenizer
    if named is None:
        raise UnsupportedTokenizer(f"the bundle in {folder} has no tokenizer: its model reads no texts")
    source = folder / named.file
    if named.compiled is not None:
        with suppress(UnsupportedTokenizer):
            open_tokenizer(folder / named.compiled, source_sha256=sha256_of(source))
            return _Files(source, folder / named.compiled)
    return _Files(source, source)


def _measure(files: _Files, documents: Sequence[str]) -> Speed:
    from tokenizers import Tokenizer

    size_mb = sum(len(text.encode()) for text in documents) / 1e6
    board = open_tokenizer(files.opened)
    first = _seconds(lambda: board.encode_batch(documents))
    again = min(_seconds(lambda: board.encode_batch(documents)) for _ in range(_ROUNDS))
    reference: Any = Tokenizer.from_file(str(files.source))
    reference.no_padding()
    reference.no_truncation()
    with _one_thread():
        theirs = min(_seconds(lambda: reference.encode_batch_fast(documents)) for _ in range(_ROUNDS))
    return Speed(size_mb / first, size_mb / again, size_mb / theirs)


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@contextmanager
def _one_thread() -> Iterator[None]:
    """Hugging Face's package works in one thread, as edgert does."""
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TOKENIZERS_PARALLELISM"]
        else:
            os.environ["TOKENIZERS_PARALLELISM"] = before
