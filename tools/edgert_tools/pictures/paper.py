"""Pages of text with nothing on them that is anybody's: lines of common words in Pillow's own font."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import MissingExtra

if TYPE_CHECKING:
    from PIL import Image, ImageFont

# Common English words and some of the signs of letters, bills and manuals; the pages need no sense.
_WORDS = (
    "the of and to a in is you that it he was for on are as with his they at be this have from or one had by word "
    "but not what all were we when your can said there use an each which she do how their if will up other about out "
    "many then them these so some her would make like him into time has look two more write go see number no way "
    "could people my than first water been call who oil its now find long down day did get come made may part Invoice "
    "Total: Date: 12.50 2026-11-24 Page 3 No. 4711 (see below) kitchen window, lamp; Monday & Friday 100% #42 +49 30"
)
WORDS = _WORDS.split()
PAPERS = (((255, 255, 255), (0, 0, 0)), ((250, 244, 230), (60, 40, 20)), ((222, 226, 230), (20, 20, 60)))


@dataclass(frozen=True)
class Line:
    """A line as it was written, and its middle in pixels."""

    text: str
    x: float
    y: float


@dataclass(frozen=True)
class Page:
    """A page and what is on it."""

    image: Image.Image
    lines: tuple[Line, ...]


def pages(count: int, seed: int, width: int = 480, height: int = 640) -> Iterator[Page]:
    """Pages that differ in size of type, spacing, paper, margins and layout; the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        yield _page(chance, width, height)


def png(image: Image.Image) -> bytes:
    """The picture as a PNG file."""
    return _file(image, "PNG", compress_level=6)


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    """The picture as a JPEG file."""
    return _file(image, "JPEG", quality=quality)


def pillow() -> Any:
    """Pillow, whole. MissingExtra: it is not installed."""
    try:
        import PIL.Image
        import PIL.ImageDraw
        import PIL.ImageFont
    except ImportError as error:
        raise MissingExtra("Pillow", "images") from error
    return PIL


def _file(image: Image.Image, format: str, **options: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def _page(chance: random.Random, width: int, height: int) -> Page:
    library = pillow()
    paper, ink = chance.choice(PAPERS)
    image = library.Image.new("RGB", (width, height), paper)
    draw = library.ImageDraw.Draw(image)
    size = chance.randint(14, 24)
    font = library.ImageFont.load_default(size)
    left, top, lines = chance.randint(20, 60), chance.randint(20, 60), []
    y, step = float(top + size), size * chance.uniform(1.35, 1.8)
    while y < height - 30:
        if chance.random() > 0.08:  # else a gap, as between paragraphs
            text = _line(chance, font, (width - 2 * left) * chance.choice([1, 1, 1, chance.uniform(0.2, 1)]))
            draw.text((left, y), text, font=font, fill=ink, anchor="lm")
            lines.append(Line(text, left + font.getlength(text) / 2, y))
        y += step
    return Page(image, tuple(lines))


def _line(chance: random.Random, font: ImageFont.FreeTypeFont, width: float) -> str:
    line = chance.choice(WORDS)
    while True:
        longer = f"{line} {chance.choice(WORDS)}"
        if font.getlength(longer) > width:
            return line
        line = longer
