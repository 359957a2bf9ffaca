"""How images become a transformers model's input, by the preprocessor_config.json beside its configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inferometer.errors import UsageError

_FILE = "preprocessor_config.json"
_RESIZES = {
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
    4: "box",
    5: "hamming",
}  # Pillow's numbers
_MOST_BYTES = 1 << 20


def read(folder: Path) -> dict[str, Any] | None:
    """Return the fields of `datasets.preprocessing` that a folder's file gives, None where there is none.

    UsageError (one line) for a file that means nothing.
    """
    path = folder / _FILE
    if not path.is_file():
        return None
    try:
        with path.open(encoding="utf-8") as file:
            return _fields(json.loads(file.read(_MOST_BYTES)))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, ZeroDivisionError) as error:
        raise UsageError(
            f"{path} cannot be used: {' '.join(str(error).split())[:120]}; say it with --preprocess"
        ) from error


def _fields(config: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {"scale": 1.0, "resize": _RESIZES.get(config.get("resample", 2), "bilinear")}
    if config.get("do_rescale", True):
        fields["scale"] = float(config.get("rescale_factor", 1 / 255))
    if config.get("do_normalize", True) and "image_mean" in config:
        fields["mean"] = [float(value) for value in config["image_mean"]]
        fields["std"] = [float(value) for value in config["image_std"]]
        if min(fields["std"]) <= 0 or len(fields["std"]) not in (1, 3):
            raise ValueError(f"image_std is {config['image_std']}")
    size = config.get("size")
    shortest = size.get("shortest_edge") if isinstance(size, dict) else size
    cut = config.get("crop_size")
    cut = cut.get("height") if isinstance(cut, dict) else cut
    if config.get("crop_pct"):
        return {**fields, "crop": float(config["crop_pct"])}
    if shortest and cut and config.get("do_center_crop"):
        return {**fields, "crop": min(1.0, float(cut) / float(shortest))}
    return {**fields, "fit": "squash"}  # as ViT's: the whole image, at the model's size
