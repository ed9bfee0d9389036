"""Pages of text whose every line is known, rendered in many fonts, sizes and colours."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

LINES = 24
SIDES = (900, 1000)
_NO_LETTERS = ("symbol", "dingbat", "emoji", "math", "barcode")
_PAPERS = (((255, 255, 255), (0, 0, 0)), ((250, 244, 230), (60, 40, 20)), ((30, 34, 40), (230, 230, 230)))
_TINTS = (((225, 235, 250), (10, 20, 90)), ((200, 200, 200), (30, 30, 30)))


@dataclass(frozen=True)
class Page:
    """A PNG and its lines: text, and the height of the line's middle in pixels from the top."""

    png: bytes
    lines: tuple[tuple[str, float], ...]
    description: str


def fonts_in(folders: Sequence[Path]) -> list[Path]:
    """TrueType fonts with Latin letters, by name."""
    found = {file.name: file for folder in folders for file in sorted(folder.rglob("*.ttf"))}
    return [file for name, file in sorted(found.items()) if not any(word in name.lower() for word in _NO_LETTERS)]


def pages(words: Sequence[str], fonts: Sequence[Path], count: int, seed: int = 1) -> Iterator[Page]:
    """Pages of `LINES` lines each; every page has a font, a size, a paper, and is turned by up to 2 degrees."""
    chance = random.Random(seed)
    for number in range(count):
        font_file = fonts[number * len(fonts) // count]
        size = chance.randint(14, 26)
        paper, ink = (*_PAPERS, *_TINTS)[number % 5]
        turn = chance.choice([0.0, 0.0, chance.uniform(-2, 2)])
        yield _page(chance, words, ImageFont.truetype(font_file, size), (paper, ink), turn, f"{font_file.stem} {size}")


def _page(
    chance: random.Random,
    words: Sequence[str],
    font: ImageFont.FreeTypeFont,
    colours: tuple[tuple[int, int, int], tuple[int, int, int]],
    turn: float,
    description: str,
) -> Page:
    image = Image.new("RGB", SIDES, colours[0])
    draw, lines = ImageDraw.Draw(image), []
    for row in range(LINES):
        middle = 40 + row * (SIDES[1] - 80) / (LINES - 1)
        text = _line(chance, words, font, SIDES[0] - 120)
        draw.text((60, middle), text, font=font, fill=colours[1], anchor="lm")
        lines.append((text, middle))
    if turn:
        image = image.rotate(turn, resample=Image.Resampling.BICUBIC, fillcolor=colours[0])
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return Page(stream.getvalue(), tuple(lines), f"{description}, turned by {turn:.1f}")


def _line(chance: random.Random, words: Sequence[str], font: ImageFont.FreeTypeFont, width: int) -> str:
    """As many words in a row of the text as fit, now and then with a number."""
    at, line = chance.randrange(len(words) - 40), ""
    for word in words[at : at + 40]:
        word = word if chance.random() > 0.08 else f"{chance.uniform(0, 2000):.2f}"
        if font.getlength(f"{line} {word}") > width * chance.uniform(0.6, 1):
            break
        line = f"{line} {word}".strip()
    return line or "alone"
