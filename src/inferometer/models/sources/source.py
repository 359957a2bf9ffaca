"""Where a model comes from, and what its first step makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.errors import UsageError
from inferometer.models.artifact_cache import hash_file
from inferometer.models.catalogue import Application
from inferometer.models.contract import FILES, Form, ModelRequest
from inferometer.models.step_cache import (
    CachedStep,
    check_judgeable,
    checks_in,
    judge,
    read_arrays,
)


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
    """Return the absolute path of a file; UsageError if there is none."""
    file = Path(path)
    if not file.is_file():
        what = "is a directory" if file.is_dir() else "does not exist"
        raise UsageError(f"{kind} file {path} {what}; give the path of a file")
    return file.resolve()


def refuse_weights(request: ModelRequest, name: str) -> None:
    """Raise UsageError where weights are given for a file that has its own."""
    if request.weights != "random":
        raise UsageError(f"{name} has its own weights; leave out --weights {request.weights}")


def given_rows(request: ModelRequest) -> tuple[Path | None, str]:
    """Return the user's own rows, None where they are generated, and what to call them."""
    if request.inputs:
        return request.inputs.resolve(), str(request.inputs)
    return None, f"generated, seed {request.seed}"


def ranges_of(request: ModelRequest) -> dict[str, list[float]]:
    """Return the ranges of generated inputs as JSON values."""
    return {name: list(limits) for name, limits in request.input_ranges.items()}


def judged(form: Form, folder: Path, answer: dict[str, Any]) -> dict[str, Any]:
    """Return a source step's answer with its parity with itself; ModelError where its outputs cannot be judged."""
    reference = read_arrays(folder / "reference.npz")
    checks = checks_in(folder, answer)
    check_judgeable(reference, checks)
    found = judge(folder, reference, checks)
    return {**answer, "parity": found, "file_hash": hash_file(folder / FILES[form])}
