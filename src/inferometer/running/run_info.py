"""What run.json says of a run: as planned, once environments and model are there, and when it is resumed."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from inferometer.errors import StoreError
from inferometer.host.scheduler import batch_job
from inferometer.models.contract import PreparedModel
from inferometer.planning.cpu_shares import devices_at_once
from inferometer.planning.devices import gpu_of
from inferometer.planning.plan import Plan, fixed_batch_reason
from inferometer.planning.request import RunRequest, to_builtins
from inferometer.records import Cell, Machine, RunInfo, Skip
from inferometer.running.parallel import at_once_text
from inferometer.running.ready_environments import ReadyEnvironments
from inferometer.version import __version__

_KEPT = ("torch_source", "installed", "locked", "borrowed")  # of how an environment was built


def planned_facts(request: RunRequest, machine: Machine, plan: Plan) -> RunInfo:
    """Return what is known before anything is built."""
    at_once = devices_at_once(request, plan)
    return RunInfo(
        tool=__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=_command(),
        protocol=request.protocol,
        machine=machine,
        cells=plan.cells,
        skips=plan.skips,
        notes=(at_once_text(at_once, request.protocol.threads),) if at_once else (),
        jobs=(job,) if (job := batch_job(os.environ)) else (),
        request=to_builtins(request),
    )


def _command() -> str:
    """Return the command line, or what a program or a notebook called: its own arguments say nothing of the run."""
    program = Path(sys.argv[0])
    ours = program.stem == "inferometer" or program.parent.name == "inferometer"
    return shlex.join(["inferometer", *sys.argv[1:]]) if ours else "inferometer.run(...)"


def complete_facts(info: RunInfo, ready: ReadyEnvironments, plan: Plan, model: PreparedModel) -> RunInfo:
    """Add model and environments; cells whose environment or artifact could not be made become skips."""
    reasons = {cell: _unmakeable(cell, ready, plan, model) for cell in info.cells}
    late = tuple(Skip(cell, reason) for cell, reason in reasons.items() if reason)
    return msgspec.structs.replace(
        info,
        model=model.info,
        cells=tuple(cell for cell, reason in reasons.items() if not reason),
        skips=(*info.skips, *late),
        environments=_environment_facts(ready, plan),
    )


def _unmakeable(cell: Cell, ready: ReadyEnvironments, plan: Plan, model: PreparedModel) -> str:
    key = (cell.framework, cell.device)
    if key in ready.failures:
        return ready.failures[key]
    form = plan.forms[cell]
    fixed = model.artifacts[form].fixed_batch if form in model.artifacts else None
    return model.missing.get(form, "") or fixed_batch_reason(cell.batch_size, fixed)


def _environment_facts(ready: ReadyEnvironments, plan: Plan) -> dict[str, Any]:
    return {
        f"{label} on {device}": {
            "environment": environment.name,
            "interpreter": "given" if environment.given else "built",
            "pins": environment.pins.splitlines(),
            "forms": _forms(plan, label, device),
            **{key: value for key, value in environment.facts.items() if key in _KEPT and value},
        }
        for (label, device), environment in ready.rows.items()
    }


def _forms(plan: Plan, label: str, device: str) -> dict[str, str]:
    """Return the form in which a row takes the model, by precision."""
    own = [cell for cell in plan.cells if (cell.framework, cell.device) == (label, device)]
    return {cell.precision: plan.forms[cell] for cell in own}


def as_begun(info: RunInfo, begun: RunInfo, path: Path) -> RunInfo:
    """Return a resumed run's facts with those of its beginning; StoreError if its records are of another model, pins or GPU."""
    if begun.model.hash and begun.model.hash != info.model.hash:
        raise StoreError(
            f"{path} was begun with another content of {info.model.name}, or with other input shapes or inputs (or by an "
            "inferometer before 2026-11-26, which hashed less), so its records cannot be added to; start a new run"
        )
    for row, facts in begun.environments.items():
        now = info.environments.get(row, facts)
        if facts.get("pins") != now.get("pins"):
            raise StoreError(
                f"{path} was begun with other versions for {row} ({', '.join(facts.get('pins', []))}), now "
                f"{', '.join(now.get('pins', []))}; start a new run"
            )
        _check_installed(row, facts, now, path)
    if begun.dataset and info.dataset and begun.dataset.key != info.dataset.key:
        raise StoreError(
            f"{path} was begun with another content of the data set {begun.dataset.path}, other labels or another preprocessing; "
            "start a new run"
        )
    _check_same_gpus(info, begun, path)
    # rounds and notes may be a second stage's
    protocol = msgspec.structs.replace(info.protocol, rounds=begun.protocol.rounds)
    notes = tuple(dict.fromkeys((*begun.notes, *info.notes)))
    jobs = (*begun.jobs, *(job for job in info.jobs if job not in begun.jobs))
    return msgspec.structs.replace(
        info, created_at=begun.created_at, command=begun.command, protocol=protocol, notes=notes, jobs=jobs
    )


def _check_installed(row: str, then: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    """Raise StoreError where a package that came with the pinned ones is of another version now."""
    begun, found = then.get("installed"), now.get("installed")
    if not isinstance(begun, dict) or not isinstance(found, dict) or begun == found:
        return
    name = min(set(begun.items()) ^ set(found.items()))[0]
    raise StoreError(
        f"{path} was begun with other packages for {row}: {name} was {begun.get(name, 'not there')}, now "
        f"{found.get(name, 'not there')}; start a new run"
    )


def _check_same_gpus(info: RunInfo, begun: RunInfo, path: Path) -> None:
    """Raise StoreError where a device is another card now: two of one kind differ in speed and in power."""
    for device in sorted({cell.device for cell in info.cells}):
        now, then = gpu_of(device, info.machine), gpu_of(device, begun.machine)
        if now and then and now.uuid != then.uuid:
            raise StoreError(
                f"{path} was begun on another {device}, {then.name} {then.uuid}, now {now.uuid}: "
                "records of two cards do not mix; start a new run, and give reports both"
            )
