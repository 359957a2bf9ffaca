"""The matrix: every cell that was asked for, and for each that cannot run, why, before anything runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from inferometer import requirements
from inferometer.errors import EnvironmentBuildError, InferometerError, UsageError
from inferometer.frameworks import FRAMEWORKS, Framework, FrameworkChoice, parse_choice
from inferometer.gpus import visible_gpus
from inferometer.models.sources import forms_reachable, resolve
from inferometer.records import Cell, Gpu, Machine, Skip
from inferometer.request import RunRequest
from inferometer.requirements import Requirements

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8")
MODES = ("host", "device", "host-pipelined")


@dataclass(frozen=True)
class Row:
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

    rows: Mapping[tuple[str, str], Row]  # (label, device) -> row; only those with cells
    cells: tuple[Cell, ...]
    skips: tuple[Skip, ...]

    def row(self, cell: Cell) -> Row:
        """Return the row that a cell belongs to."""
        return self.rows[cell.framework, cell.device]


def make_plan(request: RunRequest, machine: Machine, gpu_reason: str = "") -> Plan:
    """Expand the request on this machine; UsageError if nothing that was asked for exists.

    ``gpu_reason`` says why the machine has no GPU, for the skips.
    """
    request.check()
    choices = _choices(request)
    devices = resolve_devices(request.devices, machine, gpu_reason)
    reachable = forms_reachable(request.model)
    name = resolve(request.model).name
    rows: dict[tuple[str, str], Row] = {}
    cells: list[Cell] = []
    skips: list[Skip] = []
    for choice, device in itertools.product(choices, devices):
        row, reason = _row(choice, device, request, machine, gpu_reason)
        precisions = (choice.precision,) if choice.precision else request.precisions
        for precision, mode, size in itertools.product(precisions, request.modes, request.batch_sizes):
            cell = Cell(name, choice.label, precision, size, device, mode)
            route = reachable[choice.framework.form_at(precision)]
            unreachable = route if isinstance(route, str) else ""
            why = reason or unreachable or choice.obstacle(device.partition(":")[0], precision, mode)
            if why or row is None:
                skips.append(Skip(cell, why))
            else:
                cells.append(cell)
                rows[row.label, device] = row
    return Plan(rows, tuple(cells), tuple(skips))


def _choices(request: RunRequest) -> list[FrameworkChoice]:
    names = list(
        itertools.chain.from_iterable(FRAMEWORKS if name == "all" else [name] for name in request.frameworks)
    )
    choices = {(choice.label, choice.precision): choice for choice in map(parse_choice, names)}
    for precision in request.precisions:
        if precision not in PRECISIONS:
            raise UsageError(f"unknown precision '{precision}' (known: {', '.join(PRECISIONS)})")
    for mode in request.modes:
        if mode not in MODES:
            raise UsageError(f"unknown mode '{mode}' (known: {', '.join(MODES)})")
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


def resolve_devices(names: Iterable[str], machine: Machine, gpu_reason: str = "") -> tuple[str, ...]:
    """Return the devices that ``names`` mean on this machine (`auto` by what is visible now); UsageError for none."""
    return tuple(dict.fromkeys(_device(name, machine, gpu_reason) for name in names))


def _device(name: str, machine: Machine, gpu_reason: str) -> str:
    if name == "auto":
        gpus = visible_gpus(machine.gpus)
        return f"cuda:{gpus[0].index}" if gpus else "cpu"
    if name == "cuda":
        name = "cuda:0"
    if name == "cpu":
        return name
    kind, _, index = name.partition(":")
    if kind != "cuda" or not index.isdigit():
        raise UsageError(f"unknown device '{name}' (known: cpu, cuda:0, cuda:1, ..., auto)")
    if int(index) >= len(machine.gpus):
        found = (
            f"this machine has {len(machine.gpus)}"
            if machine.gpus
            else gpu_reason or "this machine has no GPU"
        )
        raise UsageError(f"device {name} does not exist: {found}; give --device cpu or auto")
    return name


def gpu_of(device: str, machine: Machine) -> Gpu | None:
    """Return the GPU that a device names, or None for the CPU."""
    return machine.gpus[int(device.partition(":")[2])] if device.startswith("cuda") else None


def accelerator_for(device: str, request: RunRequest, machine: Machine) -> str:
    """Return which set of requirements a device needs: by the driver, unless the request says."""
    if device == "cpu":
        return "cpu"
    if request.accelerator:
        return request.accelerator
    return driver_accelerator(gpu_of(device, machine))


def driver_accelerator(gpu: Gpu | None) -> str:
    """Return the newest set of CUDA requirements that a GPU's driver runs."""
    return "cuda13" if gpu and gpu.cuda and int(gpu.cuda.partition(".")[0]) >= 13 else "cuda12"


def _row(
    choice: FrameworkChoice, device: str, request: RunRequest, machine: Machine, gpu_reason: str
) -> tuple[Row | None, str]:
    framework = choice.framework
    kind = device.partition(":")[0]
    if kind not in framework.devices:
        if kind == "cpu":
            return (
                None,
                f"needs an NVIDIA GPU: {gpu_reason or 'the device asked for is the CPU'}",
            )
        return None, f"{framework.name} runs on {', '.join(framework.devices)} only; add --device cpu"
    if refusal := capability_reason(framework, gpu_of(device, machine)):
        return None, refusal
    python = (
        request.python.get(choice.label)
        or request.python.get(framework.name)
        or request.python.get(framework.environment)
    )
    if python:
        return Row(choice, device, None, python), ""
    try:
        wanted = requirements_for(choice, accelerator_for(device, request, machine))
    except EnvironmentBuildError as error:
        return None, str(error)
    return Row(choice, device, wanted), ""


def capability_reason(framework: Framework, gpu: Gpu | None) -> str:
    """Return why a framework has no code for a GPU, or "" if it has or does not say."""
    known = framework.capabilities
    if not gpu or not gpu.compute_capability or not known or gpu.compute_capability in known:
        return ""
    return f"{framework.name} runs on compute capability {', '.join(known)}, not {gpu.compute_capability} ({gpu.name})"


def requirements_for(choice: FrameworkChoice, accelerator: str) -> Requirements:
    """Return the pins of a choice; a CUDA 12 set serves a CUDA 13 driver where there is no other."""
    try:
        wanted = requirements.read(choice.framework.environment, accelerator)
    except EnvironmentBuildError:
        if accelerator != "cuda13":
            raise
        wanted = requirements.read(choice.framework.environment, "cuda12")
    if not choice.version:
        return wanted
    return requirements.with_version(wanted, choice.framework.distribution, choice.version)


def check_given_pythons(request: RunRequest) -> None:
    """Raise UsageError for a --python whose name is no framework or environment, or whose file is no program."""
    environments = {framework.environment for framework in FRAMEWORKS.values()}
    for name, path in request.python.items():
        if name not in environments:
            try:
                parse_choice(name)
            except InferometerError as error:
                raise UsageError(f"--python {name}={path}: {error}") from error
        if not path.is_file():
            raise UsageError(f"--python {name}={path}: there is no such interpreter")
