"""What MODEL names: a file, a folder, or an architecture by name. Reads files, runs nothing.

A kind of source says what it takes (`resolve`), and what makes its own form of it with rows and reference (`make`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from inferometer.errors import UsageError
from inferometer.models import images
from inferometer.models.contract import ModelRequest, is_path
from inferometer.models.sources import keras, onnx, tensorflow, torch
from inferometer.models.sources.foreign import CONVERSIONS
from inferometer.models.sources.source import Origin, Source
from inferometer.models.step_cache import StepCache
from inferometer.models.steps import given

__all__ = ["Origin", "Source", "inspect", "make", "resolve"]

_FILES: Mapping[str, Callable[[ModelRequest], Source]] = {
    **dict.fromkeys(keras.SUFFIXES, keras.from_file),
    **dict.fromkeys(onnx.SUFFIXES, onnx.from_file),
    **dict.fromkeys(torch.SUFFIXES, torch.from_file),
    **dict.fromkeys(tensorflow.SUFFIXES, tensorflow.from_file),
}
_MAKERS: Mapping[str, Callable[[ModelRequest, Source, StepCache], Origin]] = {
    "keras": keras.make,
    "onnx": onnx.make,
    "torch": torch.make,
    "torch-program": torch.make,
    "torchscript": torch.make,
    "savedmodel": tensorflow.make,
    "tflite": tensorflow.make,
}

_INSPECTORS: Mapping[str, Callable[[ModelRequest, Source, StepCache], dict[str, Any]]] = {
    "keras": keras.inspect,
    "onnx": onnx.inspect,
    "torch": torch.inspect,
    "torch-program": torch.inspect,
    "torchscript": torch.inspect,
    "savedmodel": tensorflow.inspect,
    "tflite": tensorflow.inspect,
}
_OWN_PREPROCESSING: Mapping[str, Callable[[Source, StepCache], dict[str, Any] | None]] = {
    "keras": keras.own_preprocessing,
    "torch": torch.own_preprocessing,
}


def resolve(request: ModelRequest) -> Source:
    """Return the source that ``request`` names, with everything checked that can be without a framework.

    UsageError (one line) for unknown names, missing or foreign files, weights that do not fit the kind of source,
    and code of a model's own without trust.
    """
    source = _named(request)
    if request.architecture and source.kind != "torch":
        raise UsageError(
            f"--architecture is for a file of PyTorch weights, not for {request.model}; leave it out"
        )
    if request.batch_axes and source.kind != "onnx":
        raise UsageError("--batch-axis is for ONNX files: other models have rows first; leave it out")
    _check_inputs(request)
    return source


def make(request: ModelRequest, source: Source, steps: StepCache) -> Origin:
    """Return the source in its own form, with rows and reference; ModelError where it cannot be loaded, run or judged."""
    return _MAKERS[source.kind](request, source, steps)


def inspect(request: ModelRequest, source: Source, steps: StepCache) -> dict[str, Any]:
    """Return what a source's file says: `inputs` with every dimension but the batch known, `parameters` and `macs`.

    Nothing is computed and no weights are fetched. InputError (one line) where it cannot be loaded, or leaves sizes open.
    """
    return _INSPECTORS[source.kind](request, source, steps)


def own_preprocessing(source: Source, steps: StepCache) -> dict[str, Any] | None:
    """Return what a source knows of how images become its input (fields of `datasets.preprocessing`), None for nothing."""
    own = _OWN_PREPROCESSING.get(source.kind)
    return own(source, steps) if own else None


def _named(request: ModelRequest) -> Source:
    name = request.model
    if torch.is_architecture(name):
        return torch.named(request)
    if tensorflow.is_saved_model(name):
        return tensorflow.from_folder(request)
    suffix = Path(name).suffix.lower()
    if suffix in _FILES:
        return _FILES[suffix](request)
    if is_path(name):
        raise UsageError(_refusal(name, Path(name)))
    return keras.named(request)


def _refusal(name: str, path: Path) -> str:
    """Return why a path is no model that can be measured, and what to do."""
    if not path.exists():
        return f"model {name} does not exist; give the path of a file, or a name"
    if conversion := CONVERSIONS.get(path.suffix.lower()):
        return f"{path.name} is {conversion}"
    if (path / "config.json").is_file():
        return f"{name} is no model that can be measured; give hf:{name}"
    inside = next((found.parent for found in path.glob("*/saved_model.pb")), None) if path.is_dir() else None
    if inside:
        return f"{name} is no model that can be measured; give {inside}"
    return f"{name} is no model that can be measured; known are files {', '.join(_FILES)}, and SavedModel folders"


def _check_rows(path: Path) -> None:
    try:
        given.files(path)
    except (ValueError, OSError) as error:
        raise UsageError(str(error)) from error


def _check_inputs(request: ModelRequest) -> None:
    if request.inputs and request.images:
        raise UsageError("--image and --input both give the inputs; leave one out")
    if request.inputs:
        _check_rows(request.inputs)
    if request.images:
        images.check(images.find(request.images))
