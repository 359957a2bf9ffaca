"""Requests to one worker; every way a worker can end becomes an `Ending`."""

from __future__ import annotations

import time

from inferometer.errors import ProtocolError
from inferometer.records import Cell
from inferometer.running.messages import Awaited, read_answer
from inferometer.running.processes.child import Child
from inferometer.running.processes.endings import Ending, ending_of_death, ending_of_timeout, oom_kills
from inferometer.running.progress.observer import Observer
from inferometer.worker.protocol import (
    Evaluate,
    Evaluated,
    Failed,
    Measure,
    Measured,
    Open,
    Opened,
    Phase,
    Rehearse,
    Rehearsed,
    Request,
    RunScenario,
    Served,
)
from inferometer.worker.system.memory import limit_bytes

_MEASURED = ("ok", "parity-failed", "wrong-device", "wrong-precision")  # endings with a record's facts


class WorkerClient:
    """One worker, asked one thing at a time; `is_over` once it must not be asked again."""

    def __init__(self, child: Child, timeout_s: float, observer: Observer, round_number: int) -> None:
        self._child = child
        self._timeout_s = timeout_s
        self._observer = observer
        self._oom_kills = oom_kills()
        self.round = round_number
        self.cell: Cell | None = None
        self.is_over = False

    @property
    def pid(self) -> int:
        """Return the worker's process number."""
        return self._child.pid

    def open(self, cell: Cell, request: Open) -> Opened | Ending:
        """Let the worker load what a cell needs; sleeps until it has, and so does `measure`."""
        return self._ask(cell, request, Opened)

    def measure(self, cell: Cell, request: Measure) -> Measured | Ending:
        """Let the worker measure a cell."""
        answer = self._ask(cell, request, Measured)
        if isinstance(answer, Ending) or answer.status in _MEASURED:
            return answer
        return Ending.from_answer(answer, cell.device)

    def evaluate(self, cell: Cell, request: Evaluate) -> Evaluated | Ending:
        """Let the worker answer a shard of the user's own data."""
        return self._ask(cell, request, Evaluated)

    def rehearse(self, cell: Cell, request: Rehearse) -> Rehearsed | Ending:
        """Let the worker prepare and time batch sizes."""
        return self._ask(cell, request, Rehearsed)

    def run_scenario(self, cell: Cell, request: RunScenario, lasts_s: float) -> Served | Ending:
        """Let the worker go through one test, which lasts so long, besides the usual limit."""
        return self._ask(cell, request, Served, self._timeout_s + lasts_s)

    def _ask(
        self, cell: Cell, request: Request, awaited: type[Awaited], timeout_s: float = 0.0
    ) -> Awaited | Ending:
        """Send a request and sleep until its answer; phases in between go to the observer."""
        self.cell = cell
        self._child.send(request)
        timeout_s = timeout_s or self._timeout_s
        deadline = time.monotonic() + timeout_s
        phase = "start"
        while True:
            try:
                message = self._child.receive(deadline - time.monotonic())
                answer = message if message is None else read_answer(message, awaited)
            except TimeoutError:
                return self._stop(ending_of_timeout(self._child.is_computing(), timeout_s, phase))
            except ProtocolError as error:
                return self._stop(Ending("broken-protocol", str(error)))
            if answer is None:
                return self._died(phase)
            if isinstance(answer, Failed):
                return Ending.from_answer(answer, cell.device)
            if not isinstance(answer, Phase):
                return answer
            phase = answer.phase
            self._observer.cell_phase(cell, self.round, phase)

    def _stop(self, ending: Ending) -> Ending:
        self.is_over = True
        self._child.kill()
        return ending

    def _died(self, phase: str) -> Ending:
        self.is_over = True
        status = self._child.wait()
        if status is None:
            return Ending("hung", f"the worker closed its answers in phase '{phase}' and did not leave")
        words, by_kernel = self._child.last_words(), oom_kills() > self._oom_kills
        return ending_of_death(status, phase, words, by_kernel, limit_bytes())
