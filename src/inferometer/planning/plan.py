"""The matrix: every cell that was asked for, and for each that cannot run, why, before anything runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inferometer.device import Device
from inferometer.errors import EnvironmentBuildError, InferometerError, UsageError
from inferometer.frameworks import requirements
from inferometer.frameworks.catalogue import (
    ALL,
    Framework,
    FrameworkChoice,
    parse_choice,
)
from inferometer.frameworks.requirements import Requirements
from inferometer.models.routes import environment_names
from inferometer.planning.devices import accelerator_for, gpu_of
from inferometer.planning.request import RunRequest
from inferometer.planning.situation import Situation
from inferometer.precisions import Stored
from inferometer.records import Cell, Gpu, Skip


@dataclass(frozen=True)
class PlanRow:
    """A framework as asked on one device: which environment it takes."""

    choice: FrameworkChoice
    device: str
    requirements: Requirements | None  # None: the user's own interpreter
    python: Path | None = None

    @property
    def label(self) -> str:
        """Return the framework's name in tables."""
        return self.choice.label


@dataclass(frozen=True)
class Plan:
    """What will be measured, in the order asked, and what will not."""

    rows: Mapping[tuple[str, str], PlanRow]  # (label, device) -> row; only those with cells
    cells: tuple[Cell, ...]
    skips: tuple[Skip, ...]
    forms: Mapping[Cell, str] = field(default_factory=dict)  # in which each cell takes the model

    def row(self, cell: Cell) -> PlanRow:
        """Return the row that a cell belongs to."""
        return self.rows[cell.framework, cell.device]

    def framework(self, cell: Cell) -> Framework:
        """Return the framework that measures a cell."""
        return self.row(cell).choice.framework


def make_plan(request: RunRequest, situation: Situation, stored: Stored | None = None) -> Plan:
    """Expand the request where it is to run; UsageError if nothing that was asked for exists.

    ``stored``: what the model's file was found to be measured as, whatever precision is asked.
    """
    choices = choices_of(request)
    rows: dict[tuple[str, str], PlanRow] = {}
    cells: dict[Cell, str] = {}
    skips: dict[Cell, Skip] = {}  # a cell may be named twice: `tftrt` at fp16 and `tftrtfp16`
    for choice, device in itertools.product(choices, situation.devices):
        row, reason = _row(choice, device, request, situation)
        precisions = (choice.precision,) if choice.precision else request.precisions
        for asked, mode, size in itertools.product(precisions, request.modes, request.batch_sizes):
            precision = stored.label if stored and stored.answers(asked) else asked
            cell = Cell(situation.source.name, choice.label, precision, size, device, mode)
            form = situation.form_for(choice.framework, precision)
            kind, gpu = Device.parse(device).kind, gpu_of(device, situation.machine)
            why = (
                reason
                or situation.unreachable(choice.framework, precision)
                or choice.unsupported_reason(kind, asked, mode, gpu)
                or (stored.refusal(asked) if stored and precision == asked else "")
            )
            if why or row is None:
                skips[cell] = Skip(cell, why)
            else:
                cells[cell] = form
                rows[row.label, device] = row
    left = tuple(skip for cell, skip in skips.items() if cell not in cells)
    return Plan(rows, tuple(cells), left, cells)


def check_any(plan: Plan) -> None:
    """Raise UsageError where nothing of a plan can be measured."""
    if not plan.cells:
        reasons = "; ".join(dict.fromkeys(skip.reason for skip in plan.skips))
        raise UsageError(f"nothing can be measured: {reasons}")


def fixed_batch_reason(size: int, fixed: int | None) -> str:
    """Return why a model whose batch is a number in its file cannot take a batch size, "" if it can."""
    return "" if fixed in (None, size) else f"the model's batch size is fixed at {fixed}; give that one"


def without_other_batches(plan: Plan, fixed: int | None) -> Plan:
    """Return the plan with what a fixed batch rules out as skips."""
    reasons = {cell: fixed_batch_reason(cell.batch_size, fixed) for cell in plan.cells}
    cells = {cell: plan.forms[cell] for cell in plan.cells if not reasons[cell]}
    skips = [Skip(cell, reason) for cell, reason in reasons.items() if reason]
    rows = {(cell.framework, cell.device): plan.row(cell) for cell in cells}
    return Plan(rows, tuple(cells), (*plan.skips, *skips), cells)


def choices_of(request: RunRequest) -> list[FrameworkChoice]:
    """Return the frameworks asked for, each once; UsageError for one that is not known, or where something is lacking."""
    names = list(
        itertools.chain.from_iterable(ALL if name == "all" else [name] for name in request.frameworks)
    )
    choices = {(choice.label, choice.precision): choice for choice in map(parse_choice, names)}
    wanted = {
        "framework": choices,
        "batch size": request.batch_sizes,
        "precision": request.precisions,
        "mode": request.modes,
        "device": request.devices,
    }
    for name, given in wanted.items():
        if not given:
            raise UsageError(f"nothing to measure: give at least one {name}")
    return list(choices.values())


def _row(
    choice: FrameworkChoice, device: str, request: RunRequest, situation: Situation
) -> tuple[PlanRow | None, str]:
    framework = choice.framework
    kind = Device.parse(device).kind
    if kind not in framework.devices:
        if kind == "cpu":
            cause = "" if situation.machine.gpus and not situation.notice else situation.lack.reason
            cause = cause or "the device asked for is the CPU"
            return None, f"needs an NVIDIA GPU: {cause}"
        return None, f"{framework.name} runs on {', '.join(framework.devices)} only; add --device cpu"
    gpu = gpu_of(device, situation.machine)
    if refusal := capability_reason(framework, gpu):
        return None, refusal
    if python := _given_python(choice, request):
        return PlanRow(choice, device, None, python), ""
    return _built_row(choice, device, accelerator_for(device, request, situation.machine), gpu)


def _given_python(choice: FrameworkChoice, request: RunRequest) -> Path | None:
    given = given_pythons(request)
    names = (choice.label, choice.framework.name, choice.environment)
    return next((given[name] for name in names if name in given), None)


def _built_row(
    choice: FrameworkChoice, device: str, accelerator: str, gpu: Gpu | None
) -> tuple[PlanRow | None, str]:
    try:
        wanted = requirements_for(choice, accelerator)
    except EnvironmentBuildError as error:
        return None, str(error)
    reason = age_reason(choice, wanted, gpu)
    return (None, reason) if reason else (PlanRow(choice, device, wanted), "")


def capability_reason(framework: Framework, gpu: Gpu | None) -> str:
    """Return why a framework has no code for a GPU, or "" if it has or does not say."""
    known = framework.capabilities
    if not gpu or not gpu.compute_capability or not known or gpu.compute_capability in known:
        return ""
    return f"{framework.name} runs on compute capability {', '.join(known)}, not {gpu.compute_capability} ({gpu.name})"


def age_reason(choice: FrameworkChoice, wanted: Requirements, gpu: Gpu | None) -> str:
    """Return why a GPU is too old for the pinned packages, or ""; a version that the user names is his to judge."""
    if choice.version:
        return ""
    return requirements.too_old(wanted, gpu, choice.framework.distribution)


def requirements_for(choice: FrameworkChoice, accelerator: str) -> Requirements:
    """Return the pins of a choice; a CUDA 12 set serves a CUDA 13 driver where there is no other."""
    framework = choice.framework
    if framework.only_given:
        raise EnvironmentBuildError(
            f"{framework.name} has no requirement set, since {framework.only_given}; "
            f"give an interpreter that has both: --python {framework.name}=PATH"
        )
    try:
        wanted = requirements.read(choice.environment, accelerator)
    except EnvironmentBuildError:
        if accelerator != "cuda13":
            raise
        wanted = requirements.read(choice.environment, "cuda12")
    if not choice.version:
        return wanted
    return requirements.with_version(wanted, choice.framework.distribution, choice.version)


def given_pythons(request: RunRequest) -> dict[str, Path]:
    """Return the interpreters given, by row, framework or environment; a name for one precision means its framework."""
    given: dict[str, Path] = {}
    for name, path in request.python.items():
        meant = name if name in environment_names() else parse_choice(name).label
        if given.setdefault(meant, path) != path:
            raise UsageError(
                f"--python {name}={path}: {meant} has the interpreter {given[meant]} already; give one for both"
            )
    return given


def check_given_pythons(request: RunRequest) -> None:
    """Raise UsageError for a --python whose name is no framework or environment, or whose file is no program."""
    for name, path in request.python.items():
        if name not in environment_names():
            try:
                parse_choice(name)
            except InferometerError as error:
                raise UsageError(f"--python {name}={path}: {error}") from error
        if not path.is_file():
            raise UsageError(f"--python {name}={path}: there is no such interpreter")
    given_pythons(request)
