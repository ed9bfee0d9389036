"""The tables of the parts of the library that look at single characters."""

from __future__ import annotations

from collections.abc import Mapping

from tokenizers import normalizers, pre_tokenizers

from edge_runtime.tokenizer.unicode import CodePoints
from edge_runtime.tokenizer.unicode.tables import Table
from edgert_tools.unicode_tables.probes import changed, dropped, parted


def collect() -> dict[str, Table]:
    """Ask the normalizers and pre-tokenizers that know characters by themselves.

    Raises:
        ValueError: one does something that tables cannot say: `edge_runtime/tokenizer` needs other code then.
    """
    cleaned = changed(_bert(clean_text=True))
    lower = changed(normalizers.Lowercase())
    white_space = dropped(pre_tokenizers.WhitespaceSplit())
    punctuation = dropped(pre_tokenizers.Punctuation("removed"))
    nmt = changed(normalizers.Nmt())
    _check_bert(cleaned, lower, white_space, punctuation)
    return {
        "white_space": white_space,
        "numeric": parted(pre_tokenizers.Digits(individual_digits=True), "a"),
        "word": _words(white_space),
        "punctuation": punctuation,
        "removed": _deleted(cleaned),
        "chinese": CodePoints.of(changed(_bert(handle_chinese_chars=True))),
        "mark": _deleted(changed(_bert(strip_accents=True))) - CodePoints.of(changed(normalizers.NFD())),
        "accent": _deleted(changed(normalizers.StripAccents())),
        "nmt_removed": _deleted(nmt),
        "nmt_space": CodePoints.of(code for code, text in nmt.items() if text == " "),
        "lower": lower,
    }


def _bert(
    clean_text: bool = False, handle_chinese_chars: bool = False, strip_accents: bool = False, lowercase: bool = False
) -> normalizers.Normalizer:
    return normalizers.BertNormalizer(
        clean_text=clean_text,
        handle_chinese_chars=handle_chinese_chars,
        strip_accents=strip_accents,
        lowercase=lowercase,
    )


def _deleted(texts: Mapping[int, str]) -> CodePoints:
    return CodePoints.of(code for code, text in texts.items() if not text)


def _words(white_space: CodePoints) -> CodePoints:
    r"""Give `\w` as the pre-tokenizer `Whitespace` has it: what it neither drops nor cuts off from a letter."""
    cutter = pre_tokenizers.Whitespace()
    if dropped(cutter) != white_space:
        raise ValueError("the pre-tokenizers Whitespace and WhitespaceSplit drop different characters")
    return (parted(cutter, "a") | white_space).complement() - CodePoints([(0xD800, 0xDFFF)])


def _check_bert(
    cleaned: Mapping[int, str], lower: Mapping[int, str], white_space: CodePoints, punctuation: CodePoints
) -> None:
    """Check what the parts for BERT share with the others."""
    for code, text in cleaned.items():
        if text and (text != " " or code not in white_space):
            raise ValueError(f"clean_text makes {text!r} of U+{code:04X}, which is no white space to pre-tokenizers")
    kept = [code for code in white_space if cleaned.get(code, chr(code)) not in ("", " ")]
    if kept:
        raise ValueError(f"clean_text keeps U+{kept[0]:04X}, which is white space to the pre-tokenizers")
    if changed(_bert(lowercase=True)) != lower:
        raise ValueError("BertNormalizer and Lowercase lower-case differently")
    bert = pre_tokenizers.BertPreTokenizer()
    if dropped(bert) != white_space or parted(bert, "a") != punctuation:
        raise ValueError("BertPreTokenizer cuts at other characters than WhitespaceSplit and Punctuation")
