"""Byte pair encoding: neighbours are merged, the pair that stands first in the list of merges first.

Source: `models/bpe/model.rs` and `word.rs` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import accumulate

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.plain.unknown import byte_ids, no_token_for, spell, utf8_size
from edge_runtime.tokenizer.spec import kinds

_HALF = 32  # two ids, or a rank and a position, in one whole number: cheaper to hash and to compare than a pair
_LOW = (1 << _HALF) - 1


class BPE:
    """Cuts a word into characters and merges them.

    Raises:
        UnsupportedTokenizer: a merge gives a piece that is not in the vocabulary, or bytes stand for characters that
            a prefix or suffix makes longer than they are in the text.
    """

    def __init__(self, spec: kinds.BPE) -> None:
        self._vocab = spec.vocab
        self._prefix, self._suffix = spec.continuing_subword_prefix or "", spec.end_of_word_suffix or ""
        self._drops_unknown = spec.unk_token is None
        self._unknown_id = -1 if spec.unk_token is None else spec.vocab.get(spec.unk_token, -1)
        self._fuse, self._whole_words = spec.fuse_unk, spec.ignore_merges
        if spec.byte_fallback and (self._prefix or self._suffix):
            raise UnsupportedTokenizer(
                "BPE byte_fallback with a continuing_subword_prefix or end_of_word_suffix is not supported"
            )
        self._byte_ids = byte_ids(spec.vocab) if spec.byte_fallback else None
        # The rank of a pair of ids; a pair that is listed twice has its last place. And what each merge gives.
        self._ranks: dict[int, int] = {}
        self._results: list[int] = []
        for rank, (left, right) in enumerate(spec.merges):
            self._results.append(self._id_of(left + _without(right, self._prefix), left, right))
            pair = self._id_of(left, left, right) << _HALF | self._id_of(right, left, right)
            self._ranks[pair] = rank

    def _id_of(self, piece: str, left: str, right: str) -> int:
        token_id = self._vocab.get(piece)
        if token_id is None:
            raise UnsupportedTokenizer(f"merge {left!r} {right!r} needs {piece!r}, which is not in the vocabulary")
        return token_id

    def ids(self, word: str) -> list[int]:
        """Give the ids of a word. BadRequest: it has an unknown character whose token is not in the vocabulary."""
        whole = self._vocab.get(word) if self._whole_words else None
        return self._merged(word)[0] if whole is None else [whole]

    def tokenize(self, word: str) -> list[tuple[int, int, int]]:
        """Give the (id, start, end) of each token of a word; raises what `ids` raises.

        Bytes are counted in the original, and an unknown character that gives no token is not counted at all: what
        follows it moves to the left, into the middle of a character perhaps, and then covers all of it.
        """
        whole = self._vocab.get(word) if self._whole_words else None
        if whole is not None:
            return [(whole, 0, len(word))]
        ids, sizes = self._merged(word)
        ends = list(accumulate(sizes))
        if word.isascii():
            return [(token_id, end - size, end) for token_id, size, end in zip(ids, sizes, ends, strict=True)]
        owner = [at for at, char in enumerate(word) for _ in range(utf8_size(char))]
        return [
            (token_id, owner[end - size], owner[end - 1] + 1)
            for token_id, size, end in zip(ids, sizes, ends, strict=True)
        ]

    def _merged(self, word: str) -> tuple[list[int], list[int]]:
        """Give the id and the size in bytes of each token."""
        ids, sizes = self._symbols(word)
        self._merge(ids, sizes)
        kept = [at for at, size in enumerate(sizes) if size]
        return [ids[at] for at in kept], [sizes[at] for at in kept]

    def _symbols(self, word: str) -> tuple[list[int], list[int]]:
        """Give the id and the size in bytes of each character, as far as it has a token."""
        ids: list[int] = []
        sizes: list[int] = []
        unknown_size = 0  # of unknown characters that are not written yet; bytes of others may overtake them
        last = len(word) - 1
        for at, char in enumerate(word):
            token_id = self._vocab.get((self._prefix if at else "") + char + (self._suffix if at == last else ""))
            if token_id is None and (as_bytes := spell(char, self._byte_ids)) is not None:
                ids += as_bytes
                sizes += [1] * len(as_bytes)
                continue
            if token_id is None and self._drops_unknown:
                continue
            if unknown_size and (token_id is not None or not self._fuse):
                ids.append(self._unknown_id)
                sizes.append(unknown_size)
                unknown_size = 0
            if token_id is not None:
                ids.append(token_id)
                sizes.append(utf8_size(char))
            elif self._unknown_id < 0:
                raise no_token_for(char)
            else:
                unknown_size += utf8_size(char)
        if unknown_size:
            ids.append(self._unknown_id)
            sizes.append(unknown_size)
        return ids, sizes

    def _merge(self, ids: list[int], sizes: list[int]) -> None:
        """Merge in place: the result stands where the left one stood, the right one gets size 0.

        A list of neighbours and a heap of (rank, position) make it O(n log n). An entry of the heap is not removed
        when its pair changes; it counts for as long as the pair found there gives the same token, whatever its rank.
        """
        ranks, results, count = self._ranks, self._results, len(ids)
        after, before = list(range(1, count + 1)), list(range(-1, count - 1))
        heap = [
            rank << _HALF | at
            for at in range(count - 1)
            if (rank := ranks.get(ids[at] << _HALF | ids[at + 1], -1)) >= 0
        ]
        heapify(heap)
        while heap:
            entry = heappop(heap)
            at, result = entry & _LOW, results[entry >> _HALF]
            right = after[at]
            if not sizes[at] or right == count:
                continue
            rank = ranks.get(ids[at] << _HALF | ids[right], -1)
            if rank < 0 or results[rank] != result:
                continue
            ids[at] = result
            sizes[at] += sizes[right]
            sizes[right] = 0
            after[at] = following = after[right]
            previous = before[at]
            if following < count:
                before[following] = at
                if (rank := ranks.get(result << _HALF | ids[following], -1)) >= 0:
                    heappush(heap, rank << _HALF | at)
            if previous >= 0 and (rank := ranks.get(ids[previous] << _HALF | result, -1)) >= 0:
                heappush(heap, rank << _HALF | previous)


def _without(piece: str, prefix: str) -> str:
    """Take as many bytes off the start of a piece as the prefix has, whatever they are."""
    return piece.encode()[len(prefix.encode()) :].decode(errors="replace") if prefix else piece
