"""The frozen tables under the engines: a hash table without second looks, and a trie in one array."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.vector.lockstep import hash_table, trie
from edge_runtime.tokenizer.vector.lockstep.hash_table import HashTable
from edge_runtime.tokenizer.vector.lockstep.trie import BASE_SHIFT, FIELD, FIELD_BITS, Trie

VALUE_BITS = 20
MISSING = (1 << VALUE_BITS) - 1


def shifted(keys: list[int]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.array(keys, np.uint64) << np.uint64(VALUE_BITS)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 17, 1000, 30_000])
@pytest.mark.parametrize("spread", [2, 1 << 27])
def test_a_table_finds_its_keys_and_nothing_else(count: int, spread: int) -> None:
    random = Random(count)
    expected = {random.randrange(count * spread): random.randrange(MISSING) for _ in range(count)}
    table = HashTable(
        hash_table.build("it", shifted(list(expected)), np.array(list(expected.values()), np.uint64), VALUE_BITS), "it"
    )
    asked = [*expected, *range(200), *(random.randrange(1 << 42) for _ in range(500))]
    found = [expected.get(key, MISSING) for key in asked]
    assert table.find(shifted(asked)).tolist() == found
    assert [table.get(key << VALUE_BITS) for key in asked] == found


def test_of_equal_keys_the_last_one_counts() -> None:
    keys, values = shifted([7, 8, 7, 9, 7]), np.array([1, 2, 3, 4, 5], np.uint64)
    table = HashTable(hash_table.build("it", keys, values, VALUE_BITS), "it")
    assert table.find(shifted([7, 8, 9, 10])).tolist() == [5, 2, 4, MISSING]


def test_the_same_keys_always_give_the_same_table() -> None:
    keys, values = shifted(Random(3).sample(range(1 << 40), 2000)), np.arange(2000, dtype=np.uint64)
    first, second = (hash_table.build("it", keys, values, VALUE_BITS) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def found_in(built: Trie, text: str) -> int | None:
    node, edge = built.root, -1
    for code in built.codes_of(text):
        edge = int(built.edges[node + code])
        if edge >> BASE_SHIFT != node:
            return None
        node = edge & FIELD
    return (edge >> FIELD_BITS & FIELD) - 1 if edge >= 0 and edge >> FIELD_BITS & FIELD else None


@pytest.mark.parametrize("seed", range(60))
def test_a_trie_finds_its_pieces_and_nothing_else(seed: int) -> None:
    random = Random(seed)
    # From two letters to a few thousand: nodes with one edge and nodes with very many.
    alphabet = "".join(map(chr, random.sample(range(1, 0xD800), random.choice((2, 5, 40, 3000))))) + "\0\U0010ffff"
    pieces = {
        "".join(random.choices(alphabet, k=random.randint(1, 8))) for _ in range(random.choice((1, 9, 300, 4000)))
    }
    ids = dict(zip(sorted(pieces), random.sample(range(10_000), len(pieces)), strict=True))
    built = Trie(trie.build(list(ids), np.array(list(ids.values()), np.int64)))
    assert all(found_in(built, piece) == token_id for piece, token_id in ids.items())
    others = ["".join(random.choices(alphabet + "\x01\ud7ff😀", k=random.randint(1, 4))) for _ in range(2000)]
    others += [piece[:-1] for piece in ids if len(piece) > 1] + [piece + "a" for piece in ids]
    assert all(found_in(built, other) == ids.get(other) for other in others)


def test_a_trie_of_nothing_and_of_the_empty_piece_finds_nothing() -> None:
    for pieces in ([], [""]):
        built = Trie(trie.build(pieces, np.zeros(len(pieces), np.int64)))
        assert found_in(built, "a") is None
        assert built.node("") == built.root


def test_ids_too_large_for_an_edge_are_refused() -> None:
    with pytest.raises(UnsupportedTokenizer, match="too large"):
        trie.build(["a"], np.array([1 << FIELD_BITS]))
