"""What MODEL names: an architecture of keras.applications, an ONNX file, or a Keras file. Reads files, runs nothing."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from inferometer.errors import UsageError
from inferometer.models import images
from inferometer.models.catalogue import APPLICATIONS, Application, canonical
from inferometer.models.contract import FORMS, ModelRequest

WEIGHT_SUFFIXES = (".h5", ".keras")  # .weights.h5 included
_ENVIRONMENTS = {
    "keras": ["tf"],
    "savedmodel": ["tf"],
    "exported": ["tf", "torch"],
    "onnx": ["tf", "torch", "onnxrt"],
    "tflite": ["tf", "litert"],
}


@dataclass(frozen=True)
class Source:
    """Where a model comes from."""

    kind: Literal["application", "keras", "onnx"]
    name: str  # short, for tables
    application: Application | None = None
    file: Path | None = None


def resolve(request: ModelRequest) -> Source:
    """Return the source that ``request`` names, with everything checked that can be without a framework.

    UsageError (one line) for unknown names, missing or foreign files, weights that do not fit the kind of source,
    and Lambda layers without trust.
    """
    suffix = Path(request.model).suffix.lower()
    if suffix == ".onnx":
        source = Source("onnx", Path(request.model).stem, file=_existing(request.model, "model"))
    elif suffix == ".keras":
        source = Source("keras", Path(request.model).stem, file=_existing(request.model, "model"))
        _check_keras_file(Path(request.model), request.trust_model)
    else:
        name = canonical(request.model)
        source = Source("application", name, application=APPLICATIONS[name])
        _refuse_foreign(request, source)
    _check_weights(request, source)
    _check_inputs(request)
    return source


def forms_reachable(source: Source) -> dict[str, list[str] | str]:
    """Return for each form the environments that its steps need, or the reason why no exact conversion reaches it."""
    if source.kind != "onnx":
        return {form: list(_ENVIRONMENTS[form]) for form in FORMS}
    reasons: dict[str, list[str] | str] = {
        form: f"no exact conversion from ONNX to {_TITLES[form]}" for form in FORMS if form != "onnx"
    }
    return {**reasons, "onnx": ["onnxrt"]}


def conversion_environments() -> tuple[str, ...]:
    """Return every environment that some step runs in."""
    return tuple(sorted({name for names in _ENVIRONMENTS.values() for name in names}))


_TITLES = {
    "keras": "a Keras file",
    "savedmodel": "a SavedModel",
    "exported": "a torch exported program",
    "tflite": "a LiteRT flatbuffer",
}


def _existing(path: str, kind: str) -> Path:
    file = Path(path)
    if not file.is_file():
        what = "is a directory" if file.is_dir() else "does not exist"
        raise UsageError(f"{kind} file {path} {what}; give the path of a file")
    return file.resolve()


def _refuse_foreign(request: ModelRequest, source: Source) -> None:
    if source.kind == "application" and (request.shapes or request.input_ranges or request.inputs):
        raise UsageError(
            f"{source.name} takes photos of a fixed size: --shape, --input-range and --input are for "
            "FILE.onnx and FILE.keras; give --image for other photos"
        )


def _check_weights(request: ModelRequest, source: Source) -> None:
    weights = request.weights
    if source.kind == "onnx" and weights != "random":
        raise UsageError(f"{source.name}.onnx has its own weights; leave out --weights {weights}")
    if weights == "random" or (weights == "imagenet" and source.kind == "application"):
        return
    if weights == "imagenet":
        raise UsageError(f"{source.name}.keras has no imagenet weights; leave out --weights, or give a file")
    file = _existing(weights, "weights")
    if file.suffix.lower() not in WEIGHT_SUFFIXES:
        raise UsageError(
            f"weights file {weights} must end in .weights.h5, .h5 or .keras; or give random or imagenet"
        )


def _check_inputs(request: ModelRequest) -> None:
    if request.inputs and request.images:
        raise UsageError("--image and --input both give the inputs; leave one out")
    if request.inputs:
        _existing(str(request.inputs), "input")
    if request.images:
        images.check(images.find(request.images))


def _check_keras_file(path: Path, trust: bool) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
        raise UsageError(
            f"{path.name} is no Keras file (a .keras file is a zip with config.json): {error}"
        ) from error
    if not trust and "Lambda" in _class_names(config):
        raise UsageError(
            f"{path.name} has a Lambda layer, which runs code from the file; give --trust-model if you trust it"
        )


def _class_names(config: Any) -> set[str]:
    if isinstance(config, dict):
        own = {config["class_name"]} if isinstance(config.get("class_name"), str) else set()
        return own.union(*(_class_names(value) for value in config.values()))
    if isinstance(config, list):
        return set().union(*(_class_names(value) for value in config))
    return set()
