"""`inferometer frameworks`, `env` and `machine`: what there is to run, and what it would run on."""

from __future__ import annotations

import json

import click
import msgspec
from rich import box
from rich.table import Table

from inferometer import units
from inferometer.cli.common import console
from inferometer.cli.groups import CommandGroup
from inferometer.errors import EnvironmentBuildError, UsageError, unknown
from inferometer.frameworks import environments, installer, locks, requirements
from inferometer.frameworks.catalogue import FRAMEWORKS, Framework, FrameworkChoice
from inferometer.host.gpus import find_gpus, hidden_reason, visibility, visible_gpus
from inferometer.host.machine import describe_machine
from inferometer.models.routes import environment_names
from inferometer.planning.devices import driver_accelerator
from inferometer.planning.options import ACCELERATORS
from inferometer.planning.plan import age_reason, capability_reason, requirements_for
from inferometer.records import Gpu
from inferometer.storage.cache import cache_folder

_PYTHON = "3.11"  # the oldest that locks are for


@click.command("frameworks")
@click.option("--variants", is_flag=True, help="List each framework's named configurations instead.")
def frameworks_command(variants: bool) -> None:
    """List every framework known, and whether it can run here."""
    console().print(_variants_table() if variants else _frameworks_table())


def _frameworks_table() -> Table:
    gpus, lack = find_gpus()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("name", "what it is", "devices", "version", "here"):
        table.add_column(title, overflow="fold")
    visible = visible_gpus(gpus, visibility())
    gpu = visible[0] if visible else None
    for framework in FRAMEWORKS.values():
        version, state = _state(framework, gpu, lack.reason or hidden_reason(visibility()))
        table.add_row(framework.name, framework.title, ", ".join(framework.devices), version, state)
    return table


def _state(framework: Framework, gpu: Gpu | None, gpu_reason: str) -> tuple[str, str]:
    """Return the version and whether it can run on ``gpu`` (None: on the CPU)."""
    if "cpu" not in framework.devices and gpu is None:
        return "", f"no: needs an NVIDIA GPU: {gpu_reason}; run it on a machine that has one"
    if refusal := capability_reason(framework, gpu):
        return "", f"no: {refusal}"
    accelerator = driver_accelerator(gpu) if gpu and "cuda" in framework.devices else "cpu"
    choice = FrameworkChoice(framework)
    try:
        wanted = requirements_for(choice, accelerator)
        environments.find_interpreter(wanted)
    except EnvironmentBuildError as error:
        return "", f"no: {error}"
    if refusal := age_reason(choice, wanted, gpu):
        return "", f"no: {refusal}"
    version = requirements.version_of(wanted, framework.distribution)
    if environments.is_built(wanted):
        return version, f"yes, environment {wanted.name} is built"
    return version, f"yes, environment {wanted.name} will be built: {wanted.download_text()}"


def _variants_table() -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("name", "what it is"):
        table.add_column(title, overflow="fold")
    for framework in FRAMEWORKS.values():
        for name, variant in framework.variants.items():
            shown = f"{name}=NAME" if variant.takes else name
            table.add_row(f"{framework.name}:{shown}", variant.title)
    return table


@click.group("env", cls=CommandGroup)
def env_command() -> None:
    """List, build or remove the frameworks' environments."""


@env_command.command("list")
def env_list() -> None:
    """List the built environments and their size on disk."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("environment", "size", "pins"):
        table.add_column(title, justify="right" if title == "size" else "left", overflow="fold")
    for item in environments.list_installed():
        broken = "" if item.is_whole else "not whole, to be rebuilt when used: "
        table.add_row(item.name, units.size(item.size_bytes), broken + ", ".join(item.requirements))
    console().print(table)
    click.echo(f"in {environments.environments_folder()}")


@env_command.command("build")
@click.argument("names", nargs=-1)
@click.option("--accelerator", default="cpu", show_default=True, help="cpu, cuda12 or cuda13.")
def env_build(names: tuple[str, ...], accelerator: str) -> None:
    """Build the environments NAMES (default: every one there is for the accelerator)."""
    if accelerator not in ACCELERATORS:
        raise unknown("accelerator", accelerator, ACCELERATORS)
    log = cache_folder("logs") / "env-build.log"
    for name in names or _available(accelerator):
        if name not in environment_names():
            raise unknown("environment", name, environment_names())
        built = environments.ensure(
            requirements.read(name, accelerator), log, lambda text: click.echo(text, err=True)
        )
        click.echo(f"{name}: {built.python}")


def _available(accelerator: str) -> list[str]:
    names = []
    for name in environment_names():
        try:
            requirements.read(name, accelerator)
        except EnvironmentBuildError:
            continue
        names.append(name)
    return names


@env_command.command("lock")
@click.argument("names", nargs=-1)
def env_lock(names: tuple[str, ...]) -> int:
    """Write the locks of NAMES (default: all) anew from the pins, into this installation: for developers."""
    failed, known = 0, requirements.every()
    for name in names:
        if not any(wanted.name == name for wanted in known):
            raise unknown("environment", name, sorted({wanted.name for wanted in known}))
    for wanted in known:
        if names and wanted.name not in names:
            continue
        try:
            lock = installer.lock_of(wanted, _PYTHON)
        except EnvironmentBuildError as error:
            failed += 1
            click.echo(f"{wanted.name} {wanted.accelerator}: {error}", err=True)
            continue
        path = locks.path_of(wanted.name, wanted.accelerator)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lock)
        click.echo(f"{wanted.name} {wanted.accelerator}: {path}")
    return 1 if failed else 0


@env_command.command("remove")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Remove all of them, and what killed builds left.")
def env_remove(names: tuple[str, ...], everything: bool) -> None:
    """Remove built environments by NAME (as `env list` shows, or its framework's part: tf, tensorrt-rtx)."""
    installed = environments.list_installed()
    if not (names or everything):
        raise UsageError("name the environments to remove, or give --all")
    if names and everything:
        raise UsageError(
            f"{', '.join(names)} and --all: give either the names, or --all for every environment"
        )
    for name in names:
        if not any(_matches(item.name, name) for item in installed):
            raise unknown("built environment", name, [item.name for item in installed])
    for item in installed:
        if everything or any(_matches(item.name, name) for name in names):
            size = units.size(item.size_bytes)
            environments.remove(item.folder)
            click.echo(f"removed {item.name}, {size}")
    if everything:
        for folder in environments.remove_partial():
            click.echo(f"removed {folder.name}, left by a build that was killed")


def _matches(folder: str, name: str) -> bool:
    return folder == name or folder.rsplit("-", 2)[0] == name


@click.command("machine")
@click.option("--json", "as_json", is_flag=True, help="Print every fact as JSON.")
def machine_command(as_json: bool) -> None:
    """Describe this machine."""
    gpus, lack = find_gpus()
    machine = describe_machine(gpus)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(machine), indent=1))
        return
    lines = {
        "CPU": machine.cpu,
        "cores": f"{machine.physical_cores} physical, {machine.logical_cores} logical, {machine.usable_cores} usable",
        "governor": machine.governor or "not told by this system",
        "memory": units.size(machine.memory_bytes),
        "OS": f"{machine.os}, kernel {machine.kernel}, Python {machine.python}",
        "virtualised": machine.virtualization or "not as far as can be told",
        "load now": f"{machine.load_1m:.2f} (mean of 1 minute)",
        "GPUs": ", ".join(f"{gpu.name} ({units.size(gpu.memory_bytes)})" for gpu in machine.gpus)
        or f"none: {lack.reason}",
    }
    if machine.gpus and lack.reason:
        lines["GPUs"] += f"; {lack.reason}"
    if machine.gpus:
        lines["driver"] = f"{machine.gpus[0].driver}, CUDA {machine.gpus[0].cuda}"
    for name, text in lines.items():
        click.echo(f"{name + ':':13}{text}")
