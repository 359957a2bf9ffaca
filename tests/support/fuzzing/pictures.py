"""Image files of strangers: photos to feed a model, and those of a data set."""

from __future__ import annotations

import io
import random
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from fuzzing.mutation import bytes_of
from fuzzing.outcome import Outcome, outcome_of
from inferometer.models import images
from inferometer.models.datasets import decoding
from inferometer.models.datasets.preprocessing import Preprocessing

_WAYS = (Preprocessing(8, 8), Preprocessing(8, 8, fit="squash"), Preprocessing(8, 8, channels=1))


class Pictures:
    name = "images"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._whole = _files()

    def __call__(self, seed: int) -> Outcome:
        chance = random.Random(seed)
        suffix, data = chance.choice(self._whole)
        file = self._folder / f"changed.{suffix}"
        file.write_bytes(bytes_of(chance, data))
        way = chance.choice(_WAYS)
        return outcome_of(lambda: _decoded(file, way))


def _decoded(file: Path, way: Preprocessing) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own, of metadata
        images.check((file,))
        images.read(file, 8, 8)
        images.read_part(file, 4, 4, 0.5, (0.0, 1.0))
        decoding.pixels(file, way)


def _files() -> list[tuple[str, bytes]]:
    """Return small images of every kind that is read, some with metadata, a palette, or transparency."""
    pixels = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    whole = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "turned"  # orientation, description
    palette = whole.quantize(16)
    kinds = (
        (whole, "png", {}),
        (whole.convert("RGBA"), "png", {}),
        (palette, "png", {"transparency": b"\0\x80" * 8}),
        (whole, "jpeg", {"exif": exif, "quality": 90}),
        (whole, "jpeg", {"progressive": True}),
        (palette, "gif", {}),
        (whole, "bmp", {}),
        (whole, "tiff", {"exif": exif}),
        (whole, "tiff", {"compression": "tiff_deflate"}),
        (whole, "webp", {"exif": exif}),
    )
    return [(kind, _saved(image, kind, options)) for image, kind, options in kinds]


def _saved(image: Image.Image, kind: str, options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
