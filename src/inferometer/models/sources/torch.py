"""PyTorch sources: exported programs, TorchScript, weights with an architecture, and architectures by name."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inferometer.errors import UsageError
from inferometer.models import photo_inputs
from inferometer.models.contract import NAMED_WEIGHTS, ModelRequest
from inferometer.models.sources import torch_processors
from inferometer.models.sources.factory_content import content_of
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
from inferometer.models.step_cache import CachedStep, StepCache
from inferometer.worker.saved_arrays import UNREADABLE

PROGRAMS = (".pt2",)
SCRIPTS = (".pt", ".jit", ".ts", ".torchscript")
WEIGHTS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")
SUFFIXES = tuple(dict.fromkeys((*PROGRAMS, *SCRIPTS, *WEIGHTS)))
ENVIRONMENT = "torch-models"
_NAMED = re.compile(r"(timm|torchvision|hf):(.*)")
_FACTORY = re.compile(r"(.+\.py):([A-Za-z_]\w*)")
_ARCHITECTURES = "timm:NAME, torchvision:NAME, hf:FOLDER or FILE.py:FACTORY"


def is_architecture(name: str) -> bool:
    """Return whether a name is of an architecture: timm:NAME, torchvision:NAME, hf:NAME_OR_FOLDER, FILE.py:FACTORY."""
    return bool(_NAMED.fullmatch(name) or _FACTORY.fullmatch(name))


def named(request: ModelRequest) -> Source:
    """Return the architecture that MODEL names; UsageError where its file is missing or not trusted."""
    if request.architecture:
        raise UsageError(
            f"--architecture is for a file of weights; {request.model} is an architecture itself: leave one out"
        )
    return _architecture(request.model, request, request.weights)


def from_file(request: ModelRequest) -> Source:
    """Return the program, script or weights in a file; weights need the architecture that they belong to."""
    file = existing(request.model, "model")
    refuse_weights(request, file.name)
    _refuse_package(file)
    suffix = file.suffix.lower()
    if request.architecture:
        if suffix not in WEIGHTS:
            raise UsageError(
                f"{file.name} is no file of weights ({', '.join(WEIGHTS)}); leave out --architecture"
            )
        source = _architecture(request.architecture, request, str(file))
        return Source(
            "torch", file.stem, "exported", (ENVIRONMENT,), file=file, architecture=source.architecture
        )
    if suffix not in PROGRAMS and not (suffix in SCRIPTS and _is_script(file)):
        raise UsageError(
            f"{file.name} holds weights without their architecture; give it: --architecture {_ARCHITECTURES}"
        )
    kind = "torch-program" if suffix in PROGRAMS else "torchscript"
    return Source(kind, file.stem, "exported", (ENVIRONMENT,), file=file)


def _is_script(file: Path) -> bool:
    """Return whether a file is TorchScript: a zip with code in it, while a pickle of weights has none."""
    return any("/code/" in name for name in _members(file))


def _refuse_package(file: Path) -> None:
    """Raise UsageError for what torch.package wrote: modules with their code, which a class of its own loads."""
    if any(name.endswith("/.data/extern_modules") for name in _members(file)):
        raise UsageError(
            f"{file.name} is a torch.package archive, which runs code of its own; give FILE.py:FACTORY that loads it with "
            "torch.package.PackageImporter"
        )


def _members(file: Path) -> list[str]:
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.namelist()
    except (ValueError, *UNREADABLE):
        return []


def _architecture(name: str, request: ModelRequest, weights: str) -> Source:
    if factory := _FACTORY.fullmatch(name):
        file = existing(factory[1], "architecture")
        if not request.trust_model:
            raise UsageError(
                f"{file.name} is code: its {factory[2]}() would run; give --trust-model if you trust it"
            )
    elif not (named := _NAMED.fullmatch(name)) or not named[2]:
        raise UsageError(f"unknown architecture '{name}'; give {_ARCHITECTURES}")
    if weights == "imagenet":
        raise UsageError(f"{name} has no imagenet weights here; give --weights pretrained, random or a file")
    if weights not in NAMED_WEIGHTS and existing(weights, "weights").suffix.lower() not in WEIGHTS:
        raise UsageError(
            f"weights file {weights} must end in {', '.join(WEIGHTS)}; or give random or pretrained"
        )
    short = f"{Path(factory[1]).stem}.{factory[2]}" if factory else Path(name.partition(":")[2]).name
    return Source("torch", short, "exported", (ENVIRONMENT,), architecture=name)


def make(request: ModelRequest, source: Source, steps: StepCache) -> Origin:
    """Return the model as an exported program, with rows and the reference outputs of the model itself."""
    made, data = _make(request, source, steps)
    versions = made.answer["versions"]
    return Origin(
        made,
        source=source.architecture or str(source.file),
        weights=_weights_text(request, source),
        data=data,
        reference=f"PyTorch {versions['torch']}, eager, fp32, CPU",
        content=made.answer["hash"],
    )


def inspect(request: ModelRequest, source: Source, steps: StepCache) -> dict[str, Any]:
    """Return what the model takes, and how large it is; weights that a hub would have to send are left random."""
    return _inspected(request, source, steps, *_asked(request, source, steps))


def _inspected(
    request: ModelRequest,
    source: Source,
    steps: StepCache,
    facts: dict[str, Any],
    paths: dict[str, Path | None],
) -> dict[str, Any]:
    rows, located = rows_asked(request)
    weights = "random" if facts["weights"] == "pretrained" else facts["weights"]
    facts, paths = {**facts, **rows, "weights": weights}, {**paths, **located}
    return steps.make(
        "torch_inspect", ENVIRONMENT, facts, paths=paths, saying=f"reading {source.name}"
    ).answer


def own_preprocessing(source: Source, steps: StepCache) -> dict[str, Any] | None:
    """Return what timm, torchvision or a folder's preprocessor_config.json says of an architecture; None where nothing does."""
    kind, _, name = source.architecture.partition(":")
    if kind == "hf":
        return torch_processors.read(Path(name))
    if kind not in ("timm", "torchvision"):
        return None
    facts = {"architecture": source.architecture}
    saying = f"reading how images become {source.name}'s input"
    found = steps.make("torch_preprocessing", ENVIRONMENT, facts, paths={}, saying=saying)
    own: dict[str, Any] | None = found.answer["own"]
    return own


def _make(request: ModelRequest, source: Source, steps: StepCache) -> tuple[CachedStep, str]:
    facts, paths = _asked(request, source, steps)
    inputs, data = _data(request, source, lambda: _inspected(request, source, steps, facts, paths), steps)
    more = None if request.inputs else photo_inputs.more_beside(inputs)
    facts = {
        **facts,
        "ranges": ranges_of(request),
        "inputs_hash": hash_file(inputs) if inputs else "",
        "more_hash": hash_file(more) if more else "",
    }
    made = steps.make(
        "torch_source",
        ENVIRONMENT,
        facts,
        paths={**paths, "inputs": inputs, "more": more},
        saying=f"exporting {source.name} with {_weights_text(request, source)} weights, computing reference outputs",
        then=lambda folder, answer: judged(source, folder, answer),
    )
    return made, data


def _asked(
    request: ModelRequest, source: Source, steps: StepCache
) -> tuple[dict[str, Any], dict[str, Path | None]]:
    """Return what makes the module what it is, and where its files lie."""
    weights = _weights_file(request, source)
    factory = _FACTORY.fullmatch(source.architecture)
    code = Path(factory[1]) if factory else None
    folder = _folder(source.architecture)
    own = None if source.architecture else source.file
    facts = {
        "kind": {"torch-program": "exported", "torchscript": "torchscript"}.get(source.kind, "architecture"),
        "architecture": _wherever(source.architecture),
        "code_hash": hash_file(code) if code else "",
        "folder_hash": hash_file(folder) if folder else "",
        "file_hash": hash_file(own) if own else "",
        "weights": "file" if weights else request.weights,
        "weights_hash": hash_file(weights) if weights else "",
        "seed": request.seed,
        "shapes": request.shapes,
        "trust": request.trust_model,
    }
    paths = {"file": own, "code": code, "folder": folder, "weights_file": weights}
    return ({**facts, "content": content_of(facts, paths, ENVIRONMENT, steps)} if code else facts), paths


def _folder(architecture: str) -> Path | None:
    """Return the folder of hf:FOLDER, None for other architectures, names of the hub too."""
    kind, _, name = architecture.partition(":")
    return Path(name).absolute() if kind == "hf" and Path(name).is_dir() else None


def _wherever(architecture: str) -> str:
    """Return an architecture without where its files lie, so that content alone tells one from another."""
    if factory := _FACTORY.fullmatch(architecture):
        return f"FILE.py:{factory[2]}"
    return "hf:FOLDER" if _folder(architecture) else architecture


def _weights_file(request: ModelRequest, source: Source) -> Path | None:
    if source.architecture and source.file:
        return source.file
    own = source.architecture and request.weights not in NAMED_WEIGHTS
    return Path(request.weights).absolute() if own else None


def _data(
    request: ModelRequest, source: Source, inspected: Callable[[], dict[str, Any]], steps: StepCache
) -> tuple[Path | None, str]:
    """Return the file of inputs (None: generated) and what to call it: photos where an architecture takes one image."""
    if request.inputs:
        return given_rows(request)
    named_images = source.architecture and not request.input_ranges
    if request.images or named_images:
        specs = inspected()["inputs"]
        if request.images or (len(specs) == 1 and photo_inputs.layout_of(specs)):
            return photo_inputs.as_input(steps, request.images, specs)
    return given_rows(request)


def _weights_text(request: ModelRequest, source: Source) -> str:
    if not source.architecture:
        return "its own"
    weights = _weights_file(request, source)
    if weights:
        return weights.name
    if _FACTORY.fullmatch(source.architecture):
        return "its own"
    return f"random (seed {request.seed})" if request.weights == "random" else request.weights
