"""Image files as the bytes of pixels that every row of a run is fed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from inferometer.errors import UsageError
from inferometer.models import images
from inferometer.models.datasets.preprocessing import Preprocessing

_MOST_RESIZED = 50_000_000  # pixels: a strip of one pixel in height would be resized to millions in width


def pixels(file: Path, wanted: Preprocessing) -> Any:
    """Return an image as uint8 (height, width, channels), RGB or grey; UsageError (one line) for what is none.

    Turned as its EXIF data says; then the shortest side resized to the wanted one over ``crop``, and the middle cut out.
    """
    from PIL import Image, ImageOps

    method = Image.Resampling[wanted.resize.upper()]
    with images.opened(file) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode == "P" and isinstance(upright.info.get("transparency"), bytes):
            upright = upright.convert("RGBA")  # else Pillow warns on the user's terminal, image by image
        upright = upright.convert("L" if wanted.channels == 1 else "RGB")
        if wanted.fit == "squash":
            fitted = upright.resize((wanted.width, wanted.height), method)
        else:
            fitted = _cropped(upright, file, wanted, method)
    array = np.asarray(fitted, np.uint8)
    return array[:, :, None] if wanted.channels == 1 else array


def _cropped(image: Any, file: Path, wanted: Preprocessing, method: Any) -> Any:
    """Resize and cut as torchvision's and timm's Resize and CenterCrop do."""
    tall, wide = (int(side / wanted.crop + 1e-6) for side in (wanted.height, wanted.width))
    scale = max(tall / image.height, wide / image.width)
    size = max(wide, int(image.width * scale)), max(tall, int(image.height * scale))
    if size[0] * size[1] > _MOST_RESIZED:
        raise UsageError(
            f"{file} is {image.width}x{image.height}: too long for a crop of {wanted.width}x{wanted.height}; remove it, or "
            "give --preprocess fit=squash"
        )
    resized = image.resize(size, method)
    left, top = round((size[0] - wanted.width) / 2), round((size[1] - wanted.height) / 2)
    return resized.crop((left, top, left + wanted.width, top + wanted.height))
