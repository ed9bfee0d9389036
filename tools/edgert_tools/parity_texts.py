"""The texts that a tokenizer is checked on when the user gives none: many scripts, real requests, and the corners."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from edge_runtime.errors import UsageError

DOCUMENT_LINES = 24  # lines of a document
_SEED = 3

# What ordinary sentences lack.
CORNERS = (
    "",
    " ",
    "\n",
    "Crème brûlée, ¿sí? ÅNGSTRÖM ΟΔΟΣ İstanbul ẞ ǅ",
    "日本語 and 한국어 and ไทย",
    "👩‍🚀 don't e-mail me\t\n",
    "zero\u200bwidth \u00a0space \ufffd \x00 x \x85y\x1cz",
    "a [SEP] b [MASK] c <s> d </s> <|endoftext|> <unk>",
    "I'LL we'Re it'ſ she'd o'clock 'tis ''s",
    "for (i = 0; i < 10; ++i) {\n\treturn a[i] >> 2;\n}\r\n\r\n",
    "3.14159 1000000 ١٢٣ ४५६ ²³ ½ Ⅷ 𝟘𝟙",
    "a\u0301 e\u0323\u0301 \u1100\u1161\u11a8 \u0301 \u0958 ﬁ ｆｕｌｌ ㍿",
    "x" * 600,
    "字" * 300,
    " " * 300,
    "'" * 200,
    "ab" * 40 + " " + "12" * 40,
    "aGVsbG8gd29ybGQhIHRoaXMgaXMgYmFzZTY0" * 6,
)

# First and last letter of a block, and what stands between words.
# fmt: off
_SCRIPTS = (
    ("a", "z", " "), ("A", "Z", " "), ("à", "ÿ", " "), ("Ā", "ž", " "), ("α", "ω", " "),
    ("Α", "Ω", " "), ("а", "я", " "), ("А", "Я", " "), ("ա", "ֆ", " "), ("א", "ת", " "),
    ("ء", "ي", " "), ("ܐ", "ܬ", " "), ("अ", "ह", " "), ("অ", "হ", " "), ("ਅ", "ਹ", " "),
    ("અ", "હ", " "), ("அ", "ஹ", " "), ("అ", "హ", " "), ("ಅ", "ಹ", " "), ("അ", "ഹ", " "),
    ("අ", "ෆ", " "), ("ก", "ฮ", ""), ("ກ", "ຮ", ""), ("ཀ", "ཨ", "་"), ("က", "အ", " "),
    ("ა", "ჰ", " "), ("ሀ", "ፐ", " "), ("Ꭰ", "Ᏼ", " "), ("ក", "ឡ", ""), ("ᠠ", "ᡂ", " "),
    ("あ", "ん", ""), ("ア", "ン", ""), ("一", "龥", ""), ("가", "힣", " "), ("㐀", "䶵", ""),
    ("\U00020000", "\U0002a6d6", ""), ("𐐀", "\U0001044f", " "), ("𝐀", "𝟿", " "),
)
# fmt: on
_BORDERS = (
    " \t\n\r\x00\x0b\x0c\x1c\x1f\x7f\x85\xa0\xad\u1680\u180e\u2000\u200b\u200d\u2028\u202f\u2060\u3000\ufeff\ufffd"
    "'\"`^$+<=>|~_-.,;:!?@#%&*()[]{}/\\¡§¶·¿،।—’“、！▁Ġ"
    "\u3400\u4dbf\u4dc0\u4e00\u9fff\ua000\uf900\U00020000\U0002b820\U0002f800"
    "ΑΣσςİıßẞǄǅKÅΩ\u0345\u1c89\ua7dc\U00010400\U00016ea0"
    "\u0300\u0301\u0316\u0323\u0334\u05b0\u064b\u093c\u094d\u0e48\u0f71\u3099\ud7a3\u1100\u1161\u11a8"
    "😀👨\u200d👩\ufe0f🇩🇪٣४５²½Ⅷ\ufdd0\uffff\U0010ffff\ue000\u0378"
    "abcstmdlrveABCSTMD0123456789"
)
_RARE_CODE_POINTS = ((0x80, 0x2FFF), (0xA000, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x1FFFF), (0x20000, 0x10FFFF))


@dataclass(frozen=True)
class ParityTexts:
    """Lines, each a text of its own, and documents of several lines."""

    lines: tuple[str, ...]
    documents: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them."""
        return self.lines + self.documents

    @property
    def characters(self) -> int:
        """Code points in all of them."""
        return sum(map(len, self.lines)) + sum(map(len, self.documents))

    def plus(self, lines: Sequence[str]) -> ParityTexts:
        """The same with more lines."""
        return ParityTexts(self.lines + tuple(lines), self.documents)


def builtin_texts(written_tokens: Sequence[str] = (), lines: int = 3000) -> ParityTexts:
    """The built-in texts; the same every time.

    Args:
        written_tokens: contents of the tokenizer's added tokens, which are written into some lines.
        lines: about how many lines; they, the corners and the documents made of them grow together.
    """
    rng = random.Random(_SEED)
    requests = _requests()
    rng.shuffle(requests)
    made = [_script_line(rng) for _ in range(lines // 3)] + [_border_line(rng) for _ in range(lines // 3)]
    made += [_with_token(rng, token) for token in _some(rng, written_tokens, lines // 10)]
    made += requests[: lines // 3]
    rng.shuffle(made)
    return ParityTexts(CORNERS + tuple(made), tuple(_documents(made)))


def file_texts(file: Path) -> ParityTexts:
    """A user's file: its lines, and documents of `DOCUMENT_LINES` lines with the newlines as they are.

    Raises:
        UsageError: it is not UTF-8 text, or has no text.
    """
    try:
        content = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8: {error}") from error
    lines = content.split("\n")
    if not content.strip():
        raise UsageError(f"{file} has no text")
    return ParityTexts(tuple(line for line in lines if line), tuple(_documents(lines)))


def _documents(lines: Sequence[str]) -> Iterator[str]:
    for at in range(0, len(lines), DOCUMENT_LINES):
        yield "\n".join(lines[at : at + DOCUMENT_LINES])


def _script_line(rng: random.Random) -> str:
    """Words of one script, sometimes two, with punctuation and numbers between them."""
    parts = []
    for first, last, between in rng.choices(_SCRIPTS, k=rng.choice((1, 1, 1, 2))):
        for _ in range(rng.randint(1, 8)):
            word = "".join(chr(rng.randint(ord(first), ord(last))) for _ in range(rng.randint(1, 9)))
            parts += [word, rng.choice((between, between, between, " ", ", ", ". ", "-", f" {rng.randint(0, 99999)} "))]
    return "".join(parts)


def _border_line(rng: random.Random) -> str:
    """Characters at which implementations disagree, with any code point among them."""
    parts = []
    for _ in range(rng.randint(1, 40)):
        if rng.random() < 0.85:
            parts.append(rng.choice(_BORDERS) * rng.choice((1, 1, 1, 1, 2, 3, 8)))
        else:
            parts.append(chr(rng.randint(*rng.choice(_RARE_CODE_POINTS))))
    return "".join(parts)


def _with_token(rng: random.Random, token: str) -> str:
    """A written control token between words, whole or cut in half."""
    shown = token if rng.random() < 0.8 else token[: max(1, len(token) // 2)]
    before, after = rng.choice(("", " ", "a", "a ", "é", "\n", "  ")), rng.choice(("", " ", "b", " b", ".", "  ", "x"))
    return f"{before}{shown}{after}" + rng.choice(("", shown, " " + shown + " end"))


def _some(rng: random.Random, tokens: Sequence[str], count: int) -> list[str]:
    """`count` of the tokens, if there are any; of thousands the first ones are the ones that matter most."""
    first = list(tokens[: count // 2])
    return first + rng.choices(tokens, k=count - len(first)) if tokens else []


def _requests() -> list[str]:
    """What people say to their homes in over 60 languages, as the templates of Home Assistant's intents."""
    found = []
    files = (file for file in (resources.files("home_assistant_intents") / "data").iterdir() if file.is_file())
    for file in sorted(files, key=lambda file: file.name):
        intents = json.loads(file.read_text(encoding="utf-8"))["intents"]
        templates = [text for name in sorted(intents) for row in intents[name]["data"] for text in row["sentences"]]
        found += [template.replace("[", "").replace("]", "") for template in templates[::7]]
    return found
