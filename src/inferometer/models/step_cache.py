"""Runs a step once and keeps what it made, whoever asks for the same again."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.errors import InputError, ModelError
from inferometer.models.artifact_cache import ArtifactCache
from inferometer.models.contract import FILES, Artifact, Checks, Form, OwnReference, StepRunner, TensorSpec
from inferometer.worker import parity, ragged

_STEPS = Path(__file__).parent / "steps"
_CHECK = "check.npz"
# what steps raise with a line for the user: ValueError and its kinds
_REFUSED = re.compile(r"(ValueError|CodeError|CannotConvertError): ")


@dataclass(frozen=True)
class CachedStep:
    """A cache entry: its folder, its key, and what its step answered."""

    folder: Path
    answer: dict[str, Any]

    @property
    def key(self) -> str:
        """Return the entry's content address."""
        return self.folder.name


@dataclass(frozen=True)
class StepCache:
    """Where steps run, where their products are kept, and who is told."""

    run_step: StepRunner
    cache: ArtifactCache
    progress: Callable[[str], None]
    pins: Mapping[str, str] = field(default_factory=dict)  # environment -> what is installed in it

    def make(
        self,
        step: str,
        environment: str,
        facts: dict[str, Any],
        *,
        paths: Mapping[str, Path | None],
        saying: str,
        then: Callable[[Path, dict[str, Any]], dict[str, Any]] = lambda folder, answer: answer,
    ) -> CachedStep:
        """Run a step, or find what it made before.

        ``facts`` are the part of the request that makes the product what it is, content hashes of foreign files
        included; ``paths`` only say where things lie. ``then`` finishes and judges the product before it is kept.
        """

        def build(folder: Path) -> dict[str, Any]:
            self.progress(saying)
            started = time.monotonic()
            located = {name: str(path) if path else None for name, path in paths.items()}
            answer = self.run(environment, step, {**facts, **located, "out": str(folder)})
            return {**then(folder, answer), "seconds": round(time.monotonic() - started, 2)}

        parts = {"step": step, "code": _code_hash(), "pins": self.pins.get(environment, ""), "facts": facts}
        return CachedStep(*self.cache.get(parts, build))

    def run(self, environment: str, step: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run a step and return its answer; ModelError with one line, InputError for what the step itself refuses."""
        try:
            return self.run_step(environment, f"models.steps.{step}", request)
        except ModelError as error:
            text = str(error)
            kind = InputError if _REFUSED.match(text) else ModelError
            raise kind(" ".join(_REFUSED.sub("", text, count=1).split())) from error


@cache
def _code_hash() -> str:
    """Return the hash of all steps' code, so that no changed step is ever answered from the cache."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_STEPS.glob("*.py")))).hexdigest()


def read_arrays(path: Path) -> list[Any]:
    """Return the arrays of an .npz in the order they were written."""
    with np.load(path, allow_pickle=False) as file:
        return [file[name] for name in file.files]


def judge(
    folder: Path,
    reference: list[Any],
    checks: Checks,
    otherwise: str = "the converted model's outputs differ from the source's",
) -> dict[str, Any]:
    """Return the parity of the outputs that a step left in ``folder``; ModelError that says ``otherwise`` if it fails.

    ``checks``: of the source, whose own ambiguity a conversion may differ by.
    """
    ambiguity = parity.Ambiguity.load(checks.ambiguity) if checks.ambiguity else None
    outputs = ragged.filled_as(read_arrays(folder / _CHECK), reference, checks.ragged)
    try:
        found = parity.compare(outputs, reference, "fp32", ambiguity=ambiguity, stored=checks.stored)
    except parity.SpreadError as error:
        raise ModelError(f"its outputs cannot be judged: {error}") from error
    (folder / _CHECK).unlink()
    if not found["passed"]:
        raise ModelError(f"{otherwise}: {found['cause']}")
    return found


def check_judgeable(reference: list[Any], checks: Checks, remedy: str) -> None:
    """Raise InputError, an error of the set-up with its ``remedy``, if agreement with ``reference`` would say nothing."""
    try:
        parity.check_judgeable(reference, "fp32")
        if checks.ambiguity:
            parity.check_steady(parity.Ambiguity.load(checks.ambiguity), checks.stored)
    except parity.SpreadError as error:
        raise InputError(f"set-up: {error}; {remedy}") from error


def checks_in(folder: Path, answer: dict[str, Any]) -> Checks:
    """Return what a source's step left for checks."""

    def existing(name: str) -> Path | None:
        return folder / name if (folder / name).exists() else None

    return Checks(
        existing("ambiguity.npz"),
        existing("unseen_inputs.npz"),
        existing("unseen_reference.npz"),
        answer.get("stored", ""),
        tuple(answer.get("ragged", ())),
    )


def artifact(form: Form, made: CachedStep, via: str) -> Artifact:
    """Return the artifact that an entry holds in a form; ``via``: the foreign converters on its way."""
    answer = made.answer
    return Artifact(
        form=form,
        path=made.folder / FILES[form],
        inputs=_specs(answer["inputs"]),
        outputs=_specs(answer["outputs"]),
        layout=answer["layout"],
        hash=answer["file_hash"],
        parity=answer["parity"],
        via=via,
        own=OwnReference(made.folder / "reference.npz", checks_in(made.folder, answer), answer["loss"])
        if "loss" in answer
        else None,
    )


def _specs(found: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(item["name"], tuple(item["shape"]), item["dtype"]) for item in found)


def conversion_facts(made: CachedStep) -> dict[str, Any]:
    """Return what a run's record keeps of a conversion."""
    kept = (
        "layout",
        "parity",
        "seconds",
        "versions",
        "notes",
        "file_hash",
        "checks",
        "stored",
        "holds",
        "widened",
        "loss",
    )
    return {"key": made.key, **{name: made.answer[name] for name in kept if made.answer.get(name)}}
