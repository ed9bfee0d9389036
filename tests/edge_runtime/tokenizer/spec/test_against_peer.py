"""What we read is what the original reads: it writes every file down again, and that says the same to us."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from tokenizers import Tokenizer as Peer

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec import kinds, load_document, parse_spec, read_spec
from edge_runtime.tokenizer.spec.kinds import TokenizerSpec
from tests.edge_runtime.tokenizer.documents import plain_document, random_document
from tests.edge_runtime.tokenizer.families.files import FAMILIES, random_case

Document = dict[str, Any]
MUTATIONS_A_DOCUMENT = 40
# Keys that every reader of old files must get along without.
MAY_BE_ABSENT = (
    "use_regex",
    "length",
    "fuse_unk",
    "byte_fallback",
    "ignore_merges",
    "split",
    "strip_accents",
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    0.5,
    1.0,
    2**31,
    2**32,
    2**64,
    "",
    "x",
    "xy",
    "\ud800",
    [],
    {},
    ["x"],
    [0],
    {"x": 0},
)


def written_again(document: Document) -> Document | None:
    """Give the document as the peer writes it; None if it refuses it."""
    try:
        peer = Peer.from_str(json.dumps(document))
    except BaseException as error:  # its panics are no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        return None
    again: Document = json.loads(peer.to_str())  # scores are written exactly, which is not how they are read
    return again


def read_as_text(document: Document) -> TokenizerSpec:
    """Read a document as a file of it would be read."""
    return parse_spec(load_document(json.dumps(document).encode()))


def comparable(spec: TokenizerSpec) -> TokenizerSpec:
    """Order added tokens as the peer writes them, and of merges that stand twice leave the last, as it does."""
    spec = replace(spec, added_tokens=tuple(sorted(spec.added_tokens, key=lambda token: token.id)))
    if not isinstance(spec.model, kinds.BPE):
        return spec
    last_first = dict.fromkeys(reversed(list(spec.model.merges)))
    return replace(spec, model=replace(spec.model, merges=list(last_first)[::-1]))


def assert_same_as_peer(document: Document, written: Document | None) -> None:
    """Check a document that we read."""
    assert written is not None, document
    assert comparable(read_as_text(document)) == comparable(parse_spec(written)), document


@pytest.mark.parametrize("family", FAMILIES)
def test_documents_of_every_family_say_the_same_when_the_peer_has_written_them(family: str) -> None:
    read = 0
    for seed in range(25):
        document = random_case(random.Random(f"{family} {seed}"), family).document
        for key in MAY_BE_ABSENT[: seed % 2 * len(MAY_BE_ABSENT)]:
            take_away(document, key)
        try:
            read_as_text(document)
        except UnsupportedTokenizer:
            continue
        read += 1
        assert_same_as_peer(document, written_again(document))
    assert read > 15


def take_away(value: object, key: str) -> None:
    """Take a key out of every object in a document."""
    if isinstance(value, dict):
        value.pop(key, None)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        take_away(inner, key)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the path of everything in a document, but of no more than a few entries of what is long."""
    keys: list[Any] = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    for key in keys[:12]:
        yield (*path, key)
        yield from places(value[key], (*path, key))


def mutate(rng: random.Random, document: Document) -> Document:
    """Change one or two things anywhere in a copy of a document."""
    changed = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 2))):
        *path, last = rng.choice(list(places(changed)))
        inner: Any = changed
        for key in path:
            inner = inner[key]
        if rng.random() < 0.2 and not (path and path[-1] == "pattern"):
            inner.pop(last)
        elif rng.random() < 0.1 and isinstance(inner, dict):
            inner[rng.choice(("type", "extra", "id", "content"))] = rng.choice(VALUES)
        elif last != "Regex":  # whether it is one is not for this reader to say
            inner[last] = rng.choice(
                (*VALUES, *([inner[other] for other in inner] if isinstance(inner, dict) else inner))
            )
    return changed


@pytest.mark.parametrize("family", [*FAMILIES, "bert"])
def test_a_changed_document_is_refused_or_read_as_the_peer_reads_it(family: str) -> None:
    accepted = 0
    for seed in range(6):
        rng = random.Random(f"{family} {seed}")
        document = random_document(rng) if family == "bert" else random_case(rng, family).document
        for _ in range(MUTATIONS_A_DOCUMENT):
            changed = mutate(rng, document)
            try:
                read_as_text(changed)
            except UnsupportedTokenizer:
                continue
            accepted += 1
            assert_same_as_peer(changed, written_again(changed))
    assert accepted > 10


@pytest.mark.parametrize("name", ["minilm", "llama2", "deberta-v3"])
def test_real_files_say_the_same_when_the_peer_has_written_them(
    name: str, real_tokenizer: Callable[[str], Path]
) -> None:
    path = real_tokenizer(name)
    ours, theirs = read_spec(path), parse_spec(json.loads(Peer.from_file(str(path)).to_str()))
    assert comparable(ours) == comparable(theirs)


def test_a_plain_document_is_not_refused() -> None:
    document = plain_document(["the"])
    assert_same_as_peer(document, written_again(document))
