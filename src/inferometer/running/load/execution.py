"""The scenarios of a run, with meters of their own."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from inferometer.planning.situation import Situation
from inferometer.running.dataset import form_of
from inferometer.running.load.context import LoadContext
from inferometer.running.load.instrument import LoadgenFolders
from inferometer.running.load.stage import run_stage
from inferometer.running.monitoring.energy import EnergyMonitor
from inferometer.running.monitoring.gpu import monitor_gpus
from inferometer.running.monitoring.meters import open_meters
from inferometer.running.runner import Runner
from inferometer.storage.run_directory import StoredRun, read_run


def run_scenarios(
    stored: StoredRun, runner: Runner, situation: Situation, loadgen: LoadgenFolders
) -> StoredRun:
    """Run what is missing of a run's scenarios, one device after the other, and return the run with that."""
    devices = {cell.device for cell in runner.plan.cells}
    machine = situation.machine
    session = open_meters(runner.request, machine, runner.plan.cells[0].device)
    meter = EnergyMonitor(session)
    context = LoadContext(
        runner=replace(runner, monitors=(meter, *monitor_gpus(devices, machine.gpus))),
        form=lambda cell: form_of(cell, runner.plan, situation),
        loadgen=loadgen.folder_for,
        meters_tell=lambda device: session.needs(device).window_s > 0,
    )
    try:
        run_stage(context, stored)
    finally:  # what is known of the meters only now: power at rest, cost of reads
        meters = _joined(stored.info.meters, session.describe())
        runner.writer.write_info(msgspec.structs.replace(read_run(stored.path).info, meters=meters))
    return read_run(stored.path)


def _joined(
    before: tuple[dict[str, object], ...], after: tuple[dict[str, object], ...]
) -> tuple[dict[str, object], ...]:
    """Return the meters of the rounds, and those that only the scenarios had."""
    known = {str(meter.get("uid") or meter.get("device_uid") or meter) for meter in before}
    return (*before, *(m for m in after if str(m.get("uid") or m.get("device_uid") or m) not in known))
