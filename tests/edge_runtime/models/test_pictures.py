"""Pictures of strangers: whatever comes, a bounded picture or the one refusal."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import BadPicture, MissingExtra
from edge_runtime.models.pictures import pictures
from edge_runtime.models.pictures.pictures import MAX_PIXELS, Picture, decode_picture
from tests.tiny_pictures import encoded, scene

from PIL import Image  # isort: skip

UPRIGHT = np.asarray(scene()).astype(int)
# What a camera that was held so writes: the picture on its side, and the tag that says how.
AS_HELD = {
    1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip


def decoded(raw: bytes, media_type: str | None = "image/png") -> np.ndarray:
    return decode_picture(raw, media_type).pixels().astype(int)


@pytest.mark.parametrize("orientation", AS_HELD)
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_picture_is_upright_however_the_camera_was_held(orientation: int, format: str) -> None:
    exif, turn = Image.Exif(), AS_HELD[orientation]
    exif[0x0112] = orientation
    held = scene() if turn is None else scene().transpose(turn)
    picture = decode_picture(encoded(held, format, exif=exif), f"image/{format.lower()}")
    assert (picture.width, picture.height) == (120, 80)
    assert np.abs(picture.pixels().astype(int) - UPRIGHT).mean() < 4


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert np.array_equal(decoded(encoded(scene(), exif=exif)), UPRIGHT)


def test_a_broken_exif_does_not_spoil_the_picture() -> None:
    raw = encoded(scene(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert decode_picture(raw, "image/jpeg").width == 120


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA", "LA"])
def test_every_way_to_store_colours_becomes_rgb(mode: str) -> None:
    image = scene().convert(mode)
    expected = np.asarray(image.convert("RGB")).astype(int)
    assert np.array_equal(decoded(encoded(image)), expected)


def test_gray_of_16_bits_keeps_its_upper_eight() -> None:
    shades = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16) + 255
    found = decoded(encoded(Image.fromarray(shades)))
    assert np.array_equal(found, np.repeat(np.arange(256).reshape(16, 16, 1), 3, axis=2))


def test_cmyk_of_printers_becomes_rgb() -> None:
    assert np.abs(decoded(encoded(scene().convert("CMYK"), "JPEG", quality=95), "image/jpeg") - UPRIGHT).mean() < 6


def test_what_is_transparent_is_white_and_half_of_it_half_white() -> None:
    image = Image.new("RGBA", (3, 1))
    for x, colour in enumerate([(255, 0, 0, 0), (255, 0, 0, 128), (255, 0, 0, 255)]):
        image.putpixel((x, 0), colour)
    assert decoded(encoded(image)).tolist() == [[[255, 255, 255], [255, 127, 127], [255, 0, 0]]]


def test_a_palette_with_a_transparent_colour_is_white_there() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.putpixel((1, 0), 1)
    assert decoded(encoded(image, transparency=0)).tolist() == [[[255, 255, 255], [0, 0, 200]]]


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_picture_cut_short_is_refused_wherever_it_is_cut(format: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 40, 3), dtype=np.uint8))
    raw = encoded(noise, format)
    for length in range(0, len(raw) - 30, max(1, len(raw) // 60)):
        with pytest.raises(BadPicture, match=f"payload of {length} bytes is no whole {format} picture"):
            decode_picture(raw[:length], f"image/{format.lower()}")


def test_a_picture_of_another_kind_than_said_is_refused() -> None:
    with pytest.raises(BadPicture, match="no whole PNG"):
        decode_picture(encoded(scene(), "JPEG"), "image/png")
    with pytest.raises(BadPicture, match="no whole JPEG or PNG"):
        decode_picture(encoded(scene(), "GIF"), None)
    assert decode_picture(encoded(scene(), "JPEG"), None).width == 120


def png_of(width: int, height: int, data: bytes) -> bytes:
    """A PNG that claims a size, whatever it holds."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


BOMBS = [(4097, 4096), (60000, 60000), (1, MAX_PIXELS + 1), (2**31 - 1, 1)]
MEASURE = """
import resource, sys
from edge_runtime.errors import BadPicture
from edge_runtime.models.pictures.pictures import decode_picture
def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
decode_picture(open(sys.argv[1], "rb").read(), None)  # what the library itself takes
before = peak_mb()
for file in sys.argv[2:]:
    try:
        decode_picture(open(file, "rb").read(), None)
    except BadPicture:
        print("refused")
print(peak_mb() - before)
"""


def taken(folder: Path, *raws: bytes) -> tuple[int, float]:
    """How many of the pictures are refused, and by how many MB they raise the peak memory of a process."""
    files = []
    for number, raw in enumerate((encoded(scene()), *raws)):
        files.append(folder / str(number))
        files[-1].write_bytes(raw)
    *refused, grown = subprocess.run(
        [sys.executable, "-c", MEASURE, *files], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    return len(refused), float(grown)


def flooded() -> bytes:
    """A PNG with a text chunk of 200 kB that unpacks to 200 MB."""
    body = b"Comment\0\0" + zlib.compress(b"\0" * 200_000_000, 9)
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    whole = encoded(scene())
    return whole[:33] + chunk + whole[33:]


def test_bombs_are_refused_before_they_take_memory(tmp_path: Path) -> None:
    refused, grown_mb = taken(tmp_path, *(png_of(*size, b"\0" * 1000) for size in BOMBS), flooded())
    assert refused == len(BOMBS) + 1
    assert grown_mb < 20


def test_the_largest_picture_stays_within_the_memory_that_is_documented(tmp_path: Path) -> None:
    """4096 x 4096 with transparency, the most that one picture takes: as it is, on white, and a mask."""
    flat = Image.new("RGBA", (4096, 4096), (1, 2, 3, 200))
    refused, grown_mb = taken(tmp_path, encoded(flat, compress_level=1))
    assert refused == 0
    assert grown_mb < 250


def test_the_refusal_of_a_large_picture_says_both_numbers() -> None:
    with pytest.raises(BadPicture, match=f"picture is 4097 x 4096 pixels, at most {MAX_PIXELS} are read"):
        decode_picture(png_of(4097, 4096, b""), "image/png")


def test_a_large_jpeg_is_decoded_smaller_and_keeps_its_coordinates() -> None:
    raw = encoded(scene(1600, 1200), "JPEG")
    small, whole = decode_picture(raw, "image/jpeg", 224), decode_picture(raw, "image/jpeg")
    assert small.pixels().shape == (300, 400, 3)
    assert (small.width, small.height) == (whole.width, whole.height) == (1600, 1200)
    box = (400.0, 300.0, 1600.0, 1200.0)
    gap = np.abs(small.resized(60, 45, box).astype(int) - whole.resized(60, 45, box).astype(int))
    assert gap.mean() < 1


def test_cutting_a_turned_rectangle_straightens_it() -> None:
    """A picture turned by 20 degrees, cut along its own edges, is the picture."""
    around = Image.new("RGB", (300, 300))
    around.paste(scene(), (90, 110))
    turned = around.rotate(20, resample=Image.Resampling.BICUBIC, center=(150, 150))
    angle = np.radians(-20)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[90, 110], [210, 110], [210, 190], [90, 190]], float)
    cut = Picture(300, 300, turned).cut((corners - 150) @ matrix.T + 150)
    assert abs(cut.width - 120) <= 1
    assert abs(cut.height - 80) <= 1
    middle = np.asarray(cut.image.resize((120, 80))).astype(int)[4:-4, 4:-4]
    assert np.abs(middle - UPRIGHT[4:-4, 4:-4]).mean() < 6


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_turning_goes_to_the_left(quarters: int) -> None:
    turned = Picture(120, 80, scene()).turned(quarters)
    assert np.array_equal(turned.pixels(), np.rot90(np.asarray(scene()), quarters))
    assert (turned.height, turned.width) == turned.pixels().shape[:2]


SEEDS = [
    encoded(scene(), "JPEG"), encoded(scene(), "JPEG", progressive=True), encoded(scene(), "PNG"),
    encoded(scene().convert("P"), "PNG"), encoded(scene().convert("CMYK"), "JPEG"),
    encoded(scene().convert("LA"), "PNG"),
]  # fmt: skip


@given(st.sampled_from(SEEDS), st.integers(0, 2**32), st.sampled_from(["image/jpeg", "image/png", None]))
@settings(max_examples=400, deadline=None)
def test_damaged_pictures_give_a_picture_or_the_one_refusal(raw: bytes, seed: int, media_type: str | None) -> None:
    chance, data = random.Random(seed), bytearray(raw)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + chance.randint(1, 40)]
                data = data or bytearray(b"x")
            case 2:
                data[at:at] = data[: chance.randint(1, 60)]
            case 3:
                data[at : at + 4] = chance.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
    _answered_or_refused(bytes(data), media_type)


@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_a_picture_or_the_one_refusal(tail: bytes, head: bytes) -> None:
    _answered_or_refused(head + tail, None)


def _answered_or_refused(raw: bytes, media_type: str | None) -> None:
    try:
        picture = decode_picture(raw, media_type)
    except BadPicture:
        return
    assert picture.width * picture.height <= MAX_PIXELS
    assert picture.pixels().shape == (picture.height, picture.width, 3)


def test_without_pillow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures.import_pillow.cache_clear()
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtra, match=r"pip install 'edgert\[images\]'"):
        pictures.import_pillow()


def test_nothing_is_printed_about_large_pictures(recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(BadPicture):
        decode_picture(png_of(12000, 9000, b""), "image/png")
    assert not recwarn.list
