"""One LoadGen test in a worker: asked for, its log read, its energy added."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from inferometer.errors import ProtocolError
from inferometer.records import Cell, LoadTest, Loop, Record
from inferometer.records.scenario import Purpose
from inferometer.running.load.context import LoadContext
from inferometer.running.load.logs import read_log
from inferometer.running.load.settings import test_settings
from inferometer.running.load.task import Task
from inferometer.running.processes.endings import Ending
from inferometer.running.processes.worker_client import WorkerClient
from inferometer.storage.scenarios import FOLDER
from inferometer.worker.protocol import RunScenario, Served


class Tester:
    """Runs tests in one worker."""

    def __init__(
        self,
        context: LoadContext,
        client: WorkerClient,
        service_s: Mapping[str, float],
        sizes: Callable[[Task], tuple[int, ...]],
    ) -> None:
        self._context, self._client, self._sizes = context, client, sizes
        self._all_s = {int(size): seconds for size, seconds in service_s.items()}
        self._count = 0

    def measured_s(self, task: Task) -> dict[int, float]:
        """Return the median seconds of a batch, by the sizes that a task's policy may form."""
        return {size: self._all_s[size] for size in self._sizes(task)}

    def test(
        self, task: Task, purpose: Purpose, rate: float = 0.0, share: float | None = None
    ) -> LoadTest | Ending:
        """Run one test; ``rate``: requests/s, of a server."""
        load, runner = self._context.load, self._context.runner
        self._count += 1
        settings = test_settings(
            task.scenario, load, task.batching, self.measured_s(task), rate=rate,
            bound_s=task.bound_s or 0.0,
            seed=(runner.request.protocol.seed, task.round, self._count),
        )  # fmt: skip
        return self._run(task, settings, {"purpose": purpose, "share": share, "target_rate": rate or None})

    def _run(self, task: Task, settings: dict[str, Any], facts: dict[str, Any]) -> LoadTest | Ending:
        context, path = self._context, self._context.runner.writer.path
        folder = _fresh(task, path)
        request = RunScenario(
            loadgen=context.loadgen(task.cell),
            folder=str(path / folder),
            settings=settings,
            sizes=list(self._sizes(task)),
            max_batch=task.batching.max_batch,
            max_wait_s=task.batching.max_wait_s,
        )
        length = context.load.length
        for monitor in context.runner.monitors:
            monitor.begin(task.cell, self._client.pid)
        served = self._client.run_scenario(task.cell, request, max(length.max_s, 3 * length.min_s))
        if isinstance(served, Ending):
            return served
        try:
            told = {**read_log(path / folder), **facts, "folder": folder, **_account(served)}
            test = msgspec.convert(told, LoadTest)
        except (ProtocolError, msgspec.ValidationError) as error:
            return Ending("failed", str(error))
        return self._metered(task.cell, task.round, test)

    def _metered(self, cell: Cell, number: int, test: LoadTest) -> LoadTest:
        """Return the test with what the monitors saw of it, as of a cell with one loop."""
        loop = Loop(test.elapsed_s, start_ns=test.start_ns, images=test.rows)
        record = Record(cell=cell, round=number, status="ok", images=test.rows, loops=(loop,))
        for monitor in self._context.runner.monitors:
            record = monitor.end(record)
        return msgspec.structs.replace(test, energy=record.energy, flags=record.flags)


def _account(served: Served) -> dict[str, Any]:
    elapsed_s = (served.end_ns - served.start_ns) / 1e9
    told = {name: getattr(served, name) for name in ("start_ns", "batches", "rows", "padded", "busy_s")}
    return {**told, "elapsed_s": elapsed_s}


def _fresh(task: Task, run: Any) -> str:
    """Return a folder for the logs of a test that no earlier one used, relative to the run directory."""
    number = 0
    while (run / (folder := f"{FOLDER}/{task.name}/{number:02d}")).exists():
        number += 1
    return folder
