"""Photos to a stack of pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.errors import UsageError

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
MOST = 32  # distinct photos; more only make the reference slower, since the worker repeats them to --images
LARGEST_PIXELS = 200_000_000


def default_photos() -> tuple[Path, ...]:
    """Return the photos that ship with the project (see photos/CREDITS.md)."""
    folder = resources.files("inferometer.models") / "photos"
    return tuple(sorted(Path(str(item)) for item in folder.iterdir() if item.name.endswith(".jpg")))


def find(paths: Sequence[Path] | None) -> tuple[Path, ...]:
    """Return at most `MOST` image files: those named, and those in the named folders by name; None: the defaults.

    UsageError if a path does not exist, a folder holds no image, or no path is given.
    """
    if paths is None:
        return default_photos()
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                item for item in path.iterdir() if item.suffix.lower() in SUFFIXES and item.is_file()
            )
            if not inside:
                raise UsageError(f"no image in folder {path} (looked for {', '.join(sorted(SUFFIXES))})")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise UsageError(f"image {path} does not exist; give an image file or a folder of images")
    if not files:
        raise UsageError(
            "no image given; give --image FILE or --image FOLDER, or leave it out for the default photos"
        )
    return tuple(files[:MOST])


def stack(files: Sequence[Path], height: int, width: int) -> Any:
    """Return the photos as float32 of shape (N, height, width, 3), RGB, 0..255.

    Turned as their EXIF data says, cut to the largest centred part of the wanted aspect, resized bicubically.
    """
    return np.stack([read(file, height, width) for file in files])


def read(file: Path, height: int, width: int) -> Any:
    """Return one photo as float32 (height, width, 3), RGB, 0..255; UsageError (one line) if it is no image."""
    from PIL import Image, ImageOps

    with opened(file) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
        fitted = ImageOps.fit(upright, (width, height), Image.Resampling.BICUBIC)
    return np.asarray(fitted, np.float32)


def read_part(file: Path, height: int, width: int, share: float, place: tuple[float, float]) -> Any:
    """Return a part of one photo as float32 (height, width, 3), RGB, 0..255; UsageError (one line) if it is no image.

    ``share``: the part's sides over those of the largest part of this aspect; ``place``: where it lies, 0 (left, top)
    to 1 (right, bottom).
    """
    from PIL import Image, ImageOps

    with opened(file) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
        scale = share * min(upright.width / width, upright.height / height)
        wide, high = scale * width, scale * height
        left, top = place[0] * (upright.width - wide), place[1] * (upright.height - high)
        box = (left, top, left + wide, top + high)
        fitted = upright.resize((width, height), Image.Resampling.BICUBIC, box=box)
    return np.asarray(fitted, np.float32)


def check(files: Sequence[Path]) -> None:
    """Raise UsageError (one line) for the first file that is no image, going by its head alone."""
    for file in files:
        with opened(file):
            pass


@contextmanager
def opened(file: Path) -> Iterator[Any]:
    """Yield an image of a bearable size; UsageError (one line) if it cannot be read, then or while it is."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            if image.width * image.height > LARGEST_PIXELS:
                raise UsageError(
                    f"{file} has {image.width}x{image.height} pixels, the limit is {LARGEST_PIXELS:,}; resize it first"
                )
            if image.mode.startswith(("I", "F")):  # of which Pillow makes everything above 255 white
                raise UsageError(
                    f"{file} has pixels of more than 8 bits ({image.mode}); convert it to 8 bits"
                )
            yield image
    except UnidentifiedImageError as error:
        raise UsageError(f"{file} is not an image that Pillow can read") from error
    except UsageError:
        raise
    except Exception as error:  # its decoders, and what reads metadata, have kinds of their own
        cause = "it asks for more memory than there is" if isinstance(error, MemoryError) else str(error)
        raise UsageError(f"cannot read image {file}: {cause or type(error).__name__}") from error


def standardized(pixels: Any) -> Any:
    """Return a stack as a model of unknown preprocessing may take it: each image to mean 0 and deviation 1."""
    mean = pixels.mean(axis=(1, 2, 3), keepdims=True)
    deviation = pixels.std(axis=(1, 2, 3), keepdims=True)
    return ((pixels - mean) / np.where(deviation > 0, deviation, 1)).astype(np.float32)


def grey(pixels: Any) -> Any:
    """Return RGB as one channel of luma (ITU-R BT.601)."""
    return pixels @ np.array([[0.299], [0.587], [0.114]], np.float32)
