"""Pieces of scikit-image's pictures (a cat, a cup of coffee, coins, ...): what two forms of a model are compared on.

Nobody says what a piece shows, and many show nothing that the model knows: those of which the float model is not sure
are left out. What is judged is whether both forms say the same of the others.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Sequence

from edge_runtime.engine.onnx import open_onnx
from edge_runtime.errors import SourceUnavailable, UsageError
from edge_runtime.models.pictures.picture_input import PictureInput
from edge_runtime.models.pictures.pictures import decode_picture
from edge_runtime.tasks.classify import softmax
from edgert_tools.debian import DebianPackage, debian_files
from edgert_tools.existing.checks import GraphFacts
from edgert_tools.existing.examples import Examples, Feeds, Row
from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.pictures.paper import jpeg, pillow
from edgert_tools.progress import Say

PACKAGE = DebianPackage(
    "python3-skimage", "728d88c3e3440f1f3712de0805dc834d29248ff07e1eec8c0f3da07606f752f9", megabytes=21
)
_FOLDER = "usr/lib/python3/dist-packages/skimage/data"
JUDGED = (
    "astronaut.png", "brick.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png", "grass.png",
    "horse.png", "hubble_deep_field.jpg", "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg",
)  # fmt: skip
CALIBRATING = (
    "camera.png", "cell.png", "color.png", "gravel.png", "ihc.png", "logo.png", "moon.png", "text.png",
)  # fmt: skip
_PIECES, _CALIBRATION_PIECES = 120, 12  # of a picture
_SURE = 0.3  # the least probability of the first class
_JUDGE_SEED, _CALIBRATION_SEED = 21, 22
_LEAST_PART = 0.45  # of the shorter side
_JPEG = "image/jpeg"


def examples(recipe: GraphRecipe, facts: GraphFacts, say: Say) -> Examples:
    """Clear pieces of 13 pictures, from either side; and pieces of 8 others to calibrate on."""
    if recipe.image is None:
        raise UsageError("this data is for recipes with [image]")
    prepare = PictureInput(recipe.image)

    def feed(raw: bytes) -> Feeds:
        return {facts.inputs[0].name: prepare(decode_picture(raw, _JPEG, prepare.shortest_side))[0]}

    model = open_onnx(facts.file, 1)
    judged = list(pieces(JUDGED, _PIECES, _JUDGE_SEED, say))
    rows = [Row(raw=raw, media_type=_JPEG) for raw in judged if softmax(model.run(feed(raw))[0]).max() >= _SURE]
    feeds = [feed(raw) for raw in pieces(CALIBRATING, _CALIBRATION_PIECES, _CALIBRATION_SEED, say)]
    words = f"{len(rows)} clear pieces (of {len(judged)}) of {len(JUDGED)} pictures in Debian's {PACKAGE.name}"
    return Examples(rows, feeds, f"{words}; {len(feeds)} pieces of {len(CALIBRATING)} others to calibrate on")


def pieces(names: Sequence[str], count: int, seed: int, say: Say) -> Iterator[bytes]:
    """`count` pieces of each picture as JPEG; the same for the same seed.

    Raises:
        SourceUnavailable: the package cannot be had.
    """
    image, files, chance = pillow().Image, debian_files(PACKAGE, _FOLDER, say), random.Random(seed)
    for name in names:
        if name not in files:
            raise SourceUnavailable(f"the Debian package {PACKAGE.name} has no {name}: another release?")
        whole = image.open(io.BytesIO(files[name])).convert("RGB")
        for _ in range(count):
            side = round(min(whole.size) * chance.uniform(_LEAST_PART, 1))
            left, top = chance.randint(0, whole.width - side), chance.randint(0, whole.height - side)
            piece = whole.crop((left, top, left + side, top + side))
            yield jpeg(piece.transpose(image.Transpose.FLIP_LEFT_RIGHT) if chance.random() < 0.5 else piece, 92)
