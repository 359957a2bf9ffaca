"""What is done to an image before a model sees it: cut and resized once, normalised by each worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from inferometer.errors import UsageError

RESIZES = ("bicubic", "bilinear", "nearest", "lanczos", "box", "hamming")
FITS = ("crop", "squash")
ORDERS = ("RGB", "BGR")
LARGEST_SIDE = 16_384
_KEYS = "size=, crop=, fit=, resize=, order=, scale=, mean=, std="


@dataclass(frozen=True)
class Preprocessing:
    """Pixels 0 to 255 to numbers: (pixel x scale - mean) / std, channel by channel in ``order``."""

    height: int
    width: int
    crop: float = 0.875  # share of the shortest side that the centred crop keeps
    fit: str = "crop"  # or "squash": the whole image, whatever its aspect
    resize: str = "bicubic"
    order: str = "RGB"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    channels: int = 3

    @property
    def facts(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    @property
    def affine(self) -> dict[str, Any]:
        """Return what is left to the worker, as JSON values."""
        return {name: self.facts[name] for name in ("order", "scale", "mean", "std")}

    @property
    def is_of_pixels(self) -> bool:
        """Return whether nothing is left to the worker but the order of channels, so that bytes stay bytes."""
        return self.scale == 1 and set(self.mean) == {0.0} and set(self.std) == {1.0}


def parsed(text: str) -> dict[str, Any]:
    """Return the fields of `Preprocessing` in "size=224,crop=0.875,mean=0.485:0.456:0.406"; UsageError in one line."""
    fields: dict[str, Any] = {}
    for word in (word.strip() for word in text.split(",") if word.strip()):
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals or name not in _READERS:
            raise UsageError(
                f"--preprocess '{word}' is none of {_KEYS}; lists have colons: mean=0.485:0.456:0.406"
            )
        try:
            found = _READERS[name](value)
        except (ValueError, ZeroDivisionError):
            raise UsageError(f"--preprocess {name}={value}: {_LIMITS[name]}") from None
        fields |= found if isinstance(found, dict) else {name: found}
    return fields


def written(given: str | Mapping[str, Any]) -> str:
    """Return what a program gave as the command line's text: a mapping, or that text."""
    if isinstance(given, str):
        return given

    def text(value: Any) -> str:
        return ":".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    sized = {
        name: "x".join(map(str, value)) if name == "size" and isinstance(value, list | tuple) else text(value)
        for name, value in given.items()
    }
    return ",".join(f"{name}={value}" for name, value in sized.items())


def _size(text: str) -> dict[str, int]:
    height, _, width = text.lower().partition("x")
    sides = int(height), int(width or height)
    if not all(1 <= side <= LARGEST_SIDE for side in sides):
        raise ValueError
    return dict(zip(("height", "width"), sides, strict=True))


def _number(text: str) -> float:
    above, _, below = text.partition("/")
    value = float(above) / float(below or 1)
    if not abs(value) < 1e6:
        raise ValueError
    return value


def _crop(text: str) -> float:
    value = _number(text)
    if not 0.05 <= value <= 1:
        raise ValueError
    return value


def _scale(text: str) -> float:
    value = _number(text)
    if value == 0:
        raise ValueError
    return value


def _channels(text: str) -> tuple[float, ...]:
    values = tuple(_number(part) for part in text.split(":"))
    if len(values) not in (1, 3):
        raise ValueError
    return values


def _deviations(text: str) -> tuple[float, ...]:
    values = _channels(text)
    if min(values) <= 0:
        raise ValueError
    return values


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        found = [name for name in known if name.lower() == text.lower()]
        if not found:
            raise ValueError
        return found[0]

    return read


_READERS: Mapping[str, Any] = {
    "size": _size,
    "crop": _crop,
    "fit": _one_of(FITS),
    "resize": _one_of(RESIZES),
    "order": _one_of(ORDERS),
    "scale": _scale,
    "mean": _channels,
    "std": _deviations,
}
_LIMITS: Mapping[str, str] = {
    "size": f"a size is pixels a side, or HEIGHTxWIDTH, 1 to {LARGEST_SIDE}",
    "crop": "a crop is the share of the shortest side that is kept, 0.05 to 1",
    "fit": f"give {' or '.join(FITS)}",
    "resize": f"give one of {', '.join(RESIZES)}",
    "order": f"give {' or '.join(ORDERS)}",
    "scale": "a scale is a number that pixels 0 to 255 are multiplied by, such as 1/255",
    "mean": "give one number, or three with colons, as in 0.485:0.456:0.406",
    "std": "give one number above 0, or three with colons, as in 0.229:0.224:0.225",
}


def settled(text: str, own: Mapping[str, Any] | None, spec: Mapping[str, Any], layout: str) -> Preprocessing:
    """Return the preprocessing for a model's image input: what was asked, else the model's own, at its input's size.

    ``own``: fields that the model's source knows, None where it knows none. UsageError where neither is given, or the size
    is another than the model's.
    """
    asked = parsed(text)
    if own is None and not asked:
        raise UsageError(
            "how images become this model's input is not known; say it, for instance --preprocess "
            "scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225 (--preprocess scale=1 for raw pixels)"
        )
    sizes = spec["shape"][1:]
    height, width, channels = sizes if layout == "NHWC" else (sizes[1], sizes[2], sizes[0])
    given = {**(own or {}), **asked}
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    # a model's own size is a hint, the input's is what it takes
    taken = {"height": height, "width": width}
    for name, side in taken.items():
        if asked.get(name, side) != side:
            raise UsageError(
                f"--preprocess size={asked['height']}x{asked['width']}, but the model takes {height}x{width}; leave size out"
            )
    found = Preprocessing(**{**fields, **taken, "channels": channels})
    if spec["dtype"] == "uint8" and not found.is_of_pixels:
        raise UsageError(
            "the model takes pixels as bytes, which cannot be normalised: give --preprocess scale=1"
        )
    return found
