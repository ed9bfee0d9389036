"""How a picture of any size becomes a graph's input, against the same done step by step."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.bundle.picture_specs import ImageSpec, PixelSpec
from edge_runtime.errors import UnsupportedModel
from edge_runtime.models.pictures.picture_input import PictureInput, place, to_tensor
from edge_runtime.models.pictures.pictures import Picture
from tests.tiny_pictures import scene

from PIL import Image  # isort: skip

RAW = PixelSpec(dtype="uint8", layout="nhwc")
SIZES = st.integers(1, 5000)


def made(spec: ImageSpec, image: Image.Image) -> np.ndarray:
    tensor, _ = PictureInput(spec)(Picture(image.width, image.height, image))
    return np.asarray(tensor)


@pytest.mark.parametrize("size", [(120, 80), (80, 120), (333, 111), (60, 59), (640, 480)])
def test_crop_is_scaling_the_shorter_side_and_cutting_the_middle(size: tuple[int, int]) -> None:
    """The recipe of most classifiers: shorter side to 64, then the middle 56 x 56."""
    image = scene(*size)
    scale = 64 / min(size)
    scaled = image.resize((round(size[0] * scale), round(size[1] * scale)), Image.Resampling.BILINEAR)
    left, top = (scaled.width - 56) // 2, (scaled.height - 56) // 2
    expected = np.asarray(scaled.crop((left, top, left + 56, top + 56))).astype(int)
    found = made(ImageSpec(56, 56, "crop", shortest_side=64, pixels=RAW), image)[0].astype(int)
    assert np.abs(found - expected).max() <= 1  # a box with parts of pixels rounds its weights elsewhere


def test_crop_without_a_shortest_side_just_covers_the_input() -> None:
    placed = place(ImageSpec(100, 200, "crop"), 400, 400)
    assert placed.source == (0.0, 100.0, 400.0, 300.0)
    assert placed.target == (0, 0, 200, 100)


def test_letterbox_keeps_the_proportions_and_fills_the_rest() -> None:
    found = made(ImageSpec(60, 60, "letterbox", fill=7, pixels=RAW), scene(120, 80))[0]
    expected = np.asarray(scene(120, 80).resize((60, 40), Image.Resampling.BILINEAR))
    assert np.array_equal(found[10:50], expected)
    assert (found[:10] == 7).all()
    assert (found[50:] == 7).all()


def test_letterbox_in_the_corner_fills_only_below_or_to_the_right() -> None:
    found = made(ImageSpec(60, 60, "letterbox", fill=7, place="corner", pixels=RAW), scene(120, 80))[0]
    assert (found[40:] == 7).all()
    assert not (found[:40] == 7).all(axis=2).any()


def test_stretch_forgets_the_proportions() -> None:
    found = made(ImageSpec(30, 90, pixels=RAW), scene(120, 80))[0]
    assert np.array_equal(found, np.asarray(scene(120, 80).resize((90, 30), Image.Resampling.BILINEAR)))


def test_without_antialias_points_are_sampled() -> None:
    """Linear interpolation at the middles of the new pixels, written out."""
    image = Image.fromarray(np.random.default_rng(2).integers(0, 255, (31, 47, 3), dtype=np.uint8))
    found = made(ImageSpec(12, 20, antialias=False, pixels=RAW), image)[0].astype(float)
    source = np.asarray(image).astype(float)
    rows = np.clip((np.arange(12) + 0.5) * 31 / 12 - 0.5, 0, 30)
    columns = np.clip((np.arange(20) + 0.5) * 47 / 20 - 0.5, 0, 46)
    top, left = np.minimum(rows.astype(int), 29), np.minimum(columns.astype(int), 45)
    down, across = (rows - top)[:, None, None], (columns - left)[None, :, None]
    above = source[top][:, left] * (1 - across) + source[top][:, left + 1] * across
    below = source[top + 1][:, left] * (1 - across) + source[top + 1][:, left + 1] * across
    assert np.abs(found - (above * (1 - down) + below * down)).max() <= 1


@given(SIZES, SIZES, st.sampled_from(["stretch", "crop", "letterbox"]), st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=300, deadline=None)
def test_every_placement_lies_inside_and_finds_its_way_back(
    width: int, height: int, resize: str, across: int, down: int
) -> None:
    spec = ImageSpec(down, across, resize)  # type: ignore[arg-type]
    placed = place(spec, width, height)
    left, top, right, bottom = placed.source
    assert -1e-6 <= left < right <= width + 1e-6
    assert -1e-6 <= top < bottom <= height + 1e-6
    x, y, x_end, y_end = placed.target
    assert 0 <= x < x_end <= across
    assert 0 <= y < y_end <= down
    back = placed.to_picture(np.array([[x, y, x_end, y_end]], float))[0]
    assert np.allclose(back, placed.source)


def test_numbers_are_scaled_then_shifted_then_divided_by_channel() -> None:
    pixels = np.array([[[255, 0, 51]]], np.uint8)
    spec = PixelSpec(mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 2.0))
    assert to_tensor(pixels, spec)[0, :, 0, 0].tolist() == pytest.approx([1.0, -1.0, 0.1])
    turned = to_tensor(pixels, dataclasses.replace(spec, channels="bgr"))[0, :, 0, 0]
    assert turned.tolist() == pytest.approx([-0.6, -1.0, 0.5])


def test_layouts_and_kinds_are_those_of_the_graph() -> None:
    pixels = np.asarray(scene())
    assert to_tensor(pixels, PixelSpec()).shape == (1, 3, 80, 120)
    assert to_tensor(pixels, PixelSpec(layout="nhwc")).shape == (1, 80, 120, 3)
    assert to_tensor(pixels, PixelSpec(layout="nhwc", dtype="uint8")).dtype == np.uint8
    assert to_tensor(pixels, PixelSpec()).flags.c_contiguous


def test_gray_is_weighed_as_pillow_does() -> None:
    found = to_tensor(np.asarray(scene()), PixelSpec("gray", dtype="uint8"))[0, 0].astype(int)
    assert np.abs(found - np.asarray(scene().convert("L")).astype(int)).max() <= 1


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (ImageSpec(0, 8), "pictures of 8 x 0"),
        (ImageSpec(8, 9000), "pictures of 9000 x 8"),
        (ImageSpec(8, 8, fill=256), "fills with 256"),
        (ImageSpec(8, 8, filter="lanczos", antialias=False), "filter lanczos without antialias"),
        (ImageSpec(8, 8, pixels=PixelSpec(mean=(1.0, 2.0))), r"gives mean \[1.0, 2.0\], expected 0, 1 or 3"),
        (ImageSpec(8, 8, pixels=PixelSpec(std=(0.0,))), "divides pixels by"),
        (ImageSpec(8, 8, pixels=PixelSpec(scale=float("nan"))), "divides pixels by"),
    ],
)
def test_rules_that_make_no_input_are_refused_when_the_model_is_opened(spec: ImageSpec, said: str) -> None:
    with pytest.raises(UnsupportedModel, match=said):
        PictureInput(spec)
