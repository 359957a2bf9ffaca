"""The user's own ONNX file: taken as it is, with ONNX Runtime unoptimised as its reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models import photo_inputs
from inferometer.models.artifact_cache import key_of
from inferometer.models.contract import ModelRequest
from inferometer.models.sources.source import (
    Origin,
    Source,
    existing,
    given_rows,
    hash_file,
    judged,
    ranges_of,
    refuse_weights,
)
from inferometer.models.step_cache import CachedStep, StepCache

SUFFIXES = (".onnx",)


def from_file(request: ModelRequest) -> Source:
    """Return the user's own ONNX file; UsageError if there is none, or weights are given for it."""
    file = existing(request.model, "model")
    refuse_weights(request, file.name)
    return Source("onnx", file.stem, "onnx", ("onnxrt",), file=file)


def inspect(request: ModelRequest, source: Source, steps: StepCache) -> dict[str, Any]:
    """Return what the file takes, how large it is, and which files hold its weights (looked for anew each time)."""
    return steps.run("onnxrt", "onnx_inspect", {**_asked(request), **_paths(request, source)})


def make(request: ModelRequest, source: Source, steps: StepCache) -> Origin:
    """Return the file itself, with rows and reference outputs."""
    inspected = inspect(request, source, steps)
    made, data = _make(request, source, steps, inspected)
    changes, content = made.answer["notes"], made.answer["content_hash"]
    return Origin(
        made,
        source=str(source.file),
        weights="its own",
        data="; ".join([data, *changes]),
        reference=f"ONNX Runtime {made.answer['versions']['onnxruntime']} without graph optimisations, CPU",
        content=[content, *changes] if changes else content,
    )


def _asked(request: ModelRequest) -> dict[str, Any]:
    return {
        "shapes": request.shapes,
        "batch_axes": request.batch_axes,
        "ranges": ranges_of(request),
        "seed": request.seed,
    }


def _paths(request: ModelRequest, source: Source) -> dict[str, str | None]:
    return {"file": str(source.file), "inputs": str(request.inputs.absolute()) if request.inputs else None}


def _make(
    request: ModelRequest, source: Source, steps: StepCache, inspected: dict[str, Any]
) -> tuple[CachedStep, str]:
    assert source.file
    inputs, data = _data(request, steps, inspected["inputs"])
    more = None if request.inputs else photo_inputs.more_beside(inputs)
    parts = {name: hash_file(source.file.parent / name) for name in inspected["external"]}
    facts = {
        "content_hash": key_of({"model.onnx": hash_file(source.file), **parts}),
        "external": inspected["external"],
        **_asked(request),
        "inputs_hash": hash_file(inputs) if inputs else "",
        "more_hash": hash_file(more) if more else "",
    }

    def finish(folder: Path, answer: dict[str, Any]) -> dict[str, Any]:
        layout = photo_inputs.layout_of(answer["inputs"])
        size = {name: inspected[name] for name in ("parameters", "macs")}
        known = judged(source, folder, {**answer, **size, "layout": layout})
        return {**known, "content_hash": facts["content_hash"]}

    paths = {"file": source.file, "inputs": inputs, "more": more}
    saying = f"computing reference outputs of {source.name}"
    made = steps.make("onnx_source", "onnxrt", facts, paths=paths, saying=saying, then=finish)
    return made, data


def _data(request: ModelRequest, steps: StepCache, specs: list[dict[str, Any]]) -> tuple[Path | None, str]:
    return photo_inputs.as_input(steps, request.images, specs) if request.images else given_rows(request)
