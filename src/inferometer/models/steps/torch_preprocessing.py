"""Environment `torch-models`: how images become the input of an architecture of timm or torchvision.

Request: architecture (timm:NAME or torchvision:NAME). Answers `own`: fields of `models.datasets.preprocessing`, or None.
"""

from __future__ import annotations

from typing import Any

_FITS = {"center": "crop", "squash": "squash"}
_RESIZES = ("bicubic", "bilinear", "nearest", "lanczos", "box", "hamming")


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return what the package itself says of the architecture's weights."""
    kind, _, name = request["architecture"].partition(":")
    return {"own": _of_timm(name) if kind == "timm" else _of_torchvision(name)}


def _of_timm(name: str) -> dict[str, Any]:
    import timm

    known = timm.get_pretrained_cfg(name)
    found = timm.data.resolve_data_config(pretrained_cfg=known.to_dict() if known else {}, verbose=False)
    return {
        "crop": float(found["crop_pct"]),
        "fit": _FITS.get(found.get("crop_mode", "center"), "crop"),
        "resize": _resize(str(found["interpolation"])),
        "mean": [float(value) for value in found["mean"]],
        "std": [float(value) for value in found["std"]],
    }


def _of_torchvision(name: str) -> dict[str, Any] | None:
    from torchvision import models

    transforms = models.get_model_weights(name).DEFAULT.transforms()
    try:
        cut, resized = transforms.crop_size[0], transforms.resize_size[0]
        mean, std = list(transforms.mean), list(transforms.std)
    except (
        AttributeError,
        TypeError,
        IndexError,
    ):  # of a detector or a video, whose preprocessing is another
        return None
    kind = getattr(transforms.interpolation, "value", "bilinear")
    return {"crop": cut / resized, "resize": _resize(str(kind)), "mean": mean, "std": std}


def _resize(name: str) -> str:
    return name if name in _RESIZES else "bicubic"
