"""Several devices at once: a thread for each, which measures that device's cells in their order, one worker at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue

from inferometer.interruption import Interruption
from inferometer.records import Cell
from inferometer.running.monitoring.cell_monitor import CellMonitor
from inferometer.running.progress.observer import OneAtATime
from inferometer.running.runner import Runner
from inferometer.running.schedule import Assignment
from inferometer.units import counted


def at_once_text(devices: Sequence[str], threads: int) -> str:
    """Return what is measured at once in one line, for the plan and the run's notes."""
    return (
        f"{', '.join(devices)} are measured at once, {counted(threads, 'CPU thread')} for each worker; "
        "they share processors, memory and bus"
    )


@dataclass(frozen=True, kw_only=True)
class ParallelRunner:
    """Measures missing cells of a run on all their devices at once.

    ``runner``: how; its monitors see the whole run's beginning and end. ``monitors``: those of one device's cells.
    """

    runner: Runner
    monitors: Callable[[str], tuple[CellMonitor, ...]] = lambda device: ()

    def run(self, missing: Sequence[tuple[Cell, int]]) -> None:
        """Measure every (cell, round) of ``missing``; after Ctrl-C, or if a thread fails, each cell in flight is a record.

        KeyboardInterrupt after Ctrl-C; what made a thread fail, such as a StoreError, is raised once all threads have ended.
        """
        devices = tuple(dict.fromkeys(cell.device for cell, _ in missing))
        if len(devices) > 1:
            self.runner.observer.at_once(devices)
        work = self.runner.assign(missing)
        with contextlib.ExitStack() as stack:
            interruption = stack.enter_context(Interruption())
            stack.enter_context(self.runner.monitored())
            observer = OneAtATime(self.runner.observer)
            shared = replace(self.runner, observer=observer, interruption=interruption)
            threads = [self._device_thread(device, work, shared) for device in devices]
            for thread in threads:
                stack.enter_context(thread.runner.monitored())
            stack.enter_context(interruption.by_ctrl_c())
            _run_all(threads, interruption)

    def _device_thread(self, device: str, work: Sequence[Assignment], shared: Runner) -> _DeviceThread:
        own = [assignment for assignment in work if assignment.cells[0].device == device]
        return _DeviceThread(device, replace(shared, monitors=self.monitors(device)), own)


@dataclass(frozen=True)
class _DeviceThread:
    """One device's share of a run, for a thread of its own."""

    device: str
    runner: Runner
    work: Sequence[Assignment]

    def run(self, ended: SimpleQueue[_End]) -> None:
        """Measure it all; the thread outlives its workers, which the kernel would kill with it."""
        error: BaseException | None = None
        try:
            self.runner.measure_all(self.work)
        except BaseException as caught:  # whatever it is, the main thread must know
            error = caught
        ended.put(_End(self.device, error))


@dataclass(frozen=True)
class _End:
    device: str
    error: BaseException | None

    @property
    def is_failure(self) -> bool:
        """Whether the thread ended for a reason of its own, not because it was to stop."""
        return self.error is not None and not isinstance(self.error, KeyboardInterrupt)

    @property
    def reason(self) -> str:
        """Return why the other threads are to stop."""
        if self.is_failure:
            return f"stopped, since {self.device} could not go on: {' '.join(str(self.error).split())}"
        return "stopped by the user"


def _run_all(threads: Sequence[_DeviceThread], interruption: Interruption) -> None:
    """Sleep until every thread has ended; the first that does not end well stops the others."""
    ended: SimpleQueue[_End] = SimpleQueue()
    for thread in threads:
        _start(thread, ended)
    ends: list[_End] = []
    running = len(threads)
    while running:
        try:
            ends.append(ended.get())
            running -= 1
        except (
            BaseException
        ) as error:  # raised by a signal handler that is not ours: the threads must end first
            ends.append(_End("the run", error))
        if ends[-1].error is not None:
            interruption.ask(ends[-1].reason)
    failures = [end.error for end in ends if end.error is not None and end.is_failure]
    if failures:
        raise failures[0]
    interruption.check()


def _start(thread: _DeviceThread, ended: SimpleQueue[_End]) -> None:
    try:
        threading.Thread(target=thread.run, args=(ended,), name=f"inferometer-{thread.device}").start()
    except RuntimeError as error:  # the system gives no more threads
        ended.put(_End(thread.device, error))
