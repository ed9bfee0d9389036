"""Random WordPiece files, and texts at the borders of every character class."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

# Each string is a neighbourhood where implementations disagree.
BORDERS = (
    " \t\n\r\x00\x0b\x0c\x1c\x1d\x1e\x1f\x7f\x80\x85\x9f\xa0\xad"  # spaces, controls that join words, soft hyphen
    "\u1680\u180e\u2000\u200a\u200b\u200c\u200d\u200e\u2028\u2029\u202f\u205f\u2060\u2066\u3000\ufeff\ufff9\ufffd"
    "\u0890\u08e2\U000110cd\U00013430"  # format characters younger than the tables
    "\ue000\uf8ff\U000e0001\U000e007f\U000f0000\U0010fffd\ufdd0\uffff\U0010ffff\u0378"  # private, tags, unassigned
    "'\"`^$+<=>|~_-.,;:!?@#%&*()[]{}/\\\xa1\xa7\xb6\xb7\xbf\u055a\u05be\u060c\u0964\u2014\u2019\u201c\u2e3a\u3001\uff01"
    "\u3400\u4db5\u4dbf\u4dc0\u4dff\u4e00\u9fff\ua000\uf8ff\uf900\ufad9\ufaff\ufb00"  # Chinese and hexagrams beside it
    "\U00020000\U0002a6df\U0002a6e0\U0002b81f\U0002b820\U0002b91f\U0002b920\U0002ceaf\U0002ceb0\U0002f800\U0002fa1f"
    "\u0391\u03a3\u03c3\u03c2\u0130\u0131\xdf\u1e9e\u01c4\u01c5\u212a\u212b\u2126\u0345\u1e00\u0212\u10a0\u13a0\uab70"
    "\u1c89\ua7c7\ua7cb\ua7dc\u2c2f\U00010400\U00010d50\U0001e900\U00016e40\U00016ea0\U00010570"  # young or odd letters
    "\xc0\xc5\xe9\xf1\u01d5\u0344\u1f84\u1fff\u0958\u09cb\u0b48\u0f73\u0f81\ufb1d\ufb4e"
    "\U0001109a\U00011938\U0001d15e\U0001d1bb"  # all of these decompose, except one that is too young
    "\u0300\u0301\u0316\u031b\u0321\u0327\u0334\u0338\u0340\u0341\u0343\u035c\u035d\u0360\u0361"  # marks that sort
    "\u05b0\u05bc\u064b\u0651\u0670\u0711\u08d4\u08e1\u093c\u094d\u0903\u093e\u0941\u0e38\u0e48\u0f71\u0f72\u0f74"
    "\u1b44\u1baa\u1bf2\u1bf3\u1df6\u1dfb\u1dce\u302a\u302e\u302f\u3099\ua953\ua9c0\U000111c0\U00011235\U0001134d"
    "\U0001d165\U0001d166\U0001d16d\U0001d16e\U0001d172\U0001e000\U0001e944\U00016ff0\U00011133"
    "\uac00\uac01\ud7a3\u1100\u1112\u1161\u1175\u11a7\u11a8\u11c2"  # Hangul syllables and their parts
    "\U0001f600\U0001f468\u200d\U0001f469\ufe0f\U0001f1e9\U0001f1ea\u0661\u096a\uff15\xb2\xbd\u2167"
    "abcxyzABCXYZ0123456789"
)
# Characters that canonical ordering moves and `strip_accents` may leave in place, next to marks that it drops.
MARKS = (
    "\u0301\u0316\u0334\u0345\u093c\u094d\u0941\u1df6\u08d4\u08db\u08e1\u1b44\u1bf2\u1dfb\u302e\u302f\ua953\ua9c0"
    "\U000111c0\U00011235\U0001134d\U0001d165\U0001d16d\U0001e000\U0001e944\U0001e94a\u0315\u0f71\u0eba\u200d"
)
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TOKEN_TEXTS = (*SPECIALS, "<mask>", "[", "SEP", "]", "[se", "\xc9t\xe9", " lamp ", "Lamp")
WORDS = ("turn", "on", "lights", "Kitchen", "OFF", "\xfcber", "\u039f\u0394\u039f\u03a3", "caf\xe9", "don't", "3.5")

# Planes 4 to 13 hold nothing, 15 and 16 are private throughout: their borders stand for them.
CODE_POINTS = [
    code
    for code in range(0x110000)
    if not 0xD800 <= code <= 0xDFFF
    and (code < 0x40000 or 0xE0000 <= code < 0xF0000 or (code & 0xFFFF) in (0, 1, 0x7FFF, 0xFFFD, 0xFFFE, 0xFFFF))
]


def every_code_point(context: str) -> Iterator[str]:
    """Give every code point in a context such as `a{}b `, 1,000 to a text."""
    for at in range(0, len(CODE_POINTS), 1000):
        yield "".join(context.format(chr(code)) for code in CODE_POINTS[at : at + 1000])


def plain_document(pieces: Sequence[str] = ()) -> dict[str, Any]:
    """Give an uncased BERT file as Hugging Face writes it: the specials are ids 0 to 4, the pieces follow."""
    vocab = {piece: at for at, piece in enumerate([*SPECIALS, *pieces])}
    cls, sep = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("[CLS]", "[SEP]"))
    first, second = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added_token(name, vocab[name]) for name in SPECIALS],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [cls, first, sep],
            "pair": [cls, first, sep, second, sep],
            "special_tokens": {
                name: {"id": name, "ids": [vocab[name]], "tokens": [name]} for name in ("[CLS]", "[SEP]")
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocab,
        },
    }


def added_token(content: str, token_id: int, **flags: bool) -> dict[str, Any]:
    """Give an entry of `added_tokens`: special and nothing else, but for the flags given."""
    usual = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": token_id, "content": content, **usual, **flags}


def random_text(rng: random.Random, longest: int = 40) -> str:
    """Make a text mostly of border characters, with any code point, words and token texts mixed in."""
    parts = []
    for _ in range(rng.randint(0, longest)):
        kind = rng.random()
        if kind < 0.55:
            parts.append(rng.choice(BORDERS))
        elif kind < 0.65:
            parts.append(rng.choice(WORDS))
        elif kind < 0.72:
            parts.append(rng.choice(TOKEN_TEXTS))
        elif kind < 0.80:
            parts += rng.choices(MARKS, k=rng.randint(1, 5))
        elif kind < 0.95:
            parts.append(chr(rng.choice((rng.randint(0x80, 0x2FFF), rng.randint(0xA000, 0xD7FF)))))
        else:
            parts.append(chr(rng.choice((rng.randint(0xE000, 0xFFFF), rng.randint(0x10000, 0x10FFFF)))))
        if rng.random() < 0.02:
            parts.append(rng.choice(BORDERS) * rng.randint(90, 120))
    return "".join(parts)


def random_document(rng: random.Random) -> dict[str, Any]:
    """Make a `tokenizer.json` document with every option drawn at random."""
    prefix = rng.choice(("##", "##", "", "\u2581", "a"))
    unk = rng.choice(("[UNK]", "<unk>"))
    pieces = ["[PAD]", unk, "[CLS]", "[SEP]", "[MASK]", *_pieces(rng, prefix)]
    vocab = {piece: at for at, piece in enumerate(dict.fromkeys(pieces))}
    return {
        "version": "1.0",
        "truncation": rng.choice((None, _truncation())),
        "padding": rng.choice((None, _padding(rng))),
        "added_tokens": _added_tokens(rng, vocab),
        "normalizer": random_normalizer(rng),
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": rng.choice((None, _bert_processing(rng), _template(rng), _template(rng))),
        "decoder": rng.choice((None, {"type": "WordPiece", "prefix": "##", "cleanup": rng.random() < 0.5})),
        "model": {
            "type": "WordPiece",
            "unk_token": unk,
            "continuing_subword_prefix": prefix,
            "max_input_chars_per_word": rng.choice((0, 1, 2, 5, 100, 100, 100, 1000)),
            "vocab": vocab,
        },
    }


def random_normalizer(rng: random.Random) -> dict[str, Any]:
    """Make a `normalizer` section with every flag drawn at random."""
    return {
        "type": "BertNormalizer",
        "clean_text": rng.random() < 0.7,
        "handle_chinese_chars": rng.random() < 0.7,
        "strip_accents": rng.choice((None, None, True, False)),
        "lowercase": rng.random() < 0.6,
    }


def _pieces(rng: random.Random, prefix: str) -> list[str]:
    """Give single characters, so that a wrong normalization shows, and longer pieces, so that the longest must win."""
    letters = BORDERS + BORDERS.lower() + "".join(WORDS).lower() + "eniou\u0307\u1100\u1161"
    known = [letter for letter in dict.fromkeys(letters) if rng.random() < 0.95]
    longer = ["".join(rng.choices(letters.strip(), k=rng.randint(2, 4))) for _ in range(100)]
    longer += [word[: rng.randint(1, len(word))] for word in WORDS for _ in range(3)]
    known += longer + [piece.lower() for piece in longer]
    return known + [prefix + piece for piece in known if rng.random() < 0.95]


def _added_tokens(rng: random.Random, vocab: dict[str, int]) -> list[dict[str, Any]]:
    wanted: list[str] = [token for token in SPECIALS if token in vocab]
    wanted += [token for token in ("<mask>", "\xc9t\xe9", "Lamp", "[SE", "[SEP] [CLS]") if rng.random() < 0.3]
    next_id, tokens = len(vocab), []
    for content in wanted:
        special = rng.random() < 0.8
        token_id = vocab.get(content, next_id)
        next_id += content not in vocab
        flags = {
            "lstrip": rng.random() < 0.2,
            "rstrip": rng.random() < 0.2,
            "normalized": rng.random() < (0.3 if special else 0.7),
            "special": special,
        }
        tokens.append(added_token(content, token_id, **flags))
    return tokens


def _truncation() -> dict[str, Any]:
    return {"direction": "Left", "max_length": 6, "strategy": "LongestFirst", "stride": 1}


def _padding(rng: random.Random) -> dict[str, Any]:
    return {
        "strategy": rng.choice(("BatchLongest", {"Fixed": 16})),
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": rng.randint(0, 3),
        "pad_type_id": rng.randint(0, 1),
        "pad_token": "[PAD]",
    }


def _bert_processing(rng: random.Random) -> dict[str, Any]:
    return {"type": "BertProcessing", "sep": ["[SEP]", rng.randint(0, 9)], "cls": ["[CLS]", rng.randint(0, 9)]}


def _template(rng: random.Random) -> dict[str, Any]:
    def special(name: str) -> dict[str, Any]:
        return {"SpecialToken": {"id": name, "type_id": rng.randint(0, 2)}}

    def sequence(name: str) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": rng.randint(0, 2)}}

    names = ("[CLS]", "[SEP]", "</s>")
    ids = {name: [rng.randint(0, 9) for _ in range(rng.randint(1, 2))] for name in names}
    return {
        "type": "TemplateProcessing",
        "single": [special(rng.choice(names)) for _ in range(rng.randint(0, 2))]
        + [sequence("A")]
        + [special(rng.choice(names)) for _ in range(rng.randint(0, 2))],
        "pair": [special("[CLS]"), sequence("A"), special("[SEP]"), sequence("B"), special("[SEP]")],
        "special_tokens": {
            name: {"id": name, "ids": numbers, "tokens": [name] * len(numbers)} for name, numbers in ids.items()
        },
    }
