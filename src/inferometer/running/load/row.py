"""One worker under load: loaded, checked, its batch sizes prepared, then one scenario after the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from inferometer.planning.load_request import sizes_of
from inferometer.records import Cell, ScenarioResult
from inferometer.running.checked_row import open_checked
from inferometer.running.load.context import LoadContext
from inferometer.running.load.scenario import ScenarioRun
from inferometer.running.load.task import Task
from inferometer.running.load.test import Tester
from inferometer.running.messages import open_message
from inferometer.running.processes.child import Child
from inferometer.running.processes.endings import Ending
from inferometer.running.processes.worker_client import WorkerClient
from inferometer.running.progress.observer import SilentObserver
from inferometer.storage.temporary import FOLDER as TEMPORARY_FOLDER
from inferometer.version import __version__
from inferometer.worker.protocol import Rehearse

_REHEARSAL_S = 2.0  # for the times of all sizes, at least; a tenth of it a size


class RowUnderLoad:
    """The tasks of one row in one round, in one worker as long as it lives."""

    def __init__(self, context: LoadContext, tasks: Sequence[Task]) -> None:
        self._context, self._runner, self._tasks = context, context.runner, list(tasks)
        self._instances = tasks[0].batching.instances
        self._log = Path("logs") / f"load-{tasks[0].cell.framework.replace(':', '_')}-r{tasks[0].round}.log"
        self._facts: dict[str, Any] = {}
        self._begin()

    def _begin(self) -> None:
        self._begun, self._started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="milliseconds")

    def run(self) -> list[Task]:
        """Run the tasks until done or the worker dies; return those left for a new worker."""
        first = self._tasks[0]
        launch, path = self._runner.launch(first.cell), self._runner.writer.path
        for monitor in self._runner.monitors:
            monitor.begin_worker(first.cell)
        try:
            child = Child(
                launch.python, launch.environment, path / self._log, self._runner.interruption, path / TEMPORARY_FOLDER
            )  # fmt: skip
        except OSError as error:
            return self._end(Ending("failed", f"cannot start {launch.python}: {error.strerror}"))
        scenario: ScenarioRun | None = None
        with child:
            client = WorkerClient(
                child, self._runner.request.protocol.timeout_s, SilentObserver(), first.round
            )
            try:
                refused = self._prepared(client, first.cell)
                if refused:
                    if (
                        refused.status == "killed"
                    ):  # from outside: a new worker may load what this one was to run
                        self._store(first, refused, {})
                        return self._tasks[1:]
                    return self._end(refused)
                tester = Tester(
                    self._context, client, self._facts["service_s"], self._facts["switch_s"], self._sizes
                )
                while self._tasks:
                    scenario = ScenarioRun(self._context, tester, self._tasks[0])
                    ending = scenario.run()
                    facts, scenario = scenario.facts(), None
                    self._store(self._tasks.pop(0), ending, facts)
                    if client.is_over:
                        break
            except KeyboardInterrupt as stop:
                ending = Ending("interrupted", str(stop) or "stopped by the user")
                if self._tasks:
                    self._store(self._tasks[0], ending, scenario.facts() if scenario else {})
                raise
        return self._tasks

    def _sizes(self, task: Task) -> tuple[int, ...]:
        return sizes_of(task.batching, self._artifact(task.cell).fixed_batch)

    def _artifact(self, cell: Cell) -> Any:
        return self._runner.model.artifacts[self._context.form(cell)]

    def _prepared(self, client: WorkerClient, cell: Cell) -> Ending | None:
        """Load the row, let it pass the checks of any cell at its largest size, and prepare and time all sizes."""
        protocol = self._runner.request.protocol
        sizes = sorted({size for task in self._tasks for size in self._sizes(task)})
        largest = msgspec.structs.replace(cell, batch_size=sizes[-1])
        self._tell(f"{self._tasks[0].row}: loading")
        message = open_message(
            largest,
            self._runner.plan.row(cell).choice,
            self._artifact(cell),
            request=self._runner.request,
            model=self._runner.model,
            cache=self._runner.compile_folder(cell),
        )
        images = max(protocol.images, sizes[-1])
        message = replace(message, images=images, instances=self._instances)
        facts, ending = open_checked(client, largest, message, protocol.budget_s)
        self._facts |= facts
        return ending or self._rehearsed(client, largest, sizes)

    def _rehearsed(self, client: WorkerClient, cell: Cell, sizes: list[int]) -> Ending | None:
        self._tell(f"{self._tasks[0].row}: preparing batch sizes {', '.join(map(str, sizes))}")
        budget_s = max(_REHEARSAL_S, 0.1 * _REHEARSAL_S * len(sizes))
        rehearsed = client.rehearse(cell, Rehearse(sizes, budget_s))
        if isinstance(rehearsed, Ending):
            return rehearsed
        try:
            self._facts["service_s"] = msgspec.convert(rehearsed.service_s, dict[str, float])
            self._facts["switch_s"] = msgspec.convert(rehearsed.switch_s, float)
        except msgspec.ValidationError as error:
            return Ending("broken-protocol", f"the worker's times are malformed: {error}")
        self._facts["compile_s"] = rehearsed.compile_s
        return None

    def _tell(self, text: str) -> None:
        self._runner.observer.preparing(f"under load, {text}")

    def _end(self, ending: Ending) -> list[Task]:
        """Store the ending of all tasks, of those with the largest batches where memory was short; return the others."""
        largest = max(max(self._sizes(task)) for task in self._tasks)
        fitting = [task for task in self._tasks if max(self._sizes(task)) < largest]
        left = fitting if ending.status == "out-of-memory" else []
        for task in self._tasks:
            if task not in left:
                self._store(task, ending, {})
        return left

    def _store(self, task: Task, ending: Ending, facts: dict[str, Any]) -> None:
        load = self._context.load
        result = ScenarioResult(
            cell=task.cell,
            round=task.round,
            scenario=task.scenario,
            batching=task.batching,
            status=ending.status,
            cause=ending.cause,
            preset=load.preset,
            is_mlperf_length=load.length.is_mlperf_length,
            tool=__version__,
            started_at=self._started_at,
            elapsed_s=time.monotonic() - self._begun,
            log=str(self._log),
            **{"bound_s": task.bound_s, **self._facts, **facts},
        )
        self._context.store(result)
        if ending.status != "ok":
            self._tell(f"{task.words}: {ending.status}: {ending.cause}")
        self._begin()
