"""What rows did under load, as LoadGen asked them: a line of scenarios.jsonl a row, scenario, batching and round."""

from __future__ import annotations

from typing import Literal

import msgspec

from inferometer.flags import Flag
from inferometer.records.cell import Cell, Status
from inferometer.records.checks import Actual, Parity
from inferometer.records.energy import Energy
from inferometer.records.limits import Count, Round, Seconds, Size

ScenarioName = Literal["single-stream", "multi-stream", "server", "offline"]
SCENARIOS: tuple[ScenarioName, ...] = ScenarioName.__args__  # type: ignore[attr-defined]
Padding = Literal["powers", "fours", "largest", "one", "none"]
PADDINGS: tuple[Padding, ...] = Padding.__args__  # type: ignore[attr-defined]
_USUAL_PADDING: Padding = "powers"
Purpose = Literal["measure", "search", "load", "accuracy", "audit"]
AuditName = Literal[
    "", "accuracy", "same"
]  # of a performance run's responses (TEST01), of one input only (TEST04)


class Batching(msgspec.Struct, frozen=True, order=True):
    """By which policy single requests become batches."""

    max_batch: Size = 1
    max_wait_s: Seconds = 0.0  # for which the oldest request waits for others; 0: a batch is what is there
    padding: Padding = _USUAL_PADDING  # to which sizes batches are filled up; none: every size is prepared
    instances: Size = 1  # processes that answer, each with its share of the cores

    @property
    def words(self) -> str:
        """Return the policy as a table has it."""
        wait = f", waits {self.max_wait_s * 1e3:g} ms" if self.max_wait_s else ""
        padding = f", padding {self.padding}" if self.padding != _USUAL_PADDING else ""
        batch = f"up to {self.max_batch}{wait}{padding}" if self.max_batch > 1 else "single"
        return f"{batch}, {self.instances} instances" if self.instances > 1 else batch


class LoadTest(msgspec.Struct, frozen=True):
    """One LoadGen test: what its log says, and what the system under test did meanwhile."""

    purpose: Purpose
    folder: str  # of LoadGen's own logs, relative to the run directory
    valid: bool  # LoadGen's verdict
    invalid_reasons: tuple[str, ...] = ()  # its words
    ended_early: bool = False  # it gave up: too many requests were waiting
    target_rate: float | None = None  # requests/s, of server tests
    share: float | None = None  # of the rate found, where the energy at a lower load is wanted
    rate: float | None = None  # samples/s that were answered
    queries: Count = 0
    overlatency: Count | None = None  # queries beyond the bound
    latency_s: dict[str, float] = {}  # "mean" and percentiles such as "99", of queries
    early_stopping_s: dict[str, float] = {}  # LoadGen's conservative estimate of a percentile
    loadgen: str = ""  # its version
    start_ns: int = 0
    elapsed_s: Seconds = 0.0
    batches: dict[str, int] = {}  # how many by size
    rows: Count = 0
    padded: Count = 0  # rows computed besides, to fill up batches
    busy_s: Seconds = 0.0
    energy: Energy | None = None
    flags: tuple[Flag, ...] = ()
    parity: Parity | None = None  # of responses that LoadGen logged, against the reference
    audit: AuditName = ""


def why_invalid(test: LoadTest) -> str:
    """Return in words why LoadGen does not call a test VALID; "" if it does."""
    if test.ended_early:
        return "ended early: the requests came faster than they were answered"
    return ", ".join(test.invalid_reasons)


class ScenarioResult(msgspec.Struct, frozen=True):
    """One row in one scenario by one policy in one round, as it ended. Its cell's batch size is the policy's largest."""

    cell: Cell
    round: Round
    scenario: ScenarioName
    batching: Batching
    status: Status
    cause: str = ""
    preset: str = ""  # quick, standard, mlperf
    is_mlperf_length: bool = False
    percentile: float = 99.0
    bound_s: float | None = None  # for that percentile of latencies, of server tests
    tests: tuple[LoadTest, ...] = ()  # in their order
    chosen: Count | None = None  # which of them is the result; None: no rate keeps the bound
    compile_s: Seconds = 0.0
    service_s: dict[str, float] = {}  # median of a batch with nobody waiting, by size
    switch_s: Seconds = 0.0  # by which a batch takes longer where the one before had another size
    parity: Parity | None = None  # of this very worker, before it was asked
    actual: Actual | None = None
    tool: str = ""
    started_at: str = ""
    elapsed_s: Seconds = 0.0
    log: str = ""

    @property
    def switches_dearly(self) -> bool:
        """Tell whether a change of the batch size costs more than the longest batch."""
        return bool(self.service_s) and self.switch_s > max(self.service_s.values())

    @property
    def result(self) -> LoadTest | None:
        """Return the test that counts."""
        return None if self.chosen is None or self.chosen >= len(self.tests) else self.tests[self.chosen]
