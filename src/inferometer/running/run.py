"""From a request to a finished run directory: plan, environments, model, rounds. Also goes on with an unfinished one."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from inferometer.energy import Session
from inferometer.energy.meters.discover import check_powercap
from inferometer.errors import InferometerError, StoreError
from inferometer.frameworks.interpreters import check_interpreters
from inferometer.host.gpus import find_gpus, visibility
from inferometer.host.instructions import weight_bits
from inferometer.host.machine import describe_machine, usable_cores
from inferometer.models.contract import PreparedModel
from inferometer.planning.cpu_shares import with_threads
from inferometer.planning.devices import gpu_of
from inferometer.planning.plan import Plan, check_any, check_given_pythons, make_plan
from inferometer.planning.request import RunRequest, from_builtins
from inferometer.planning.situation import Situation, look_up
from inferometer.precisions import Stored
from inferometer.records import Cell, Machine, RunInfo
from inferometer.results.resolution import SecondStage, second_stage
from inferometer.results.summary import summarise
from inferometer.running import dataset
from inferometer.running.load.execution import run_scenarios
from inferometer.running.load.instrument import LoadgenFolders
from inferometer.running.monitoring.cell_monitor import CellMonitor
from inferometer.running.monitoring.energy import EnergyMonitor
from inferometer.running.monitoring.gpu import monitor_gpus
from inferometer.running.monitoring.meters import meter_needs, open_meters, tell_absences, with_window
from inferometer.running.monitoring.shared_energy import SharedEnergyMonitor
from inferometer.running.parallel import ParallelRunner
from inferometer.running.preparing import prepare_model
from inferometer.running.processes.launch import Launch, launch_worker
from inferometer.running.progress.observer import Observer
from inferometer.running.ready_environments import ReadyEnvironments
from inferometer.running.run_info import as_begun, complete_facts, planned_facts
from inferometer.running.runner import Runner
from inferometer.running.time_limit import TimeLimit
from inferometer.storage import temporary
from inferometer.storage.cache import cache_folder
from inferometer.storage.run_directory import RUN_FILE, RunWriter, StoredRun, alone_in, read_run
from inferometer.version import __version__

# rounds that take so long together may be added even where they are more than `Protocol.most_rounds`
_SHORT_S, _MOST_SHORT = 3600.0, 100


@dataclass(frozen=True)
class Preparation:
    """A request made concrete on this machine."""

    request: RunRequest
    situation: Situation
    plan: Plan

    @property
    def machine(self) -> Machine:
        """Return the machine as it was when the request was prepared."""
        return self.situation.machine

    def as_stored(self, stored: Stored) -> Preparation:
        """Return it for a model whose file was found to be measured as it is."""
        return replace(self, plan=make_plan(self.request, self.situation, stored))

    def facts(self) -> RunInfo:
        """Return what run.json says before anything is built."""
        return planned_facts(self.request, self.machine, self.plan)


def prepare_run(request: RunRequest) -> Preparation:
    """Look at the machine and plan; UsageError for what cannot be met."""
    check_given_pythons(request)
    check_interpreters(request.python)
    gpus, lack = find_gpus()
    machine = describe_machine(gpus)
    situation = look_up(request, machine, lack, visibility())
    dataset.look_at(request)
    request = msgspec.structs.replace(
        request, devices=situation.devices
    )  # a resumed run must not choose anew
    plan = make_plan(request, situation)
    return Preparation(with_threads(request, plan, machine, usable_cores()), situation, plan)


def execute(request: RunRequest, out: Path, observer: Observer) -> StoredRun:
    """Measure what ``request`` asks for into the new directory ``out`` and return it as stored."""
    return execute_prepared(prepare_run(request), out, observer)


def execute_prepared(preparation: Preparation, out: Path, observer: Observer) -> StoredRun:
    """Measure as `execute` does what was prepared already."""
    check_any(preparation.plan)
    writer = RunWriter.create(out, preparation.facts())
    try:
        with alone_in(out):
            return _carry_out(preparation, writer, observer)
    except InferometerError as error:  # found late, such as an interpreter without the framework
        if str(out / "logs") not in str(error):  # a log that the error names stays
            writer.withdraw()
        raise


def resume(path: Path, observer: Observer) -> StoredRun:
    """Go on with an interrupted run: only cells with no ended record are measured."""
    stored = read_run(path)
    if not stored.info.request:
        raise StoreError(f"{path} was not made by a run on this machine and cannot be resumed")
    preparation = prepare_run(_request_of(stored))
    if preparation.machine.fingerprint != stored.info.machine.fingerprint:
        raise StoreError(
            f"{path} was begun on other hardware ({stored.info.machine.differences(preparation.machine)}); start a new run here instead"
        )
    if stored.info.tool != __version__:
        raise StoreError(
            f"{path} was begun by inferometer {stored.info.tool}, this is {__version__}: its measurements do not mix; "
            "go on with that version, or start a new run"
        )
    with alone_in(path):
        _forget_compiled(path)  # left by a killed process; what it finds there no record would say
        temporary.remove_left(path / temporary.FOLDER)
        return _carry_out(preparation, RunWriter(path), observer, stored.info)


def _request_of(stored: StoredRun) -> RunRequest:
    """Return what a run was begun with, checked as if it were asked now; StoreError if it cannot be read."""
    try:
        request = from_builtins(stored.info.request)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise StoreError(f"{stored.path / RUN_FILE}: damaged request: {error}; start a new run") from error
    request.check()
    return request


def _carry_out(
    preparation: Preparation, writer: RunWriter, observer: Observer, begun: RunInfo | None = None
) -> StoredRun:
    """Build what the plan needs, measure its rounds, then serve and evaluate where that was asked for."""
    request = preparation.request
    check_powercap(request.powercap)
    if preparation.situation.notice:
        observer.preparing(preparation.situation.notice)
    ready = ReadyEnvironments(request, preparation.plan, writer.path / "logs", observer.preparing)
    model, preparation, reference = _make_model(preparation, ready, observer)
    info = complete_facts(preparation.facts(), ready, preparation.plan, model)
    loadgen = LoadgenFolders.for_run(
        request, preparation.plan, ready, writer.path / "logs", observer.preparing
    )
    try:
        shards = dataset.make_shards(
            request, preparation.situation, model, ready, run=writer.path, progress=observer.preparing
        )
        info = msgspec.structs.replace(info, dataset=shards.info if shards else None)
        info = as_begun(info, begun, writer.path) if begun else info
        runner = Runner(
            request=request,
            plan=preparation.plan,
            model=model,
            int8_unit=preparation.machine.int8,
            launch=lambda cell: _launch(cell, preparation, ready),
            writer=writer,
            observer=observer,
            time_limit=TimeLimit(request.protocol.time_limit_s),
        )
        stored = _measure_all_rounds(runner, info, preparation)
        if loadgen:
            stored = run_scenarios(stored, runner, preparation.situation, loadgen)
        if shards is None:
            return stored
        return dataset.evaluate(stored, runner, shards, preparation.situation, reference)
    finally:
        _forget_compiled(writer.path)
        dataset.forget_shards(writer.path)


def _make_model(
    preparation: Preparation, ready: ReadyEnvironments, observer: Observer
) -> tuple[PreparedModel, Preparation, Cell | None]:
    """Return the model in the forms that the plan's cells take, and the row that answers for fp32 on the user's data.

    A file that is measured as it is changes the plan: the preparation comes back with it, and no row answers for fp32.
    """
    request, plan, situation = preparation.request, preparation.plan, preparation.situation
    reference = dataset.reference_row(request, plan, situation)
    forms = _forms(plan, ready)
    forms |= {dataset.form_of(reference, plan, situation)} if reference else set()
    model = prepare_model(
        request, situation.source, forms, ready.run_step, cache_folder("models"), progress=observer.preparing,
        weight_bits=weight_bits(preparation.machine.int8),
        if_stored=lambda stored: _forms(preparation.as_stored(stored).plan, ready),
    )  # fmt: skip
    if not model.stored:
        return model, preparation, reference
    preparation = preparation.as_stored(model.stored)
    check_any(preparation.plan)
    return model, preparation, None


def _forms(plan: Plan, ready: ReadyEnvironments) -> set[str]:
    """Return the forms of the cells whose environment there is, after making those that are missing."""
    ready.follow(plan)
    return {plan.forms[cell] for cell in plan.cells if (cell.framework, cell.device) in ready.rows}


def _measure_all_rounds(runner: Runner, info: RunInfo, preparation: Preparation) -> StoredRun:
    """Measure the rounds that were asked for, and those that the noise asks for."""
    observer = runner.observer
    session = _open_meters(preparation)
    tell_absences(session, runner.request, observer)
    stored = _measure_rounds(runner, info, session, preparation)
    if further := _second_stage(stored):
        observer.preparing(further.text)
        protocol = msgspec.structs.replace(info.protocol, rounds=further.rounds)
        notes = (*stored.info.notes, further.text)
        info = msgspec.structs.replace(stored.info, protocol=protocol, notes=notes)
        stored = _measure_rounds(runner, info, _open_meters(preparation), preparation)
    return stored


def _forget_compiled(path: Path) -> None:
    """Remove the code that workers compiled: it is warm within one process's rounds only (`CompileCache`)."""
    shutil.rmtree(path / temporary.COMPILE_FOLDER, ignore_errors=True)


def _measure_rounds(runner: Runner, info: RunInfo, session: Session, preparation: Preparation) -> StoredRun:
    """Measure what is missing of ``info``'s rounds with meters of their own, which end with it."""
    request = runner.request
    needs = meter_needs(request, {cell.device for cell in preparation.plan.cells}, session)
    request = with_window(request, max(need.window_s for need in needs.values()))
    window_s = request.protocol.energy_window_s
    protocol = msgspec.structs.replace(info.protocol, energy_window_s=window_s)
    info = msgspec.structs.replace(info, protocol=protocol, meters=session.describe())
    runner.writer.write_info(info)
    meter = EnergyMonitor(session)
    runner = replace(runner, request=request, monitors=(meter,), needs=needs.__getitem__)
    try:
        _with_monitors(runner, meter, preparation).run(read_run(runner.writer.path).missing)
    finally:  # what is known of the meters only now: idle power, cost of reads
        info = msgspec.structs.replace(info, meters=session.describe())
        runner.writer.write_info(_as_cut(info, runner.time_limit))
    return read_run(runner.writer.path)


def _as_cut(info: RunInfo, limit: TimeLimit) -> RunInfo:
    """Return a run's facts with as many rounds as its time limit let begin."""
    rounds = info.protocol.rounds if limit.rounds is None else min(limit.rounds, info.protocol.rounds)
    return msgspec.structs.replace(info, protocol=msgspec.structs.replace(info.protocol, rounds=rounds))


def _second_stage(stored: StoredRun) -> SecondStage | None:
    """Return to how many rounds the noise of a finished run asks it to go on; None if it was asked before, or cut."""
    protocol = stored.info.protocol
    if not protocol.most_rounds or protocol.rounds != stored.info.asked_rounds:
        return None
    round_s = sum(record.elapsed_s for record in stored.records) / protocol.rounds
    short = min(protocol.rounds + _SHORT_S / max(round_s, 1.0), _MOST_SHORT)
    return second_stage(summarise([stored]), protocol.rounds, max(protocol.most_rounds, int(short)))


def _with_monitors(runner: Runner, meter: EnergyMonitor, preparation: Preparation) -> Runner | ParallelRunner:
    """Return what measures, the devices in turn or all at once, with the monitors that it needs."""
    machine, devices = preparation.machine, {cell.device for cell in preparation.plan.cells}
    if not preparation.request.at_once:
        return replace(runner, monitors=(meter, *monitor_gpus(devices, machine.gpus)))

    def monitors(device: str) -> tuple[CellMonitor, ...]:
        gpu = gpu_of(device, machine)
        own = SharedEnergyMonitor(meter, device, gpu.uuid if gpu else "", runner.concurrency)
        return (own, *monitor_gpus({device}, machine.gpus))

    return ParallelRunner(runner=runner, monitors=monitors)


def _open_meters(preparation: Preparation) -> Session:
    return open_meters(preparation.request, preparation.machine, preparation.plan.cells[0].device)


def _launch(cell: Cell, preparation: Preparation, ready: ReadyEnvironments) -> Launch:
    environment = ready.rows[cell.framework, cell.device]
    gpu = gpu_of(cell.device, preparation.machine)
    return launch_worker(environment, gpu, preparation.request.protocol.threads)
