"""The last step of encoding: tokens of texts to the rows that a model takes.

Its results are those of Hugging Face `tokenizers`: `utils/truncation.rs`, `utils/padding.rs`, `tokenizer/encoding.rs`
and `processors/*.rs` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

import numpy as np

from edge_runtime.errors import BadRequest
from edge_runtime.tokenizer.assemble.buffers import Buffers, take_arrays
from edge_runtime.tokenizer.assemble.cutting import check_stride, kept_lengths, ragged
from edge_runtime.tokenizer.assemble.frame import Frame, fill_frame, frame_offsets
from edge_runtime.tokenizer.assemble.rows import Rows, Text, fill_rows, offsets_of
from edge_runtime.tokenizer.assemble.shared import SharedRows
from edge_runtime.tokenizer.assemble.trimming import Blanks, Chosen, Trimmer, WhiteEdges
from edge_runtime.tokenizer.encoding import CUT, REFUSE, TO_LONGEST, Encoded, IdArray, Padding, Tokens, Truncation
from edge_runtime.tokenizer.spec.kinds import OffsetTrim, Piece, Template

_ONE_WHOLE, _ONE_CUT = (False,), (True,)


class Assembler:
    """Puts tokens into templates and arrays. Safe to share between threads.

    Args:
        template: what stands around texts.
        pad_id, pad_type_id: fill up shorter rows.
        trim: one entry for each time that offsets are trimmed.
        edges: the white space of the vocabulary's strings; needed if `trim` has entries.
        overflow_type_ids: type ids of the tokens of text A and B in any but the first part of a text, with special
            tokens. Hugging Face's templates set type ids in first parts only, its RobertaProcessing in all.
    """

    def __init__(
        self,
        template: Template,
        pad_id: int = 0,
        pad_type_id: int = 0,
        trim: tuple[OffsetTrim, ...] = (),
        edges: WhiteEdges | None = None,
        overflow_type_ids: tuple[int, int] = (0, 1),
    ) -> None:
        self._single, self._pair = template.single, template.pair
        self._bare_single, self._bare_pair = _without_specials(template.single), _without_specials(template.pair)
        self._frame, self._bare_frame = Frame.of(self._single), Frame.of(self._bare_single)
        self._shared = None if self._frame is None else SharedRows(self._frame)
        self._bare_shared = None if self._bare_frame is None else SharedRows(self._bare_frame)
        self._pad = pad_id, pad_type_id
        self._trimmer = Trimmer(trim, edges)
        self._overflow_type_ids = overflow_type_ids

    def assemble(
        self,
        tokens: Tokens,
        pairs: Tokens | None = None,
        *,
        max_tokens: int | None = None,
        truncate: bool | Truncation = False,
        padding: Padding = TO_LONGEST,
        special_tokens: bool = True,
        offsets: bool = False,
        buffers: Buffers | None = None,
        blanks: Blanks | None = None,
        pair_blanks: Blanks | None = None,
    ) -> Encoded:
        """Make one row of each text or pair, or several with overflow.

        Args:
            tokens: the texts; with `offsets` their spans, too.
            pairs: the second text of each pair.
            max_tokens, truncate, padding, special_tokens, offsets: as in `Tokenizer.encode_batch`.
            buffers: memory for ids, mask and type ids, overwritten by the next call; None for fresh arrays.
            blanks, pair_blanks: (n, 3) int32, for tokens that are not the vocabulary's string but took white space of
                the text along: index of the token, white space characters at its start, and at its end.

        Raises:
            BadRequest: `pairs` is not as long as `tokens`, or the stride does not fit.
            InputTooLong: a text has too many ids and may not be cut, or cutting as asked cannot make it fit, or the
                special tokens alone are too many.
        """
        truncation = _truncation(truncate)
        if pairs is not None and len(pairs.lengths) != len(tokens.lengths):
            raise BadRequest(f"{len(tokens.lengths)} texts have {len(pairs.lengths)} second texts: send one for each")
        pieces = self._pieces(pairs is not None, special_tokens)
        added = sum(len(piece.ids) for piece in pieces)
        if truncation.overflow and max_tokens is not None and max_tokens > added:
            check_stride(truncation, max_tokens - added)
        second_lengths = None if pairs is None else pairs.lengths
        kept, kept_second = kept_lengths(tokens.lengths, second_lengths, added, max_tokens, truncation)
        frame = self._frame if special_tokens else self._bare_frame
        types = self._overflow_type_ids if special_tokens else (0, 1)
        texts = {"A": Text(tokens, kept, types[0], blanks)}
        plain = pairs is None and padding.side == "right"
        if plain and frame and (kept is tokens.lengths or not truncation.overflow):
            return self._framed(frame, texts["A"], truncation, padding, offsets, buffers)
        if pairs is not None and kept_second is not None:
            texts["B"] = Text(pairs, kept_second, types[1], pair_blanks)
        rows = Rows(pieces, texts, truncation, max_tokens)
        return self._laid_out(rows, padding, offsets, buffers, len(kept))

    def single(
        self,
        ids: list[int],
        max_tokens: int | None = None,
        truncate: bool | Truncation = False,
        special_tokens: bool = True,
    ) -> Encoded:
        """Make the one row of one text, in a microsecond or two.

        Args:
            ids: the tokens of the text.
            truncate: without overflow.

        Returns:
            Arrays of shape (1, tokens). Mask and type ids may be read-only: they are shared between calls.

        Raises:
            InputTooLong: as `assemble`.
        """
        frame, shared = (self._frame, self._shared) if special_tokens else (self._bare_frame, self._bare_shared)
        if frame is None or shared is None:
            tokens = Tokens(np.array(ids, np.int32), np.array([len(ids)]))
            return self.assemble(tokens, max_tokens=max_tokens, truncate=truncate, special_tokens=special_tokens)
        truncated = _ONE_WHOLE
        if max_tokens is not None and len(ids) + frame.added > max_tokens:
            ids, truncated = _shortened(ids, frame.added, max_tokens, _truncation(truncate)), _ONE_CUT
        input_ids = np.array([[*frame.before, *ids, *frame.after]], np.int64)
        mask, types = shared[input_ids.shape[1]]
        return Encoded(input_ids, mask, types, truncated)

    def _pieces(self, pair: bool, special_tokens: bool) -> tuple[Piece, ...]:
        if special_tokens:
            return self._pair if pair else self._single
        return self._bare_pair if pair else self._bare_single

    def _framed(
        self,
        frame: Frame,
        text: Text,
        truncation: Truncation,
        padding: Padding,
        offsets: bool,
        buffers: Buffers | None,
    ) -> Encoded:
        """Assemble the common case: one text a row, the padding on the right."""
        kept, lengths = text.kept, text.tokens.lengths
        chosen: Chosen = slice(None)
        truncated = (False,) * len(kept)
        if kept is not lengths:
            dropped = lengths - kept
            starts = np.cumsum(lengths) - lengths
            chosen = ragged(starts if truncation.side == "right" else starts + dropped, kept)
            truncated = tuple((dropped > 0).tolist())
        width = _width(kept, frame.added, padding)
        arrays = take_arrays(buffers, len(kept), width)
        if len(kept):
            fill_frame(frame, arrays, text.tokens.ids[chosen], kept, self._pad)
        if not offsets:
            return Encoded(*arrays, truncated)
        first = (np.cumsum(kept) - kept)[kept > 0]
        spans = self._trimmer.spans(text.tokens, text.blanks, chosen, first)
        return Encoded(*arrays, truncated, *frame_offsets(frame, width, spans, kept))

    def _laid_out(self, rows: Rows, padding: Padding, offsets: bool, buffers: Buffers | None, texts: int) -> Encoded:
        """Assemble rows of any other shape."""
        count, width = len(rows.lengths), _width(rows.lengths, 0, padding)
        arrays = take_arrays(buffers, count, width)
        fill_rows(rows, arrays, padding.side, self._pad)
        spans = special = None
        if offsets:
            spans, special = offsets_of(rows, width, padding.side, self._trimmer)
        owners = tuple(rows.owners.tolist()) if count > texts else None
        return Encoded(*arrays, rows.truncated, spans, special, owners)


def _width(lengths: IdArray, added: int, padding: Padding) -> int:
    """The width of the arrays for rows of these lengths; 0 without a row."""
    if not len(lengths):
        return 0
    longest = max(int(lengths.max()) + added, padding.to)
    return longest + -longest % max(padding.multiple_of, 1)


def _truncation(truncate: bool | Truncation) -> Truncation:
    if isinstance(truncate, Truncation):
        return truncate
    return CUT if truncate else REFUSE


def _shortened(ids: list[int], added: int, max_tokens: int, truncation: Truncation) -> list[int]:
    """Cut one text as `kept_lengths` says for a batch."""
    kept, _ = kept_lengths(np.array([len(ids)]), None, added, max_tokens, truncation)
    dropped = len(ids) - int(kept[0])
    return ids[:-dropped] if truncation.side == "right" else ids[dropped:]


def _without_specials(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    return tuple(piece for piece in pieces if piece.sequence)
