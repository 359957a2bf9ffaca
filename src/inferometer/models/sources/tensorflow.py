"""TensorFlow's own files: SavedModel folders, and LiteRT flatbuffers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.errors import UsageError
from inferometer.models import photo_inputs
from inferometer.models.contract import Form, ModelRequest
from inferometer.models.sources.source import (
    Origin,
    Source,
    existing,
    given_rows,
    hash_file,
    judged,
    ranges_of,
    refuse_weights,
    rows_asked,
)
from inferometer.models.step_cache import StepCache

SUFFIXES = (".tflite",)
_GRAPH = "saved_model.pb"


@dataclass(frozen=True)
class _Kind:
    form: Form
    environment: str
    step: str
    inspection: str
    package: str
    told: str  # what computes the reference


_KINDS = {
    "savedmodel": _Kind(
        "savedmodel",
        "tf",
        "savedmodel_source",
        "savedmodel_inspect",
        "tensorflow",
        "TensorFlow {}, the file's signature, CPU",
    ),
    "tflite": _Kind(
        "tflite",
        "litert",
        "litert_source",
        "litert_inspect",
        "ai-edge-litert",
        "LiteRT {}, plain kernels, CPU",
    ),
}


def is_saved_model(path: str) -> bool:
    """Return whether a path is a SavedModel folder."""
    return (Path(path) / _GRAPH).is_file()


def from_folder(request: ModelRequest) -> Source:
    """Return the user's own SavedModel folder; UsageError for a pipe or a device in it, which has no end."""
    for path in Path(request.model).rglob("*"):
        if path.exists() and not path.is_file() and not path.is_dir():
            raise UsageError(
                f"{request.model} has {path.name}, which is neither a file nor a folder; take it out"
            )
    return _source("savedmodel", Path(request.model).absolute(), request)


def from_file(request: ModelRequest) -> Source:
    """Return the user's own LiteRT flatbuffer."""
    return _source("tflite", existing(request.model, "model"), request)


def _source(kind: str, path: Path, request: ModelRequest) -> Source:
    refuse_weights(request, path.name)
    if request.images:
        raise UsageError(
            f"--image is not for {path.name}: give --input FILE.npz with an array for each input"
        )
    found = _KINDS[kind]
    return Source(kind, path.stem, found.form, (found.environment,), file=path)


def inspect(request: ModelRequest, source: Source, steps: StepCache) -> dict[str, Any]:
    """Return what the model takes, and how large it is."""
    assert source.file
    kind = _KINDS[source.kind]
    rows, located = rows_asked(request)
    facts = {
        "file_hash": hash_file(source.file), "shapes": request.shapes, "trust": request.trust_model,
        "seed": request.seed, **rows,
    }  # fmt: skip
    paths = {"file": source.file, **located}
    saying = f"reading {source.name}"
    return steps.make(kind.inspection, kind.environment, facts, paths=paths, saying=saying).answer


def make(request: ModelRequest, source: Source, steps: StepCache) -> Origin:
    """Return the model itself, with rows and reference outputs."""
    assert source.file
    kind = _KINDS[source.kind]
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
        return judged(source, folder, {**answer, "layout": photo_inputs.layout_of(answer["inputs"])})

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
