"""One LoadGen test in a worker: asked for, its log read, its energy added."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from inferometer.errors import ProtocolError
from inferometer.records import Cell, LoadTest, Loop, Parity, Record
from inferometer.records.scenario import AuditName, Purpose
from inferometer.running.load.context import LoadContext
from inferometer.running.load.logs import read_accuracy_log, read_log
from inferometer.running.load.settings import as_accuracy, as_audit, least_s, test_settings
from inferometer.running.load.task import Task
from inferometer.running.processes.endings import Ending
from inferometer.running.processes.worker_client import WorkerClient
from inferometer.storage.scenarios import FOLDER
from inferometer.worker.protocol import RunScenario, Served

_SLOWER = 2  # than expected, before a test counts as hung


class Tester:
    """Runs tests in one worker."""

    def __init__(
        self,
        context: LoadContext,
        client: WorkerClient,
        service_s: Mapping[str, float],
        switch_s: float,
        sizes: Callable[[Task], tuple[int, ...]],
    ) -> None:
        self._context, self._client, self._sizes = context, client, sizes
        self._switch_s = switch_s
        self._all_s = {int(size): seconds for size, seconds in service_s.items()}
        self._count = 0

    def measured_s(self, task: Task) -> dict[int, float]:
        """Return the median seconds of a batch, by the sizes that a task's policy may form; a server's change all the time."""
        sizes = self._sizes(task)
        switch_s = self._switch_s if task.scenario == "server" and len(sizes) > 1 else 0.0
        return {size: self._all_s[size] + switch_s for size in sizes}

    def test(
        self, task: Task, purpose: Purpose, rate: float = 0.0, share: float | None = None
    ) -> LoadTest | Ending:
        """Run one test of performance; ``rate``: requests/s of a server, or samples/s that are expected of offline."""
        return self._run(task, self._settings(task, rate), {"purpose": purpose, "share": share})

    def accuracy(self, task: Task, rate: float = 0.0) -> LoadTest | Ending:
        """Run LoadGen's accuracy mode over the distinct inputs; every response is held against the reference."""
        settings = as_accuracy(self._settings(task, rate))
        return self._run(task, settings, {"purpose": "accuracy"}, samples=self._context.distinct)

    def audit(self, task: Task, audit: AuditName, rate: float = 0.0) -> LoadTest | Ending:
        """Run a test of performance as an audit."""
        settings = as_audit(self._settings(task, rate), audit)
        return self._run(task, settings, {"purpose": "audit", "audit": audit})

    def _settings(self, task: Task, rate: float) -> dict[str, Any]:
        self._count += 1
        return test_settings(
            task.scenario, self._context.load, task.batching, self.measured_s(task), rate=rate,
            bound_s=task.bound_s or 0.0,
            seed=(self._context.runner.request.protocol.seed, task.round, self._count),
        )  # fmt: skip

    def _run(
        self, task: Task, settings: dict[str, Any], facts: dict[str, Any], samples: int = 0
    ) -> LoadTest | Ending:
        context, path = self._context, self._context.runner.writer.path
        folder = _fresh(task, path)
        is_accuracy = facts["purpose"] == "accuracy"
        request = RunScenario(
            loadgen=context.loadgen(task.cell),
            folder=str(path / folder),
            settings=settings,
            sizes=list(self._sizes(task)),
            max_batch=task.batching.max_batch,
            max_wait_s=task.batching.max_wait_s,
            keeps_responses=is_accuracy or facts.get("audit") == "accuracy",
            samples=samples,
        )
        for monitor in context.runner.monitors:
            monitor.begin(task.cell, self._client.pid)
        planned_s = max(settings["max_duration_ms"], 3 * settings["min_duration_ms"]) / 1e3
        lasts_s = max(planned_s, context.load.length.max_s, _SLOWER * least_s(settings))
        served = self._client.run_scenario(task.cell, request, lasts_s)
        if isinstance(served, Ending):
            return served
        try:
            log = read_accuracy_log(path / folder) if is_accuracy else read_log(path / folder)
            parity = msgspec.convert(served.parity, Parity) if served.parity else None
            asked = {**facts, "target_rate": settings.get("server_target_qps"), "folder": folder}
            told = {**log, **asked, "parity": parity, **_account(served)}
            test = msgspec.convert(told, LoadTest)
        except (ProtocolError, msgspec.ValidationError) as error:
            return Ending("failed", str(error))
        return test if is_accuracy else self._metered(task.cell, task.round, test)

    def _metered(self, cell: Cell, number: int, test: LoadTest) -> LoadTest | Ending:
        """Return the test with what the monitors saw of it, as of a cell with one loop; another ending if it ran elsewhere."""
        loop = Loop(test.elapsed_s, start_ns=test.start_ns, images=test.rows)
        record = Record(
            cell=cell, round=number, status="ok", images=test.rows, loops=(loop,), flags=test.flags
        )
        for monitor in self._context.runner.monitors:
            record = monitor.end(record)
        if record.status != "ok":
            return Ending(record.status, record.cause)
        return msgspec.structs.replace(test, energy=record.energy, flags=record.flags)


def _account(served: Served) -> dict[str, Any]:
    elapsed_s = (served.end_ns - served.start_ns) / 1e9
    names = ("start_ns", "batches", "rows", "padded", "busy_s", "flags")
    told = {name: getattr(served, name) for name in names}
    return {**told, "elapsed_s": elapsed_s}


def _fresh(task: Task, run: Any) -> str:
    """Return a folder for the logs of a test that no earlier one used, relative to the run directory."""
    number = 0
    while (run / (folder := f"{FOLDER}/{task.name}/{number:02d}")).exists():
        number += 1
    return folder
