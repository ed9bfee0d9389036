"""A trie over code points in one array, walked for many texts at once.

A double array without its second half: a node is the number at which its edges begin, its base, and an edge stands at
base + code of its character, together with its base (to see that it is this node's), the next node and the piece that
ends there. So a step is one gather. Codes are small numbers, the most frequent characters first.

Source: Aoe: An efficient digital search algorithm by using a double-array structure, IEEE Trans. SE 15(9), 1989.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.vector.lockstep.trie_rows import place_rows

Index = NDArray[np.int64]
Array = NDArray[np.generic]

FIELD_BITS = 21  # of base, piece and next node in an edge
FIELD = (1 << FIELD_BITS) - 1
BASE_SHIFT = 2 * FIELD_BITS
DEAD = 0  # the node that has no edges
UNKNOWN, END = 0, 1  # codes without edges: a character that is in no piece; what follows a word
_FIRST_CODE = 2


def build(pieces: Sequence[str], ids: Index) -> dict[str, Array]:
    """Give the arrays of a trie.

    Args:
        pieces: all different; an empty one is left out.
        ids: (pieces,) int64, what is found where a piece ends.

    Returns:
        trie_codes: (characters,) uint16 or uint32, by code point; the last one is for all code points from there on.
        trie_edges: (slots,) int64. trie_root: (1,) int64, the root.

    Raises:
        UnsupportedTokenizer: the vocabulary is too large for the fields of an edge.
    """
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    characters = np.frombuffer("".join(pieces).encode("utf-32-le", "surrogatepass"), np.uint32)
    codes = _codes_of(characters)
    parents, labels, ends = _edges(codes.take(characters).astype(np.int64), lengths)
    bases, size = place_rows(parents, labels, len(codes) and int(codes.max()) + 1)
    if size > FIELD or int(ids.max(initial=0)) >= FIELD:
        raise UnsupportedTokenizer(f"a vocabulary of {len(pieces)} pieces with {len(parents)} prefixes is too large")
    found = np.zeros(len(parents) + 1, np.int64)
    found[ends] = ids[lengths > 0] + 1
    base = bases.take(parents)
    edges = np.full(size, -1)
    edges[base + labels] = base << BASE_SHIFT | found[1:] << FIELD_BITS | bases[1:]
    assert np.count_nonzero(edges >= 0) == len(parents)  # no two in one slot
    return {"trie_codes": codes, "trie_edges": edges, "trie_root": bases[:1]}


class Trie:
    """The trie over its arrays, which may be read-only maps of a file.

    Attributes:
        edges, edge_view: (slots,) int64. root: the node where pieces begin.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        codes = arrays["trie_codes"]
        self._codes = codes.view(np.uint16 if codes.dtype.itemsize == 2 else np.uint32)
        self.edges = arrays["trie_edges"].view(np.int64)
        self.root: int = arrays["trie_root"].tolist()[0]
        self._last = len(self._codes) - 1
        self._code_view, self.edge_view = self._codes.data, self.edges.data

    def codes(self, code_points: NDArray[np.uint32]) -> Index:
        """Give the code of each character."""
        return self._codes.take(np.minimum(code_points, self._last)).astype(np.int64)

    def codes_of(self, text: str) -> list[int]:
        """Give the code of each character of one text."""
        codes, last = self._code_view, self._last
        return [codes[ord(character)] if ord(character) < last else UNKNOWN for character in text]

    def node(self, text: str) -> int:
        """Give the node to which a text leads, DEAD if no longer piece begins with it."""
        node = self.root
        for code in self.codes_of(text):
            edge = self.edge_view[node + code]
            node = edge & FIELD if edge >> BASE_SHIFT == node else DEAD
        return node


def _codes_of(characters: NDArray[np.uint32]) -> Array:
    """Number the characters, frequent ones first."""
    uses = np.bincount(characters, minlength=1)
    used = np.flatnonzero(uses)
    used = used[np.argsort(-uses.take(used), kind="stable")]
    codes = np.zeros(len(uses) + 1, np.uint16 if len(used) < (1 << 16) - _FIRST_CODE else np.uint32)
    codes[used] = np.arange(_FIRST_CODE, _FIRST_CODE + len(used))
    return codes


def _edges(codes: Index, lengths: Index) -> tuple[Index, Index, Index]:
    """Make one edge for each distinct prefix; edges of one parent stand together.

    Returns:
        The parent and the code of each edge, which leads to node number 1 + its index; and for each piece that is not
        empty the node where it ends.
    """
    starts = np.cumsum(lengths) - lengths
    nodes = np.zeros(len(lengths), np.int64)
    active, depth, count = np.flatnonzero(lengths), 0, 1
    parents, labels = [], []
    tails: list[tuple[Index, int]] = []
    while len(active):
        keys = nodes.take(active) << FIELD_BITS | codes.take(starts.take(active) + depth)
        order = np.argsort(keys)
        active, keys = active.take(order), keys.take(order)
        first = np.ones(len(keys) + 1, np.bool_)
        np.not_equal(keys[1:], keys[:-1], out=first[1:-1])
        nodes[active] = np.cumsum(first[:-1]) + (count - 1)
        new = keys[first[:-1]]
        parents.append(new >> FIELD_BITS)
        labels.append(new & FIELD)
        count += len(new)
        depth += 1
        going = lengths.take(active) > depth
        single = first[:-1] & first[1:]  # nothing else begins so: the rest is a chain
        tails.append((active[going & single], depth))
        active = active[going & ~single]
    chains = np.concatenate([own for own, _ in tails]) if tails else starts[:0]
    done = np.repeat(np.array([at for _, at in tails], np.int64), [len(own) for own, _ in tails])
    sizes = lengths.take(chains) - done
    firsts = np.cumsum(sizes) - sizes
    index = np.repeat(starts.take(chains) + done - firsts, sizes) + np.arange(int(sizes.sum()))
    chain_parents = np.arange(count - 1, count - 1 + len(index))
    chain_parents[firsts] = nodes.take(chains)
    nodes[chains] = count - 1 + firsts + sizes
    return (
        np.concatenate([*parents, chain_parents]),
        np.concatenate([*labels, codes.take(index)]),
        nodes[lengths > 0],
    )
