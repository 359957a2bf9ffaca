"""Photos as model inputs, stacked once and kept in the cache."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.errors import UsageError
from inferometer.models import augmentation, images
from inferometer.models.artifact_cache import hash_file, key_of
from inferometer.models.step_cache import StepCache
from inferometer.models.steps.checks import INPUTS, MOST_BYTES
from inferometer.models.steps.tensors import write_npz

_MORE = "more.npz"


def stack(steps: StepCache, paths: Sequence[Path] | None, height: int, width: int) -> tuple[Path, str]:
    """Return an .npz with `images`, float32 (N, height, width, 3), RGB, 0..255, and what to call it."""
    files = images.find(paths)
    kept = _keep(steps, files, (height, width), name="images", how="pixels")
    return kept, _source_text(files, paths is None)


def more_beside(photos: Path | None) -> Path | None:
    """Return where `stack` and `as_input` left more rows for checks, made of parts of the same photos."""
    return photos.with_name(_MORE) if photos else None


def as_input(steps: StepCache, paths: Sequence[Path] | None, specs: list[dict[str, Any]]) -> tuple[Path, str]:
    """Return an .npz for a model whose only input is an image, and what to call it; UsageError for any other model.

    Float inputs get each photo standardised to mean 0 and deviation 1, uint8 inputs the pixels as they are.
    """
    files = images.find(paths)
    layout = check(files, specs)
    spec = specs[0]
    height, width, channels = _sizes(spec, layout)
    how = f"{layout} {spec['dtype']} {channels}"
    return _keep(
        steps, files, (height, width), name=spec["name"], how=how
    ), f"{_source_text(files, paths is None)}, {_scaling(spec)}"


def check(files: Sequence[Path], specs: list[dict[str, Any]]) -> str:
    """Return the layout of a model's only input, an image that ``files`` can be; UsageError where they cannot."""
    layout = _image_layout(specs[0]) if len(specs) == 1 else ""
    if not layout:
        told = "; ".join(f"{item['name']} {item['dtype']} {item['shape']}" for item in specs)
        raise UsageError(
            f"--image needs a model with one image input, this one takes {told}; give --input FILE.npz"
        )
    rows = specs[0]["shape"][0]
    if rows is not None and len(files) % rows:
        raise UsageError(
            f"the model's batch is fixed to {rows}; give a multiple of {rows} images, not {len(files)}"
        )
    return layout


def layout_of(specs: Sequence[dict[str, Any]]) -> str:
    """Return the layout that all 4-D inputs of a model have as images, "" where there are none or they are no images."""
    layouts = {_image_layout(spec) for spec in specs if len(spec["shape"]) == 4}
    return layouts.pop() if len(layouts) == 1 else ""


def _image_layout(spec: dict[str, Any]) -> str:
    if len(spec["shape"]) != 4 or spec["dtype"] not in ("float32", "float16", "uint8"):
        return ""
    if spec["shape"][3] in (1, 3):
        return "NHWC"
    return "NCHW" if spec["shape"][1] in (1, 3) else ""


def _sizes(spec: dict[str, Any], layout: str) -> tuple[int, int, int]:
    _, *sizes = spec["shape"]
    height, width, channels = sizes if layout == "NHWC" else (sizes[1], sizes[2], sizes[0])
    return height, width, channels


def _scaling(spec: dict[str, Any]) -> str:
    return "pixels 0..255" if spec["dtype"] == "uint8" else "each standardised"


def _keep(steps: StepCache, files: Sequence[Path], size: tuple[int, int], *, name: str, how: str) -> Path:
    parts = {
        "step": "photos",
        "code": key_of({"code": [inspect.getsource(part) for part in (images, augmentation, _convert)]}),
        "files": [hash_file(file) for file in files],
        "size": list(size),
        "name": name,
        "how": how,
    }

    def make(folder: Path) -> dict[str, Any]:
        array = _convert(images.stack(files, *size), how)
        write_npz(
            str(folder / "photos.npz"), {name: array}
        )  # equal photos, equal bytes: they name what follows
        most = max(1, MOST_BYTES // array[:1].nbytes)
        parts = augmentation.parts_of(files, *size, count=min(most, max(0, INPUTS - len(files))))
        write_npz(str(folder / _MORE), {name: _convert(parts, how)})
        return {"shape": list(array.shape)}

    return steps.cache.get(parts, make)[0] / "photos.npz"


def _convert(pixels: Any, how: str) -> Any:
    if how == "pixels":
        return pixels
    layout, dtype, channels = how.split()
    array = images.grey(pixels) if channels == "1" else pixels
    array = array.round() if dtype == "uint8" else images.standardized(array)
    array = array.transpose(0, 3, 1, 2) if layout == "NCHW" else array
    return np.ascontiguousarray(array).astype(dtype)


def _source_text(files: Sequence[Path], default: bool) -> str:
    kind = "default photos" if default else "photos"
    names = ", ".join(file.name for file in files[:4])
    more = f" and {len(files) - 4} more" if len(files) > 4 else ""
    return f"{len(files)} {kind}: {names}{more}"
