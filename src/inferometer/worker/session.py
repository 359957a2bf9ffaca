"""One worker's life: open an artifact once, then measure ascending batch sizes with it."""

from __future__ import annotations

import gc
import importlib
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.answers import Answers
from inferometer.worker.backend import Backend, Opening
from inferometer.worker.checks import Aftermath, Judge
from inferometer.worker.data import ImageStack
from inferometer.worker.failures import describe
from inferometer.worker.loop import measure_loops, warm_up
from inferometer.worker.modes import MODES, Mode
from inferometer.worker.phase_shift import PhaseShift
from inferometer.worker.placement import check_actual
from inferometer.worker.stopping import StoppingRule
from inferometer.worker.system import memory
from inferometer.worker.system.contention import CpuAccounting
from inferometer.worker.timed_sample import TimedSample

Report = Callable[[str], None]


class Session:
    """Loads a backend, then measures cells; everything returned is plain JSON data."""

    def __init__(self, report_phase: Report) -> None:
        self._report_phase = report_phase
        self._backend: Backend | None = None
        self._opening: Opening | None = None
        self._stack: ImageStack | None = None
        self._request: dict[str, Any] = {}

    def open(self, request: dict[str, Any]) -> dict[str, Any]:
        """Load framework, artifact and input data; returns `load_s` (framework and artifact only)."""
        opening = _opening(request)
        self._opening = opening
        self._report_phase("load")
        start = time.monotonic()
        module = importlib.import_module(f"inferometer.worker.backends.{request['backend']}")
        self._backend = module.Runtime(opening)
        loaded = time.monotonic()
        self._request = request
        stack = self._load(request["inputs"], request["reference"], request["images"])
        gc.freeze()  # a framework's hundred thousand objects need no search at each later collection
        self._stack = stack.hold()
        return {"load_s": loaded - start, "data_s": time.monotonic() - loaded}

    def _load(self, inputs: str, reference: str, images: int) -> ImageStack:
        assert self._opening and self._backend
        layouts = self._request["source_layout"], self._opening.layout
        stack = ImageStack.load(
            Path(inputs),
            Path(reference),
            *layouts,
            images=images,
            memory_layout=self._backend.memory_layout,
        )
        return stack.as_pixels() if MODES[self._opening.mode].wants_pixels else stack

    def measure(self, request: dict[str, Any]) -> dict[str, Any]:
        """Measure one cell: prepare, check, warm up, loop. A failed check ends the cell before anything is timed."""
        backend, opening, stack = self._opened()
        gc.collect()  # a failed cell's traceback may hold tensors
        backend.release()
        backend.reset_device_peak()
        memory.reset_peak()
        mode = MODES[opening.mode](backend)
        self._report_phase("prepare")
        batches = stack.batches(request["batch_size"])
        prepare, outputs = _prepare(mode, batches)
        self._report_phase("check")
        actual = backend.actual()
        judge = Judge.of(self._request)
        known = stack.answers(mode, batches, outputs)
        parity = judge.compare(known)
        answer: dict[str, Any] = {
            "prepare": prepare,
            "parity": parity,
            "actual": actual,
            "images": stack.images,
            "flags": [*_flags(batches), *mode.flags, *judge.flags(), *backend.flags()],
        }
        status, cause = check_actual(actual, opening)
        if status == "ok" and not parity["passed"]:
            status, cause = "parity-failed", parity["cause"]
        sample = TimedSample(request["batch_size"], len(batches), np.random.default_rng())
        if status == "ok":
            self._time(mode, batches, request, answer, sample)
        answer["memory"] = memory.peaks(backend.device_peak_bytes())  # of serving, not of what is checked now
        if status == "ok":
            self._check_after(mode, judge, known, sample, request=request, answer=answer)
        if status == "ok" and not answer["parity"]["passed"]:
            status, cause = "parity-failed", answer["parity"]["cause"]
        return {"status": status, "cause": cause, **answer}

    def _check_after(
        self,
        mode: Mode,
        judge: Judge,
        known: Answers,
        sample: TimedSample,
        *,
        request: dict[str, Any],
        answer: dict[str, Any],
    ) -> None:
        """Compare what the loops returned and batches that the backend has not seen; what prevents it is a flag."""
        self._report_phase("check")
        _, _, stack = self._opened()
        try:
            after = Aftermath(judge, stack, self._unseen(), np.random.default_rng())
            answer["parity"] = after.check(
                mode, request["batch_size"], known, sample, request["budget_s"] / 2
            )
        except Exception as error:  # the loops are measured: what comes after them must not lose them
            traceback.print_exc()
            answer["flags"].append(f"outputs not checked after the loops: {describe(error)}")

    def _unseen(self) -> ImageStack | None:
        checks = self._request.get("checks") or {}
        rows, reference = checks.get("unseen_inputs"), checks.get("unseen_reference")
        return self._load(rows, reference, images=0) if rows and reference else None

    def _time(
        self,
        mode: Mode,
        batches: list[Any],
        request: dict[str, Any],
        answer: dict[str, Any],
        sample: TimedSample,
    ) -> None:
        placed = mode.place(batches)
        self._report_phase("warm-up")
        budget_s = request["budget_s"]
        done, answer["prepare"]["warmup_s"] = warm_up(mode, placed, request["warmup"], budget_s / 3)
        if done < request["warmup"]:
            answer["flags"].append(
                f"warm-up cut at {done} of {request['warmup']} batches by the budget of {budget_s:g} s"
            )
        self._report_phase("loops")
        window_s = request["window_s"]
        limit_s = max(budget_s, window_s) if budget_s else 0.0
        rule = StoppingRule(request["loops"], window_s, limit_s, request["least_loops"])
        batches_a_loop = answer["images"] / request["batch_size"]
        shift = PhaseShift(request["updates_s"], batches_a_loop, rule.expected_loops)
        accounts = CpuAccounting()
        before = accounts.now()
        answer["loops"] = measure_loops(mode, placed, rule, shift, sample)
        if contention := accounts.since(before):
            answer["actual"].setdefault("details", {})["processors"] = contention.facts()
            answer["flags"] += contention.flags()
        answer["flags"] += shift.flags()
        if len(answer["loops"]) < request["loops"]:
            limit = "the budget" if limit_s == budget_s else "the energy window"
            answer["flags"].append(
                f"{len(answer['loops'])} of {request['loops']} loops within {limit} of {limit_s:g} s"
            )
        self._report_phase("phases")
        try:
            batch_s = answer["loops"][-1]["elapsed_s"] / len(batches)
            answer["phases"], answer["phase_batches"] = mode.phases(batches[0], batch_s)
        except Exception as error:  # the loops are measured: what comes after them must not lose them
            traceback.print_exc()
            answer["flags"].append(f"phases not sampled: {describe(error)}")

    def _opened(self) -> tuple[Backend, Opening, ImageStack]:
        if self._backend is None or self._opening is None or self._stack is None:
            raise RuntimeError("measure before open")
        return self._backend, self._opening, self._stack


def _opening(request: dict[str, Any]) -> Opening:
    artifact = request["artifact"]
    return Opening(
        form=artifact["form"],
        path=Path(artifact["path"]),
        layout=artifact["layout"],
        input_names=tuple(artifact["inputs"]),
        output_names=tuple(artifact["outputs"]),
        precision=request["precision"],
        device=request["device"],
        threads=request["threads"],
        options=request["options"],
        cache=Path(request["cache"]),
        mode=request["mode"],
    )


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
    return {"compile_s": compiled - start, "first_run_s": first_run_s}, outputs


def _flags(batches: list[Any]) -> list[str]:
    full, last = len(batches[0][0]), len(batches[-1][0])
    return [f"last batch of each loop holds {last} of {full} images"] if last != full else []
