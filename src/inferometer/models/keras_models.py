"""Keras sources (architectures by name, `.keras` files) and the chain of conversions that starts from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inferometer.errors import InferometerError
from inferometer.models import photo_inputs
from inferometer.models.artifact_cache import hash_file
from inferometer.models.contract import ModelRequest, PreparedModel
from inferometer.models.identity import architecture, identity
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

_FILES = {
    "keras": "model.keras",
    "savedmodel": "saved",
    "exported": "model.pt2",
    "onnx": "model.onnx",
    "tflite": "model.tflite",
}


def prepare(request: ModelRequest, source: Source, forms: set[str], steps: StepCache) -> PreparedModel:
    """Return the Keras model in ``forms``; see `prepare.prepare`."""
    made, data = _make_source(request, source, steps)
    entries, missing = _Chain(steps, made, request.trust_model).run(forms)
    rows, content = made.folder / "inputs.npz", [architecture(source), made.answer["hash"]]
    return PreparedModel(
        info=ModelInfo(
            name=source.name,
            source=f"keras.applications.{source.application.attribute}"
            if source.application
            else str(source.file),
            weights=_weights_text(request, source),
            hash=identity(content, made.answer["inputs"], rows),
            inputs=tuple(made.answer["inputs"]),
            data=data,
            reference=_reference_text(made.answer["versions"]),
            conversions={form: conversion_facts(entry) for form, entry in entries.items()},
        ),
        artifacts={
            form: artifact(form, entry, _FILES[form]) for form, entry in entries.items() if form in forms
        },
        missing={form: cause for form, cause in missing.items() if form in forms},
        inputs=rows,
        reference=made.folder / "reference.npz",
        checks=checks_in(made.folder, made.answer),
    )


@dataclass(frozen=True)
class _Chain:
    """The conversions from one saved Keras model."""

    steps: StepCache
    source: CachedStep
    trust: bool

    def run(self, forms: set[str]) -> tuple[dict[str, CachedStep], dict[str, str]]:
        """Return the entries by form, on the way to ``forms`` included, and the causes of those that failed."""
        made, missing = {"keras": self.source}, {}

        def attempt(form: str, step: str, convert: Callable[[], CachedStep]) -> None:
            try:
                made[form] = convert()
            except InferometerError as error:
                missing[form] = f"step {step} failed: {error}"

        if forms & {"savedmodel", "tflite"}:
            attempt("savedmodel", "Keras file to SavedModel", self._savedmodel)
        if "tflite" in forms and "savedmodel" in made:
            attempt("tflite", "SavedModel to LiteRT", lambda: self._tflite(made["savedmodel"]))
        elif "tflite" in forms:
            missing["tflite"] = missing["savedmodel"]
        if forms & {"exported", "onnx"}:
            attempt("exported", "Keras file to torch exported program", self._exported)
        if "onnx" in forms and "exported" in made:
            attempt("onnx", "torch exported program to ONNX", lambda: self._onnx(made["exported"]))
        elif "onnx" in forms:
            missing["onnx"] = missing["exported"]
        return made, missing

    def _savedmodel(self) -> CachedStep:
        return self._convert("keras_savedmodel", "tf", "savedmodel", "converting to a SavedModel")

    def _exported(self) -> CachedStep:
        return self._convert("torch_export", "torch", "exported", "converting to a torch exported program")

    def _convert(self, step: str, environment: str, form: str, saying: str) -> CachedStep:
        facts = {"source_key": self.source.key, "specs": self.source.answer["inputs"], "trust": self.trust}
        paths = {"model": self.source.folder / "model.keras", "inputs": self._inputs}
        return self.steps.make(
            step,
            environment,
            facts,
            paths=paths,
            saying=saying,
            then=lambda folder, answer: self._finish(folder, form, answer),
        )

    def _onnx(self, exported: CachedStep) -> CachedStep:
        answered = exported.answer
        facts = {"program_key": exported.key, "specs": answered["inputs"], "outputs": answered["outputs"]}

        def check(folder: Path, answer: dict[str, Any]) -> dict[str, Any]:
            request = {
                "file": str(folder / "model.onnx"),
                "inputs": str(self._inputs),
                "layout": answered["layout"],
            }
            found = self.steps.run("onnxrt", "onnx_outputs", {**request, "out": str(folder)})
            versions = {**answer["versions"], **found["versions"]}
            kept = {"layout": answered["layout"], "notes": answered["notes"], "versions": versions}
            return self._finish(folder, "onnx", {**answer, **found, **kept})

        program = {"program": exported.folder / "model.pt2"}
        return self.steps.make(
            "torch_onnx", "torch", facts, paths=program, saying="converting to ONNX", then=check
        )

    def _tflite(self, saved: CachedStep) -> CachedStep:
        kept = {name: saved.answer[name] for name in ("inputs", "outputs")}

        def check(folder: Path, answer: dict[str, Any]) -> dict[str, Any]:
            request = {
                "file": str(folder / "model.tflite"),
                "inputs": str(self._inputs),
                "specs": kept["inputs"],
                "outputs": [item["name"] for item in kept["outputs"]],
                "out": str(folder),
            }
            found = self.steps.run("litert", "litert_outputs", request)
            versions = {**answer["versions"], **found["versions"]}
            return self._finish(folder, "tflite", {**kept, "versions": versions})

        return self.steps.make(
            "litert_convert",
            "tf",
            {"saved_key": saved.key},
            paths={"saved": saved.folder / "saved"},
            saying="converting to a LiteRT flatbuffer",
            then=check,
        )

    def _finish(self, folder: Path, form: str, answer: dict[str, Any]) -> dict[str, Any]:
        reference = read_arrays(self.source.folder / "reference.npz")
        layout = answer.get("layout", self.source.answer["layout"])
        checks = checks_in(self.source.folder, self.source.answer)
        found = judge(folder, reference, checks)
        return {**answer, "layout": layout, "parity": found, "file_hash": hash_file(folder / _FILES[form])}

    @property
    def _inputs(self) -> Path:
        return self.source.folder / "inputs.npz"


def _make_source(request: ModelRequest, source: Source, steps: StepCache) -> tuple[CachedStep, str]:
    images, inputs, data = _data(request, source, steps)
    more = None if request.inputs else photo_inputs.more_beside(images or inputs)
    weights = _weights(request, source)
    own = source.file
    facts = {
        "application": asdict(source.application) if source.application else None,
        "file_hash": hash_file(own) if own else "",
        "weights": "path" if _is_file(weights) else weights,
        "weights_hash": hash_file(Path(weights)) if _is_file(weights) else "",
        "images_hash": hash_file(images) if images else "",
        "inputs_hash": hash_file(inputs) if inputs else "",
        "more_hash": hash_file(more) if more else "",
        "seed": request.seed,
        "shapes": request.shapes,
        "ranges": {name: list(limits) for name, limits in request.input_ranges.items()},
        "trust": request.trust_model,
    }
    located = Path(weights) if _is_file(weights) else None
    paths = {"file": own, "images": images, "inputs": inputs, "more": more, "weights_file": located}

    def finish(folder: Path, answer: dict[str, Any]) -> dict[str, Any]:
        reference = read_arrays(folder / "reference.npz")
        checks = checks_in(folder, answer)
        check_judgeable(reference, checks)
        layout = "NHWC" if any(len(item["shape"]) == 4 for item in answer["inputs"]) else ""
        file_hash = hash_file(folder / "model.keras")
        found = judge(folder, reference, checks)
        return {**answer, "layout": layout, "parity": found, "file_hash": file_hash}

    saying = (
        f"building {source.name} with {_weights_text(request, source)} weights, computing reference outputs"
    )
    made = steps.make("keras_source", "tf", facts, paths=paths, saying=saying, then=finish)
    return made, data


def _data(request: ModelRequest, source: Source, steps: StepCache) -> tuple[Path | None, Path | None, str]:
    """Return the stack of photos, or the file of inputs, or neither (generated), and what to call it."""
    if request.inputs:
        return None, request.inputs.resolve(), str(request.inputs)
    if source.application:
        size = source.application.size
        stack, told = photo_inputs.stack(steps, request.images, size, size)
        return stack, None, told
    if request.images:
        assert source.file
        facts = {"file_hash": hash_file(source.file), "shapes": request.shapes, "trust": request.trust_model}
        found = steps.make(
            "keras_inspect", "tf", facts, paths={"file": source.file}, saying=f"reading {source.name}"
        )
        ready, told = photo_inputs.as_input(steps, request.images, found.answer["inputs"])
        return None, ready, told
    return None, None, f"generated, seed {request.seed}"


def _weights(request: ModelRequest, source: Source) -> str:
    if source.file and request.weights == "random":
        return "file"
    return (
        request.weights if request.weights in ("random", "imagenet") else str(Path(request.weights).resolve())
    )


def _is_file(weights: str) -> bool:
    return weights not in ("random", "imagenet", "file")


def _weights_text(request: ModelRequest, source: Source) -> str:
    weights = _weights(request, source)
    told = {"random": f"random (seed {request.seed})", "file": "its own"}
    return told.get(weights, Path(weights).name if _is_file(weights) else weights)


def _reference_text(versions: dict[str, str]) -> str:
    return f"Keras {versions['keras']} on TensorFlow {versions['tensorflow']}, fp32, CPU"
