"""Rounds of fresh workers, interleaved across frameworks; one record for every cell that ends, whatever its end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from inferometer.energy.view import MeterNeeds
from inferometer.flags import Flag, flag
from inferometer.interruption import Interruption
from inferometer.models.contract import Artifact, ModelSize, PreparedModel
from inferometer.planning.plan import Plan
from inferometer.planning.request import RunRequest
from inferometer.records import Cell, Prepare, Record
from inferometer.running.compile_cache import CompileCache
from inferometer.running.messages import measure_message, open_message
from inferometer.running.monitoring.cell_monitor import CellMonitor
from inferometer.running.monitoring.concurrency import Concurrency
from inferometer.running.processes.child import Child
from inferometer.running.processes.endings import Ending, with_oom_amounts
from inferometer.running.processes.launch import Launch
from inferometer.running.processes.worker_client import WorkerClient
from inferometer.running.progress.observer import Observer
from inferometer.running.progress.time_left import nominal_times
from inferometer.running.schedule import Assignment, assign
from inferometer.running.time_limit import TimeLimit
from inferometer.storage.run_directory import RunWriter
from inferometer.storage.temporary import COMPILE_FOLDER
from inferometer.storage.temporary import FOLDER as TEMPORARY_FOLDER
from inferometer.worker.protocol import Measure, Measured, Open, Opened


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Measures missing cells of a run, one worker at a time."""

    request: RunRequest
    plan: Plan
    model: PreparedModel
    launch: Callable[[Cell], Launch]
    writer: RunWriter
    observer: Observer
    monitors: tuple[CellMonitor, ...] = ()
    needs: Callable[[str], MeterNeeds] = lambda device: MeterNeeds()  # of the meters, by device
    int8_unit: str = ""  # the processor's instructions for 8-bit integers
    compiled: CompileCache = field(default_factory=CompileCache)
    concurrency: Concurrency = field(default_factory=Concurrency)
    interruption: Interruption | None = None  # what else than an exception may stop it
    time_limit: TimeLimit = field(default_factory=lambda: TimeLimit(0.0))

    def run(self, missing: Sequence[tuple[Cell, int]]) -> None:
        """Measure every (cell, round) of ``missing``; KeyboardInterrupt records the cell in flight, then goes on up."""
        work = self.assign(missing)
        with self.monitored():
            self.measure_all(work)

    def measure_all(self, work: Iterable[Assignment]) -> None:
        """Measure assignments in their order, as far as the time limit lets rounds begin."""
        for assignment in work:
            if self.time_limit.may_begin(assignment.round):
                self.measure(assignment)

    def assign(self, missing: Sequence[tuple[Cell, int]]) -> list[Assignment]:
        """Return the workers' assignments in their order, and tell the observer what is to come."""
        work = assign(missing, self.request.protocol.seed)
        cells = [cell for assignment in work for cell in assignment.cells]
        if (left_s := self.time_limit.left_s()) is not None:
            self.observer.time_limit(left_s)
        self.observer.started(cells, self._nominal_times(cells))
        return work

    @contextlib.contextmanager
    def monitored(self) -> Iterator[None]:
        """Let the monitors begin, and end whatever happens."""
        with contextlib.ExitStack() as stack:
            for monitor in self.monitors:
                stack.callback(monitor.end_run)
                monitor.begin_run()
            yield

    def measure(self, assignment: Assignment) -> None:
        """Measure an assignment's cells, in a new worker as often as one dies."""
        remaining = list(assignment.cells)
        while remaining:
            if self.interruption:
                self.interruption.check()
            remaining = _WorkerRun(self, assignment).measure(remaining)

    def _nominal_times(self, cells: Sequence[Cell]) -> dict[Cell, float]:
        size = ModelSize(self.model.info.parameters, self.model.info.macs)
        return nominal_times(cells, self.plan.framework, self.request.protocol, size)

    def store(self, record: Record) -> None:
        """Keep a record, before anything else happens."""
        self.writer.append(record)
        self.observer.cell_ended(record)

    def compile_folder(self, cell: Cell) -> Path:
        """Return where a cell's worker keeps compiled code for later rounds of this run."""
        name = f"{cell.framework}-{cell.device}".replace(
            ":", "_"
        )  # code of one device says nothing of another
        return self.writer.path / COMPILE_FOLDER / name

    def open_message(self, cell: Cell) -> Open:
        """Return the request that makes a worker load what a cell needs."""
        return open_message(
            cell,
            self.plan.row(cell).choice,
            self.artifact(cell),
            request=self.request,
            model=self.model,
            cache=self.compile_folder(cell),
        )

    def artifact(self, cell: Cell) -> Artifact:
        """Return the model as a cell's framework takes it."""
        return self.model.artifacts[self.plan.forms[cell]]

    def measure_message(self, cell: Cell) -> Measure:
        """Return the request that makes a worker measure a cell."""
        return measure_message(cell, self.request, self.needs(cell.device))


class _WorkerRun:
    """One worker process from start to end."""

    def __init__(self, runner: Runner, assignment: Assignment) -> None:
        self._runner = runner
        self._round = assignment.round
        self._log = Path("logs") / f"{assignment.name}.log"
        self._clock = _CellClock()
        self._loaded = Opened(0.0, 0.0)
        self._finds_code = False  # compiled by an earlier worker
        self._cached = False  # and the current cell's is among it

    def measure(self, cells: list[Cell]) -> list[Cell]:
        """Measure cells until done or the worker dies; return those left for a new worker."""
        launch = self._runner.launch(cells[0])
        for monitor in self._runner.monitors:
            monitor.begin_worker(cells[0])
        self._finds_code = self._runner.compiled.is_filled(self._runner.compile_folder(cells[0]))
        log = self._runner.writer.path / self._log
        temporary = self._runner.writer.path / TEMPORARY_FOLDER
        try:
            child = Child(launch.python, launch.environment, log, self._runner.interruption, temporary)
        except OSError as error:
            return self._end_all(cells, Ending("failed", f"cannot start {launch.python}: {error.strerror}"))
        with self._runner.concurrency.worker(cells[0]), child:
            timeout_s = self._runner.request.protocol.timeout_s
            client = WorkerClient(child, timeout_s, self._runner.observer, self._round)
            try:
                return self._measure_all(client, cells)
            except KeyboardInterrupt as stop:
                cause = str(stop) or "stopped by the user"
                self._end(client.cell or cells[0], Ending("interrupted", cause))
                raise

    def _measure_all(self, client: WorkerClient, cells: list[Cell]) -> list[Cell]:
        opened = client.open(cells[0], self._runner.open_message(cells[0]))
        if isinstance(opened, Ending):
            if opened.status == "killed":  # from outside: a new worker may load what this one was to measure
                self._end(cells[0], opened)
                return cells[1:]
            return self._end_all(cells, opened)
        self._loaded = opened
        for index, cell in enumerate(cells):
            client.cell = cell  # the one to call interrupted, also before it is asked for
            for monitor in self._runner.monitors:
                monitor.begin(cell, client.pid)
            self._cached = self._runner.compiled.was_asked(cell) and self._finds_code
            answer = client.measure(cell, self._runner.measure_message(cell))
            ending = answer if isinstance(answer, Ending) else self._end_measured(cell, answer, index == 0)
            rest = cells[index + 1 :]
            if ending:
                self._end(cell, ending, monitored=True)
                if ending.status == "out-of-memory" and not self._runner.request.keep_trying:
                    self._clock = _CellClock()
                    reason = f"batch size {cell.batch_size} ran out of memory (--keep-trying goes on)"
                    return self._end_all(rest, Ending("skipped", reason))
            if client.is_over:
                return rest
            self._clock = _CellClock()
        return []

    def _end_all(self, cells: list[Cell], ending: Ending) -> list[Cell]:
        for cell in cells:
            self._end(cell, ending)
            self._clock = _CellClock()  # the time was the first one's
        return []

    def _end(self, cell: Cell, ending: Ending, monitored: bool = False) -> None:
        record = msgspec.convert(self._facts(cell, status=ending.status, cause=ending.cause), Record)
        record = msgspec.structs.replace(record, memory=ending.memory)
        self._store(with_oom_amounts(self._seen(record) if monitored else record))

    def _seen(self, record: Record) -> Record:
        """Return the record with what the monitors saw; they have begun its cell."""
        for monitor in self._runner.monitors:
            record = monitor.end(record)
        return record

    def _store(self, record: Record) -> None:
        self._runner.store(self._runner.concurrency.with_flags(record, self._clock.start_ns))

    def _end_measured(self, cell: Cell, answer: Measured, starts_worker: bool) -> Ending | None:
        """Store a measured cell; return the ending instead if the worker's facts are malformed."""
        try:
            prepare = {**vars(self._loaded), "cached": self._cached, **answer.prepare}
            record = msgspec.convert(self._facts(cell, **{**vars(answer), "prepare": prepare}), Record)
        except msgspec.ValidationError as error:
            return Ending("broken-protocol", f"the worker's record is malformed: {error}")
        record = _with_route(record, self._runner, self._runner.artifact(cell))
        self._store(self._seen(_with_overhead(record, starts_worker)))
        return None

    def _facts(self, cell: Cell, **facts: Any) -> dict[str, Any]:
        return {
            "cell": cell,
            "round": self._round,
            "started_at": self._clock.started_at,
            "elapsed_s": self._clock.elapsed_s(),
            "log": str(self._log),
            **facts,
        }


class _CellClock:
    """Wall time of one cell; the first cell of a worker carries the worker's start."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.start_ns = time.monotonic_ns()

    def elapsed_s(self) -> float:
        """Return seconds since the cell began."""
        return (time.monotonic_ns() - self.start_ns) / 1e9


def _with_route(record: Record, runner: Runner, artifact: Artifact) -> Record:
    """Add that a foreign converter made what was measured, what quantising it cost, and what the source's file holds."""
    converted = (flag("converted", via=artifact.via),) if artifact.via else ()
    unit = {"unit": runner.int8_unit} if runner.int8_unit and record.cell.device == "cpu" else {}
    quantised = (flag("quantised", **artifact.own.loss, **unit),) if artifact.own else ()
    return msgspec.structs.replace(
        record, flags=(*record.flags, *converted, *quantised, *_held(runner.model))
    )


def _held(model: PreparedModel) -> tuple[Flag, ...]:
    """Return what the model's file holds, where it is no fp32 model."""
    if model.stored:
        return (flag("as-stored", holds=model.stored.words),)
    return (flag("widened", held=model.checks.stored),) if model.checks.stored else ()


def _with_overhead(record: Record, starts_worker: bool) -> Record:
    """Add the seconds that were neither load, preparation nor loops; a worker's first cell waited for the load."""
    prepare = record.prepare or Prepare()
    known_s = (
        prepare.compile_s
        + prepare.first_run_s
        + prepare.warmup_s
        + sum(loop.elapsed_s for loop in record.loops)
    )
    if starts_worker:
        known_s += prepare.load_s + prepare.data_s
    return msgspec.structs.replace(record, overhead_s=max(0.0, record.elapsed_s - known_s))
