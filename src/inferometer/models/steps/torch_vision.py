"""Image models of timm and torchvision: built, with the size of image that each was made for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inferometer.models.steps import dimensions, tensors
from inferometer.models.steps.torch_modules import Built, fetching

_FRAMES = 16  # of a video
_DETECTED = 640  # pixels a side, where a detector takes any size
_WEIGHTS = ("", "pretrained weights")
_KNOWN = {"timm": "resnet18 and vit_base_patch16_224", "torchvision": "resnet18 and vit_b_16"}
_IMAGE: tensors.Spec = {"name": "image", "dtype": "float32"}


def of_timm(name: str, pretrained: bool, shapes: Mapping[str, int]) -> Built:
    """Return timm's model of that name; ValueError (one line) where there is none, or its weights cannot be fetched."""
    import timm

    if name.partition(".")[0] not in timm.list_models():
        raise ValueError(_unknown("timm", name, timm.list_models()))
    model = fetching(
        f"timm:{name}", _WEIGHTS[pretrained], lambda: timm.create_model(name, pretrained=pretrained)
    )
    size = timm.data.resolve_model_data_config(model)["input_size"]
    specs = dimensions.bind([_IMAGE], [["batch", *size]], shapes)
    return Built(model.eval(), specs, versions={"timm": timm.__version__})


def of_torchvision(torch: Any, name: str, pretrained: bool, shapes: Mapping[str, int]) -> Built:
    """Return torchvision's model of that name; ValueError (one line) where there is none, or it does not take one image."""
    import torchvision
    from torchvision import models

    if name not in models.list_models():
        raise ValueError(_unknown("torchvision", name, models.list_models()))
    if name in models.list_models(models.optical_flow):
        raise ValueError(
            f"torchvision:{name} takes two images for many passes; give FILE.py:FACTORY that fixes them"
        )
    best = models.get_model_weights(name).DEFAULT
    chosen: dict[str, Any] = {"weights": best if pretrained else None}
    detects = name in models.list_models(models.detection)
    if detects or name in models.list_models(models.segmentation):
        chosen["weights_backbone"] = None
    model = fetching(f"torchvision:{name}", _WEIGHTS[pretrained], lambda: models.get_model(name, **chosen))
    axes: list[int | str] = ["batch", 3, *_size(model, best, detects)]
    if name in models.list_models(models.video):
        axes.insert(2, _FRAMES)
    specs = dimensions.bind([_IMAGE], [axes], shapes)
    versions = {"torchvision": torchvision.__version__}
    if not detects:
        return Built(model.eval(), specs, versions=versions)
    note = "its heads' own outputs: boxes before they are decoded and chosen among"
    return Built(_heads(torch, model, name).eval(), specs, notes=(note,), versions=versions)


def _size(model: Any, weights: Any, detects: bool) -> list[int]:
    """Return height and width that a model was made for."""
    if detects:
        fixed = getattr(model.transform, "fixed_size", None)
        return [fixed[1], fixed[0]] if fixed else [_DETECTED, _DETECTED]
    transforms = weights.transforms()
    size = list(getattr(transforms, "crop_size", None) or getattr(transforms, "resize_size", [224])[:1])
    return size if len(size) == 2 else size * 2


def _heads(torch: Any, model: Any, name: str) -> Any:
    """Return a one-stage detector up to its heads, under the same names of weights; ValueError for detectors of two stages."""
    if hasattr(model, "roi_heads") or not hasattr(model, "head"):
        raise ValueError(
            f"torchvision:{name} gives every image a list of its own length, which cannot be compared row by row; "
            "give FILE.py:FACTORY with its backbone and heads"
        )

    class Heads(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.head = model.backbone, model.head

        def forward(self, image: Any) -> Any:
            found = self.backbone(image)
            return self.head([found] if isinstance(found, torch.Tensor) else list(found.values()))

    return Heads()


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    import difflib

    near = [item for item in known if item.startswith(name)][:3] or difflib.get_close_matches(
        name, known, n=3
    )
    if near:
        return f"{kind} has no model '{name}'; did you mean {' or '.join(near)}?"
    return f"{kind} has no model '{name}'; it has {len(known):,}, such as {_KNOWN[kind]}: see {kind}'s list_models()"
