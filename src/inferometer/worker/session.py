"""One worker's life: open an artifact once, then measure ascending batch sizes with it."""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.answers import Answers
from inferometer.worker.backend_contract import checked_actual, checked_outputs
from inferometer.worker.checks import Aftermath
from inferometer.worker.evaluation import evaluate
from inferometer.worker.failures import failure_text
from inferometer.worker.flags import Flag, flag
from inferometer.worker.loaded import Loaded, load
from inferometer.worker.loop import measure_loops, warm_up
from inferometer.worker.modes import MODES, Mode
from inferometer.worker.phase_shift import PhaseShift
from inferometer.worker.protocol import (
    AnswerBatch,
    Answered,
    Compared,
    CompareResponses,
    Evaluate,
    Evaluated,
    Measure,
    Measured,
    Open,
    Opened,
    Rehearse,
    Rehearsed,
    RunScenario,
    Served,
)
from inferometer.worker.readback import check_readback, thread_flags
from inferometer.worker.scenarios.loadgen import run_scenario
from inferometer.worker.scenarios.rehearsal import rehearse
from inferometer.worker.scenarios.rehearsed_row import RehearsedRow
from inferometer.worker.scenarios.samples import Samples
from inferometer.worker.stopping import StoppingRule
from inferometer.worker.system import memory
from inferometer.worker.system.contention import CpuAccounting
from inferometer.worker.timed_sample import TimedSample

Report = Callable[[str], None]


class CellSession:
    """Loads a backend, then measures cells."""

    def __init__(self, report_phase: Report) -> None:
        self._report_phase = report_phase
        self._held: Loaded | None = None
        self._row: RehearsedRow | None = None

    def open(self, request: Open) -> Opened:
        """Load framework, artifact and input data."""
        self._report_phase("load")
        self._held, times = load(request)
        return times

    @property
    def _loaded(self) -> Loaded:
        if self._held is None:
            raise RuntimeError("measure before open")
        return self._held

    def measure(self, request: Measure) -> Measured:
        """Measure one cell: prepare, check, warm up, loop. A failed check ends the cell before anything is timed."""
        held = self._loaded
        backend, opening, stack, judge = held.backend, held.opening, held.stack, held.judge
        gc.collect()  # a failed cell's traceback may hold tensors
        backend.release()
        backend.reset_device_peak()
        memory.reset_peak()
        mode = MODES[opening.mode](backend)
        self._report_phase("prepare")
        batches = stack.batches(request.batch_size)
        prepare, outputs = _prepare(mode, batches)
        self._report_phase("check")
        actual = checked_actual(backend.actual())
        known = stack.answers(mode, batches, outputs)
        parity = judge.compare(known)
        answer = Measured(prepare, parity, actual, images=stack.images)
        answer.flags = [
            *_flags(batches),
            *held.left_out,
            *mode.flags,
            *judge.flags(),
            *thread_flags(actual, opening),
        ]
        answer.flags += backend.flags()
        answer.status, answer.cause = check_readback(actual, opening)
        if answer.status == "ok" and not parity["passed"]:
            answer.status, answer.cause = "parity-failed", parity["cause"]
        sample = TimedSample(request.batch_size, len(batches), np.random.default_rng())
        if answer.status == "ok":
            self._time(mode, batches, request, answer, sample)
        answer.memory = memory.peaks(backend.device_peak_bytes())  # of serving, not of what is checked now
        if answer.status == "ok":
            self._check_after(mode, known, sample, request=request, answer=answer)
        return answer

    def evaluate(self, request: Evaluate) -> Evaluated:
        """Answer a shard of the user's own data, at a batch size that was measured before."""
        return evaluate(self._loaded.backend, self._loaded.opening, request)

    def rehearse(self, request: Rehearse) -> Rehearsed:
        """Compile and time the sizes of which requests' batches will be."""
        held = self._loaded
        held.backend.release()
        self._report_phase("prepare")
        mode, samples = MODES[held.opening.mode](held.backend), Samples(held.stack, held.opening.threads)
        self._row = RehearsedRow(mode, samples, request.sizes)
        return rehearse(mode, samples, request)

    def run_scenario(self, request: RunScenario) -> Served:
        """Let LoadGen run one test."""
        row = self._rehearsed()
        self._report_phase("scenario")
        return run_scenario([row.infer], row.samples, request, self._compare)

    def answer_batch(self, request: AnswerBatch) -> Answered:
        """Answer one batch of another worker's test."""
        return self._rehearsed().answer(request)

    def compare_responses(self, request: CompareResponses) -> Compared:
        """Hold responses of another worker's test against the reference."""
        return Compared(self._compare(Path(request.folder)))

    def _rehearsed(self) -> RehearsedRow:
        if self._row is None:
            raise RuntimeError("scenario before rehearsal")
        return self._row

    def _compare(self, folder: Path) -> dict[str, Any]:
        return self._rehearsed().compare(folder, self._loaded.stack, self._loaded.judge)

    def _check_after(
        self,
        mode: Mode,
        known: Answers,
        sample: TimedSample,
        *,
        request: Measure,
        answer: Measured,
    ) -> None:
        """Compare what the loops returned and batches that the backend has not seen; what prevents it is a flag."""
        self._report_phase("check")
        held = self._loaded
        try:
            after = Aftermath(held.judge, held.stack, held.unseen(), np.random.default_rng())
            answer.parity = after.check(mode, request.batch_size, known, sample, request.budget_s / 2)
        except Exception as error:  # the loops are measured: what comes after them must not lose them
            traceback.print_exc()
            answer.flags.append(flag("not-checked-after", error=failure_text(error)))
        if not answer.parity["passed"]:
            answer.status, answer.cause = "parity-failed", answer.parity["cause"]

    def _time(
        self,
        mode: Mode,
        batches: list[Any],
        request: Measure,
        answer: Measured,
        sample: TimedSample,
    ) -> None:
        placed = mode.place(batches)
        self._report_phase("warm-up")
        budget_s = request.budget_s
        done, answer.prepare["warmup_s"] = warm_up(mode, placed, request.warmup, budget_s / 3)
        if done < request.warmup:
            answer.flags.append(flag("warmup-cut", done=done, asked=request.warmup, budget_s=budget_s))
        self._report_phase("loops")
        window_s = request.window_s
        limit_s = max(budget_s, window_s) if budget_s else 0.0
        rule = StoppingRule(request.loops, window_s, limit_s, request.least_loops)
        batches_a_loop = answer.images / request.batch_size
        shift = PhaseShift(request.updates_s, batches_a_loop, rule.expected_loops)
        accounts = CpuAccounting()
        before = accounts.now()
        answer.loops = measure_loops(mode, placed, rule, shift, sample)
        if contention := accounts.since(before):
            answer.actual.setdefault("details", {})["processors"] = contention.facts()
            answer.flags += contention.flags()
        answer.flags += shift.flags()
        done, asked = len(answer.loops), request.loops
        if done < asked:
            limit = "budget" if limit_s == budget_s else "energy window"
            answer.flags.append(flag("few-loops", done=done, asked=asked, limit=limit, limit_s=limit_s))
        self._report_phase("phases")
        try:
            batch_s = answer.loops[-1]["elapsed_s"] / len(batches)
            answer.phases, answer.phase_batches = mode.phases(batches[0], batch_s)
        except Exception as error:  # the loops are measured: what comes after them must not lose them
            traceback.print_exc()
            answer.flags.append(flag("phases-not-sampled", error=failure_text(error)))


def _prepare(mode: Mode, batches: list[Any]) -> tuple[dict[str, Any], Any]:
    """Compile for the full and, where there is one, the partial batch; then the first run of the full one."""
    shapes = [batches[0]] if len(batches[-1][0]) == len(batches[0][0]) else [batches[0], batches[-1]]
    start = time.monotonic()
    for batch in shapes:
        mode.prepare(batch)
    compiled = time.monotonic()
    outputs = mode.outputs(batches[0])
    first_run_s = time.monotonic() - compiled
    if len(shapes) > 1:
        mode.outputs(shapes[1])
    return {"compile_s": compiled - start, "first_run_s": first_run_s}, checked_outputs(outputs)


def _flags(batches: list[Any]) -> list[Flag]:
    full, last = len(batches[0][0]), len(batches[-1][0])
    return [flag("partial-batch", last=last, full=full)] if last != full else []
