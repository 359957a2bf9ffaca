"""Keras sources: architectures of keras.applications by name, and the user's own `.keras`, `.h5` and `.hdf5` files."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inferometer.errors import UsageError
from inferometer.models import photo_inputs
from inferometer.models.catalogue import APPLICATIONS, canonical
from inferometer.models.contract import ModelRequest
from inferometer.models.sources.source import (
    Origin,
    Source,
    existing,
    given_rows,
    hash_file,
    judged,
    ranges_of,
    rows_asked,
)
from inferometer.models.step_cache import CachedStep, StepCache
from inferometer.models.steps.archives import check_archive
from inferometer.worker.saved_arrays import UNREADABLE
from inferometer.worker.system import memory

SUFFIXES = (".keras", ".h5", ".hdf5")
WEIGHT_SUFFIXES = (".h5", ".keras")  # .weights.h5 included


def named(request: ModelRequest) -> Source:
    """Return the architecture of keras.applications that a request names; UsageError for an unknown one."""
    name = canonical(request.model)
    if request.shapes or request.input_ranges or request.inputs:
        raise UsageError(
            f"{name} takes photos of a fixed size: --shape, --input-range and --input are for models of your own; "
            "give --image for other photos"
        )
    _check_weights(request, name, application=True)
    return Source("keras", name, "keras", ("tf",), application=APPLICATIONS[name])


def from_file(request: ModelRequest) -> Source:
    """Return the user's own Keras file; UsageError if it is none, or runs code of its own without trust."""
    file = existing(request.model, "model")
    if file.suffix.lower() == ".keras":
        _check_archive(Path(request.model), request.trust_model)
    _check_weights(request, file.stem, application=False)
    return Source("keras", file.stem, "keras", ("tf",), file=file)


def _check_weights(request: ModelRequest, name: str, *, application: bool) -> None:
    weights = request.weights
    if weights == "random" or (weights == "imagenet" and application):
        return
    if weights in ("imagenet", "pretrained"):
        remedy = "give imagenet" if application else "leave out --weights, or give a file"
        told = name if application else f"{name}.keras"
        raise UsageError(f"{told} has no {weights} weights; {remedy}")
    file = existing(weights, "weights")
    if file.suffix.lower() not in WEIGHT_SUFFIXES:
        raise UsageError(
            f"weights file {weights} must end in .weights.h5, .h5 or .keras; or give random or imagenet"
        )


def _check_archive(path: Path, trust: bool) -> None:
    try:
        check_archive(path, memory.free_bytes())
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
        classes = _class_names(config)
    except RecursionError as error:
        raise UsageError(f"{path.name} is no Keras file: its config.json is nested without end") from error
    except (KeyError, ValueError, *UNREADABLE) as error:
        raise UsageError(
            f"{path.name} is no Keras file (a .keras file is a zip with config.json): {error}"
        ) from error
    if not trust and "Lambda" in classes:
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


def make(request: ModelRequest, source: Source, steps: StepCache) -> Origin:
    """Return the model saved as a Keras file, with rows and reference outputs."""
    made, data = _make_source(request, source, steps)
    application = source.application
    versions = made.answer["versions"]
    return Origin(
        made,
        source=f"keras.applications.{application.attribute}" if application else str(source.file),
        weights=_weights_text(request, source),
        data=data,
        reference=f"Keras {versions['keras']} on TensorFlow {versions['tensorflow']}, fp32, CPU",
        content=[architecture(source), made.answer["hash"]],
    )


def own_preprocessing(source: Source, steps: StepCache) -> dict[str, Any] | None:
    """Return what the architecture's `preprocess_input` does; None for the user's own file, which does not say."""
    if source.application is None:
        return None
    facts = {"module": source.application.module}
    found = steps.make(
        "keras_preprocessing",
        "tf",
        facts,
        paths={},
        saying=f"reading how images become {source.name}'s input",
    )
    own: dict[str, Any] = found.answer["own"]
    return own


def architecture(source: Source) -> str:
    """Return what stands for the architecture: its name, or its file's configuration by hash."""
    if source.file is None:
        assert source.application
        return source.application.attribute
    if source.file.suffix.lower() != ".keras":
        return hash_file(source.file)
    with zipfile.ZipFile(source.file) as archive:
        config = json.loads(archive.read("config.json"))
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _make_source(request: ModelRequest, source: Source, steps: StepCache) -> tuple[CachedStep, str]:
    images, inputs, data = _data(request, source, steps)
    more = None if request.inputs else photo_inputs.more_beside(images or inputs)
    facts, paths = _asked(request, source)
    facts = {
        **facts,
        "images_hash": hash_file(images) if images else "",
        "inputs_hash": hash_file(inputs) if inputs else "",
        "more_hash": hash_file(more) if more else "",
        "ranges": ranges_of(request),
    }
    paths = {**paths, "images": images, "inputs": inputs, "more": more}

    def finish(folder: Path, answer: dict[str, Any]) -> dict[str, Any]:
        layout = "NHWC" if any(len(item["shape"]) == 4 for item in answer["inputs"]) else ""
        return judged(source, folder, {**answer, "layout": layout})

    saying = (
        f"building {source.name} with {_weights_text(request, source)} weights, computing reference outputs"
    )
    made = steps.make("keras_source", "tf", facts, paths=paths, saying=saying, then=finish)
    return made, data


def _asked(request: ModelRequest, source: Source) -> tuple[dict[str, Any], dict[str, Path | None]]:
    """Return what makes the model what it is, and where its files lie."""
    weights, own = _weights(request, source), source.file
    located = Path(weights) if _is_file(weights) else None
    facts = {
        "application": asdict(source.application) if source.application else None,
        "file_hash": hash_file(own) if own else "",
        "weights": "path" if located else weights,
        "weights_hash": hash_file(located) if located else "",
        "seed": request.seed,
        "shapes": request.shapes,
        "trust": request.trust_model,
    }
    return facts, {"file": own, "weights_file": located}


def inspect(request: ModelRequest, source: Source, steps: StepCache) -> dict[str, Any]:
    """Return what the model takes and how large it is; weights that Keras would have to fetch are left random."""
    facts, paths = _asked(request, source)
    rows, located = rows_asked(request)
    facts = {**facts, **rows, "weights": "random" if facts["weights"] == "imagenet" else facts["weights"]}
    saying = f"reading {source.name}"
    return steps.make("keras_inspect", "tf", facts, paths={**paths, **located}, saying=saying).answer


def _data(request: ModelRequest, source: Source, steps: StepCache) -> tuple[Path | None, Path | None, str]:
    """Return the stack of photos, or the file of inputs, or neither (generated), and what to call it."""
    if request.inputs:
        return None, *given_rows(request)
    if source.application:
        size = source.application.size
        stack, told = photo_inputs.stack(steps, request.images, size, size)
        return stack, None, told
    if request.images:
        found = inspect(request, source, steps)
        ready, told = photo_inputs.as_input(steps, request.images, found["inputs"])
        return None, ready, told
    return None, *given_rows(request)


def _weights(request: ModelRequest, source: Source) -> str:
    if source.file and request.weights == "random":
        return "file"
    return (
        request.weights
        if request.weights in ("random", "imagenet")
        else str(Path(request.weights).absolute())
    )


def _is_file(weights: str) -> bool:
    return weights not in ("random", "imagenet", "file")


def _weights_text(request: ModelRequest, source: Source) -> str:
    weights = _weights(request, source)
    told = {"random": f"random (seed {request.seed})", "file": "its own"}
    return told.get(weights, Path(weights).name if _is_file(weights) else weights)
