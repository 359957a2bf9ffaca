"""One row in one scenario: one test, or the server's search for the highest rate that keeps its promise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from inferometer import units
from inferometer.records import LoadTest
from inferometer.records.scenario import why_invalid
from inferometer.running.load.context import LoadContext
from inferometer.running.load.queueing import capacity, expected_rate
from inferometer.running.load.search import RateSearch
from inferometer.running.load.task import Task
from inferometer.running.load.test import Tester
from inferometer.running.processes.endings import Ending

_SHARES = (0.75, 0.5, 0.25)  # of the rate found, at which energy is wanted besides
_CAUTION = 0.9  # the expectation knows no jitter
_FIRST_STEP, _NEXT_STEP = 1.25, 1.06  # where an earlier round found a rate, it is near


class ScenarioRun:
    """One task from start to end; `facts` are kept however it ends."""

    def __init__(self, context: LoadContext, tester: Tester, task: Task) -> None:
        self._context, self._tester, self._task = context, tester, task
        self._tests: list[LoadTest] = []
        self._chosen: int | None = None
        self._cause = ""

    def run(self) -> Ending:
        """Run it; the ending is "ok" where LoadGen came to its verdicts, whatever they are."""
        server = self._task.scenario == "server"
        ending = self._check() or (self._serve() if server else self._measure())
        if ending is None and self._context.load.audit and self._chosen is not None:
            chosen = self._tests[self._chosen]
            known = chosen.rate if self._task.scenario == "offline" else chosen.target_rate
            ending = self._audit(known or 0.0)
        return ending or Ending("ok", self._cause)

    def facts(self) -> dict[str, Any]:
        """Return the fields of `records.ScenarioResult` that are known so far."""
        load = self._context.load
        percentile = {"single-stream": 90.0, "server": load.percentile}.get(self._task.scenario, 99.0)
        return {
            "tests": tuple(self._tests),
            "chosen": self._chosen,
            "percentile": percentile,
            "bound_s": self._task.bound_s,
        }

    def _check(self) -> Ending | None:
        """Let LoadGen's accuracy mode ask for every input; what it is answered must be the reference's."""
        server = self._task.scenario == "server"
        test = self._tester.accuracy(self._task, self._capacity() / 2 if server else 0.0)
        return self._compared(test)

    def _capacity(self) -> float:
        return capacity(self._tester.measured_s(self._task), self._task.batching.instances)

    def _audit(self, rate: float) -> Ending | None:
        """Compare responses of a performance run too (MLPerf's TEST01), and run with one input only (TEST04)."""
        ending = self._compared(self._tester.audit(self._task, "accuracy", rate))
        if ending or self._task.scenario == "server":  # whose rate is LoadGen's, cached or not
            return ending
        return self._kept(self._tester.audit(self._task, "same", rate))

    def _kept(self, test: LoadTest | Ending) -> Ending | None:
        """Keep a test; return the ending where it came to none."""
        if isinstance(test, Ending):
            return test
        self._tests.append(test)
        return None

    def _compared(self, test: LoadTest | Ending) -> Ending | None:
        """Keep a test whose responses were compared; return the ending where they are not the reference's."""
        if ending := self._kept(test):
            return ending
        last = self._tests[-1]
        if last.parity is None or last.parity.passed:
            return None
        return Ending("parity-failed", f"LoadGen's {last.purpose} run: {last.parity.cause}")

    def _measure(self) -> Ending | None:
        """Run one test, offline a second one with more samples where they were answered too soon for a verdict."""
        rate = 0.0
        for _ in range(2):
            if ending := self._kept(self._tester.test(self._task, "measure", rate)):
                return ending
            last = self._tests[-1]
            self._chosen = len(self._tests) - 1
            self._tell(last)
            if self._task.scenario != "offline" or last.valid or not last.rate:
                break
            rate = last.rate
        return None

    def _serve(self) -> Ending | None:
        search = self._search()
        while (rate := search.next_rate()) is not None:
            if ending := self._kept(self._tester.test(self._task, "search", rate)):
                return ending
            search.add(rate, self._tests[-1].valid)
            self._choose()
            self._tell(self._tests[-1])
        if search.best is None:
            self._cause = self._none_kept(min(rate for rate, _ in search.tried))
            return None
        return self._lower_loads(search.best)

    def _none_kept(self, lowest: float) -> str:
        """Return that no rate was VALID, in words; lower ones than a test can judge are not known."""
        load = self._context.load
        said = f"no rate keeps the bound: {units.significant(lowest)} requests/s did not"
        if lowest > 1.01 * load.length.least_rate(load.percentile):
            return said
        return f"{said}; to judge lower ones tests must be longer: give another --scenario-preset"

    def _search(self) -> RateSearch:
        load = self._context.load
        least = load.length.least_rate(load.percentile)
        if known := self._context.known_rate(self._task):
            return RateSearch(known * self._elsewhere(), _NEXT_STEP, least)
        task = self._task
        rate = expected_rate(
            self._tester.measured_s(task), task.batching, task.bound_s or 0.0, load.percentile
        )
        return RateSearch(max(_CAUTION * rate, 0.02 * self._capacity()), _FIRST_STEP, least)

    def _elsewhere(self) -> float:
        """Return a factor near 1, another each round: rounds that began at one rate would find that very rate again."""
        place = (self._context.runner.request.protocol.seed, self._task.round)
        return math.exp(np.random.default_rng(place).uniform(-1, 1) * math.log(_NEXT_STEP) / 2)

    def _choose(self) -> None:
        valid = [place for place, test in enumerate(self._tests) if test.valid and test.purpose == "search"]
        self._chosen = max(valid, key=lambda place: self._tests[place].target_rate or 0.0, default=None)

    def _lower_loads(self, rate: float) -> Ending | None:
        """Run at shares of the rate, in the first round and for the first bound, where the energy of a half-empty server can be told."""
        first = self._task.round == 0 and self._task.bound_s == self._context.load.bounds_s[0]
        if not first or not self._context.meters_tell(self._task.cell.device):
            return None
        for share in _SHARES:
            if ending := self._kept(self._tester.test(self._task, "load", share * rate, share)):
                return ending
            self._tell(self._tests[-1])
        return None

    def _tell(self, test: LoadTest) -> None:
        verdict = "VALID" if test.valid else f"INVALID ({why_invalid(test)})"
        asked = f"{units.significant(test.target_rate)} requests/s: " if test.target_rate else ""
        got = f"{units.significant(test.rate)}/s, " if test.rate else ""
        p99 = f"p99 {units.duration(test.latency_s['99'])}, " if "99" in test.latency_s else ""
        task = self._task
        self._context.runner.observer.preparing(f"under load, {task.words}: {asked}{got}{p99}{verdict}")
