"""The user's own ONNX file: taken as it is, with ONNX Runtime unoptimised as its reference."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from inferometer.models import photo_inputs
from inferometer.models.artifact_cache import hash_file, key_of
from inferometer.models.contract import ModelRequest, PreparedModel
from inferometer.models.identity import identity
from inferometer.models.sources import Source
from inferometer.models.step_cache import (
    CachedStep,
    StepCache,
    artifact,
    check_judgeable,
    checks_in,
    conversion_facts,
    judge,
    read_arrays,
)
from inferometer.records import ModelInfo


def prepare(
    request: ModelRequest, source: Source, forms: set[str], steps: StepCache, reasons: dict[str, str]
) -> PreparedModel:
    """Return the ONNX model if it is among ``forms``; ``reasons`` say why the other forms cannot be had."""
    assert source.file
    facts = {"file_hash": hash_file(source.file), "folder": str(source.file.parent), "shapes": request.shapes}
    inspected = steps.run("onnxrt", "onnx_inspect", {**facts, "file": str(source.file)})
    made, data = _make(request, source, steps, inspected)
    rows = made.folder / "inputs.npz"
    return PreparedModel(
        info=ModelInfo(
            name=source.name,
            source=str(source.file),
            weights="its own",
            hash=identity(made.answer["file_hash"], made.answer["inputs"], rows),
            inputs=tuple(made.answer["inputs"]),
            data=data,
            reference=f"ONNX Runtime {made.answer['versions']['onnxruntime']} without graph optimisations, CPU",
            conversions={"onnx": conversion_facts(made)},
        ),
        artifacts={"onnx": artifact("onnx", made, "model.onnx")} if "onnx" in forms else {},
        missing={form: reason for form, reason in reasons.items() if form in forms},
        inputs=rows,
        reference=made.folder / "reference.npz",
        checks=checks_in(made.folder, made.answer),
    )


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
        "shapes": request.shapes,
        "ranges": {name: list(limits) for name, limits in request.input_ranges.items()},
        "seed": request.seed,
        "inputs_hash": hash_file(inputs) if inputs else "",
        "more_hash": hash_file(more) if more else "",
    }

    def finish(folder: Path, answer: dict[str, Any]) -> dict[str, Any]:
        reference = read_arrays(folder / "reference.npz")
        checks = checks_in(folder, answer)
        check_judgeable(reference, checks)
        _copy(source.file, inspected["external"], folder)
        found = {"layout": "", "parity": judge(folder, reference, checks), "file_hash": facts["content_hash"]}
        return {**answer, **found}

    paths = {"file": source.file, "inputs": inputs, "more": more}
    saying = f"computing reference outputs of {source.name}"
    made = steps.make("onnx_source", "onnxrt", facts, paths=paths, saying=saying, then=finish)
    return made, data


def _data(request: ModelRequest, steps: StepCache, specs: list[dict[str, Any]]) -> tuple[Path | None, str]:
    if request.inputs:
        return request.inputs.resolve(), str(request.inputs)
    if request.images:
        return photo_inputs.as_input(steps, request.images, specs)
    return None, f"generated, seed {request.seed}"


def _copy(file: Path | None, external: list[str], folder: Path) -> None:
    """Keep the model and its weight files together: the cache must not change when the user's files do."""
    assert file
    shutil.copyfile(file, folder / "model.onnx")
    for name in external:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.parent / name, target)
