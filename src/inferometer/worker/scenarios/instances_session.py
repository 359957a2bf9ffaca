"""A worker's life as several: every request goes to instances of the row, and one queue is theirs under load."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from inferometer.worker.protocol import (
    CompareResponses,
    Measure,
    Measured,
    Open,
    Opened,
    Rehearse,
    Rehearsed,
    RunScenario,
    Served,
)
from inferometer.worker.scenarios.instances import Instances
from inferometer.worker.scenarios.loadgen import run_scenario


class InstancesSession:
    """Loads no framework itself: LoadGen and the queue are here, what answers is in the instances."""

    def __init__(self, report_phase: Callable[[str], None]) -> None:
        self._report_phase = report_phase
        self._instances: Instances | None = None
        self._samples = 0

    def open(self, request: Open) -> Opened:
        """Start the instances and let them load at once, each with its share of the threads."""
        count = request.instances
        self._instances = Instances(count, request.threads)
        each = replace(request, instances=1, threads=request.threads // count)
        answers = self._instances.ask(
            [  # code is compiled for the share of threads, and by several at once
                replace(each, cache=str(Path(request.cache) / f"{count}-instances" / str(number)))
                for number in range(count)
            ],
            self._report_phase,
        )
        return Opened(**{name: max(a[name] for a in answers) for name in ("load_s", "data_s")})

    def measure(self, request: Measure) -> Measured:
        """Let all measure a cell at once; return the first that fails a check, or else the first, with where all of them ran."""
        answers = [Measured(**answer) for answer in self._ask_all(request)]
        found = next((answer for answer in answers if answer.status != "ok"), answers[0])
        found.actual.setdefault("details", {})["instances"] = self._opened().facts()
        return found

    def rehearse(self, request: Rehearse) -> Rehearsed:
        """Let all compile and time the sizes at once: what a batch takes while the others work too."""
        answers = [Rehearsed(**answer) for answer in self._ask_all(request)]
        for instance in self._opened().all:
            instance.check_place()
        self._samples = answers[0].samples
        sizes = answers[0].service_s
        return Rehearsed(
            compile_s=max(a.compile_s for a in answers),
            service_s={size: statistics.fmean(a.service_s[size] for a in answers) for size in sizes},
            switch_s=statistics.fmean(a.switch_s for a in answers),
            samples=self._samples,
        )

    def run_scenario(self, request: RunScenario) -> Served:
        """Let LoadGen run one test, whose queue the instances answer."""
        self._report_phase("scenario")
        instances = self._opened().all
        infers = [partial(i.infer, keeps=request.keeps_responses) for i in instances]
        return run_scenario(infers, self._samples, request, self._compare, [i.pid for i in instances])

    def _compare(self, folder: Path) -> dict[str, Any]:
        first = self._opened().all[0]
        first.send(CompareResponses(str(folder)))
        parity: dict[str, Any] = first.receive()["parity"]
        return parity

    def _ask_all(self, request: Measure | Rehearse) -> list[dict[str, Any]]:
        instances = self._opened()
        return instances.ask([request] * len(instances.all), self._report_phase)

    def _opened(self) -> Instances:
        if self._instances is None:
            raise RuntimeError("asked before open")
        return self._instances
