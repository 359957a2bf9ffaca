"""TensorFlow's own files: SavedModel folders, and LiteRT flatbuffers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.errors import UsageError
from inferometer.models import photo_inputs
from inferometer.models.artifact_cache import hash_file
from inferometer.models.contract import Form, ModelRequest
from inferometer.models.sources.source import (
    Origin,
    Source,
    existing,
    given_rows,
    judged,
    ranges_of,
    refuse_weights,
)
from inferometer.models.step_cache import StepCache

SUFFIXES = (".tflite",)
_GRAPH = "saved_model.pb"


@dataclass(frozen=True)
class _Kind:
    form: Form
    environment: str
    step: str
    package: str
    told: str  # what computes the reference


_KINDS = {
    "savedmodel": _Kind(
        "savedmodel", "tf", "savedmodel_source", "tensorflow", "TensorFlow {}, the file's signature, CPU"
    ),
    "tflite": _Kind("tflite", "litert", "litert_source", "ai-edge-litert", "LiteRT {}, plain kernels, CPU"),
}


def is_saved_model(path: str) -> bool:
    """Return whether a path is a SavedModel folder."""
    return (Path(path) / _GRAPH).is_file()


def from_folder(request: ModelRequest) -> Source:
    """Return the user's own SavedModel folder."""
    return _source("savedmodel", Path(request.model).resolve(), request)


def from_file(request: ModelRequest) -> Source:
    """Return the user's own LiteRT flatbuffer."""
    return _source("tflite", existing(request.model, "model"), request)


def _source(kind: str, path: Path, request: ModelRequest) -> Source:
    refuse_weights(request, path.name)
    found = _KINDS[kind]
    return Source(kind, path.stem, found.form, (found.environment,), file=path)


def make(request: ModelRequest, source: Source, steps: StepCache) -> Origin:
    """Return the model itself, with rows and reference outputs."""
    assert source.file
    kind = _KINDS[source.kind]
    if request.images:
        raise UsageError(
            f"--image is not for {source.file.name}: give --input FILE.npz with an array for each input"
        )
    inputs, data = given_rows(request)
    facts = {
        "file_hash": hash_file(source.file),
        "shapes": request.shapes,
        "ranges": ranges_of(request),
        "seed": request.seed,
        "trust": request.trust_model,
        "inputs_hash": hash_file(inputs) if inputs else "",
    }

    def finish(folder: Path, answer: dict[str, Any]) -> dict[str, Any]:
        return judged(kind.form, folder, {**answer, "layout": photo_inputs.layout_of(answer["inputs"])})

    made = steps.make(
        kind.step,
        kind.environment,
        facts,
        paths={"file": source.file, "inputs": inputs, "more": None},
        saying=f"computing reference outputs of {source.name}",
        then=finish,
    )
    return Origin(
        made,
        source=str(source.file),
        weights="its own",
        data=data,
        reference=kind.told.format(made.answer["versions"][kind.package]),
        content=facts["file_hash"],
    )
