"""The scenarios that a run asks for, after its rounds: every row that was measured, in fresh workers, interleaved."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec

from inferometer.planning.load_request import LoadRequest
from inferometer.records import STILL_MISSING
from inferometer.running.evaluation import measured_rows
from inferometer.running.load.context import LoadContext
from inferometer.running.load.row import RowUnderLoad
from inferometer.running.load.task import Task
from inferometer.storage.run_directory import StoredRun


def run_stage(context: LoadContext, stored: StoredRun) -> None:
    """Run what is missing; KeyboardInterrupt records the scenario in flight, then goes on up."""
    for result in stored.scenarios:
        context.note_rate(result)
    missing = missing_tasks(stored, context.load)
    if not missing:
        return
    with context.runner.monitored():
        for tasks in _by_worker(missing, context.runner.request.protocol.seed):
            left = tasks
            while left:
                left = RowUnderLoad(context, left).run()


def missing_tasks(stored: StoredRun, load: LoadRequest) -> list[Task]:
    """Return what of a run's scenarios has no ended result, round by round."""
    ended = {
        _key(Task(r.cell, r.round, r.scenario, r.batching, r.bound_s))
        for r in stored.scenarios
        if r.status not in STILL_MISSING
    }
    found = [
        Task(msgspec.structs.replace(row, batch_size=batching.max_batch), number, scenario, batching, bound_s)
        for number in range(stored.info.first_rounds)
        for row in measured_rows(stored.records)
        for scenario in load.scenarios
        for batching in load.policies(scenario)
        for bound_s in load.promises(scenario)
    ]
    return [task for task in found if _key(task) not in ended]


def _key(task: Task) -> tuple[object, ...]:
    cell = task.cell
    return cell.framework, cell.precision, cell.device, task.round, task.scenario, task.batching, task.bound_s


def _by_worker(tasks: Iterable[Task], seed: int) -> list[list[Task]]:
    """Return the tasks of each worker (a row in a round, as one instance or several), rounds in order, rows in a random order within them."""
    groups: dict[tuple[int, str, str, str, int], list[Task]] = {}
    for task in tasks:
        cell = task.cell
        key = (task.round, cell.framework, cell.precision, cell.device, task.batching.instances)
        groups.setdefault(key, []).append(task)
    order = random.Random(seed)
    places = {key: (key[0], order.random()) for key in groups}
    return [groups[key] for key in sorted(groups, key=places.__getitem__)]
