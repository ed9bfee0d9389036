"""Does the board's tokenizer give exactly the ids of Hugging Face `tokenizers` on these texts?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer import open_tokenizer

# Corners that ordinary sentences lack: empty, accents, CJK, emoji, control characters, a written special token.
CORNERS = (
    "",
    " ",
    "Crème brûlée, ¿sí? ÅNGSTRÖM",
    "日本語 and 한국어 and ไทย",
    "👩‍🚀 don't e-mail me\t\n",
    "zero\u200bwidth \u00a0space \ufffd \x00 x",
    "a [SEP] b [MASK] c",
    "supercalifragilisticexpialidocious" * 6,
)


def check_parity(tokenizer_file: Path, texts: Iterable[str]) -> int:
    """Compare on `texts` and on the corners above; special tokens written in a text are plain text on both sides.

    Returns:
        How many texts were compared.

    Raises:
        UnsupportedTokenizer: the board cannot read the file, or a text's ids differ; says which and where.
    """
    from tokenizers import Tokenizer

    board, reference = open_tokenizer(tokenizer_file), Tokenizer.from_file(str(tokenizer_file))
    reference.no_padding()
    reference.no_truncation()
    reference.encode_special_tokens = True
    all_texts = [*CORNERS, *texts]
    for text, encoding in zip(all_texts, reference.encode_batch(all_texts), strict=True):
        ids = board.encode(text)
        if ids != encoding.ids:
            at = next((i for i, pair in enumerate(zip(ids, encoding.ids, strict=False)) if pair[0] != pair[1]), "end")
            raise UnsupportedTokenizer(
                f"the board's tokenizer differs from Hugging Face's on {text[:60]!r} at position {at}: "
                f"{len(ids)} ids instead of {len(encoding.ids)}; this checkpoint cannot be served correctly"
            )
    return len(all_texts)
