"""Where a model comes from, and what its first step makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.errors import UsageError
from inferometer.models.catalogue import Application
from inferometer.models.contract import FILES, Form, ModelRequest
from inferometer.models.photo_inputs import layout_of
from inferometer.models.step_cache import (
    CachedStep,
    check_judgeable,
    checks_in,
    judge,
    read_arrays,
)
from inferometer.models.steps import given
from inferometer.models.steps.tensors import batch_of
from inferometer.storage import seals


@dataclass(frozen=True)
class Source:
    """What MODEL names."""

    kind: str  # of `sources.KINDS`
    name: str  # short, for tables
    form: Form  # that its first step makes
    environments: tuple[str, ...]  # of that step
    file: Path | None = None  # or folder
    application: Application | None = None
    architecture: str = ""  # timm:NAME, torchvision:NAME, hf:NAME_OR_FOLDER, FILE.py:FACTORY


@dataclass(frozen=True)
class Origin:
    """A source as its own form, with rows and reference, and what a run's record says of it."""

    step: CachedStep
    source: str
    weights: str
    data: str
    reference: str
    content: Any  # JSON values that stand for architecture and weights


def existing(path: str, kind: str) -> Path:
    """Return the absolute path of a file; UsageError if there is none or it cannot be read."""
    file = Path(path)
    if not file.is_file():
        what = "is a directory" if file.is_dir() else "does not exist"
        raise UsageError(f"{kind} file {path} {what}; give the path of a file")
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        raise UsageError(f"{kind} file {path} cannot be read: {error.strerror or error}") from error
    return file.absolute()  # a link keeps its name: caches of downloads have others


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file or folder of the user's (`seals.hash_file`); UsageError if it cannot be read."""
    try:
        return seals.hash_file(path)
    except OSError as error:
        told = error.strerror or error
        raise UsageError(
            f"{path.name} cannot be read: {told}{f' ({error.filename})' if error.filename else ''}"
        ) from error


def refuse_weights(request: ModelRequest, name: str) -> None:
    """Raise UsageError where weights are given for a file that has its own."""
    if request.weights != "random":
        raise UsageError(f"{name} has its own weights; leave out --weights {request.weights}")


def given_rows(request: ModelRequest) -> tuple[Path | None, str]:
    """Return the user's own rows, None where they are generated, and what to call them."""
    if request.inputs:
        return request.inputs.absolute(), str(request.inputs)
    return None, f"generated, seed {request.seed}"


def ranges_of(request: ModelRequest) -> dict[str, list[float]]:
    """Return the ranges of generated inputs as JSON values."""
    return {name: list(limits) for name, limits in request.input_ranges.items()}


def rows_asked(request: ModelRequest) -> tuple[dict[str, Any], dict[str, Path | None]]:
    """Return what says which rows an inspection is to check, and where the user's own lie."""
    inputs, _ = given_rows(request)
    facts = {"ranges": ranges_of(request), "inputs_hash": hash_file(inputs) if inputs else ""}
    return facts, {"inputs": inputs}


def judged(source: Source, folder: Path, answer: dict[str, Any]) -> dict[str, Any]:
    """Return a source step's answer with its parity with itself; ModelError where its outputs cannot be judged."""
    reference = read_arrays(folder / "reference.npz")
    checks = checks_in(folder, answer)
    check_judgeable(reference, checks, _real_inputs(source, answer["inputs"]))
    otherwise = "computed again, the model's outputs differ from themselves (random operators, a state?)"
    found = judge(folder, reference, checks, otherwise)
    return {**answer, "parity": found, "file_hash": hash_file(folder / FILES[source.form])}


def _real_inputs(source: Source, specs: Sequence[dict[str, Any]]) -> str:
    """Return which options give a model other inputs, or weights, than those that cannot be judged."""
    if source.application:
        return "give other photos (--image FOLDER) or other weights (--weights imagenet, or a file)"
    names = [spec["name"] for spec in specs]
    ways = [f"--input FILE.npz with {', '.join(names)}"]
    if len(specs) == 1 and layout_of(specs):
        ways.append("--image FOLDER")
    ranges = " ".join(f"--input-range {name}=LOW:HIGH" for name in names)
    weights = ", or other weights (--weights FILE)" if source.architecture and not source.file else ""
    return f"give real inputs ({' or '.join(ways)}), or their range ({ranges}){weights}"


def rows_left_out(request: ModelRequest, specs: Sequence[dict[str, Any]]) -> str:
    """Return in words which of the user's own rows are not used, "" where all are."""
    batch = batch_of(specs)
    if not request.inputs or not batch:
        return ""
    shapes = given.shapes(str(request.inputs), [spec["name"] for spec in specs])
    shape = shapes.get(specs[0]["name"], (0,))
    if list(shape[1:]) != list(specs[0]["shape"][1:]) or not shape[0] % batch:
        return ""
    return f"{shape[0] - shape[0] % batch} of {shape[0]} rows: the last fill no batch of {batch}, the only size that the model takes"
