"""One point of the matrix, and the record of how it ended: a line of cells.jsonl."""

from __future__ import annotations

from typing import Literal

import msgspec

from inferometer.flags import Flag
from inferometer.records.checks import Actual, Memory, Parity
from inferometer.records.energy import Energy
from inferometer.records.limits import Count, DeviceName, Round, Seconds, Size

Status = Literal[
    "ok",
    "skipped",  # planned as impossible; never started
    "parity-failed",  # outputs differ from the reference by more than the precision's limit
    "wrong-device",  # ran elsewhere than asked
    "wrong-precision",  # computed in another precision than asked
    "out-of-memory",
    "unsupported",  # the framework refuses this model, precision or batch size
    "timed-out",  # still computing at its time limit, and stopped
    "hung",  # idle at its time limit, and stopped
    "crashed",  # the worker died of a signal of its own making (SIGSEGV, SIGABRT, ...)
    "killed",  # the worker was killed from outside (SIGKILL, SIGTERM)
    "failed",  # the framework raised an exception
    "broken-protocol",  # the worker wrote something that is no record
    "interrupted",  # the user stopped the run during this cell
]
STATUSES: tuple[Status, ...] = Status.__args__  # type: ignore[attr-defined]
STILL_MISSING: tuple[Status, ...] = ("interrupted", "killed")  # from outside: it says nothing of the cell


class Cell(msgspec.Struct, frozen=True, order=True, gc=False):
    """One point of the matrix; its text form is the key under which a run knows it."""

    model: str
    framework: str  # as asked: name[@version][:variant]
    precision: str
    batch_size: Size
    device: DeviceName  # "cpu" or "cuda:N"
    mode: str = "host"  # "host": numpy in, numpy out; "device": resident

    @property
    def key(self) -> str:
        """Return the cell as one string, unique within a run."""
        return "/".join(
            (self.model, self.framework, self.precision, str(self.batch_size), self.device, self.mode)
        )


class Loop(msgspec.Struct, frozen=True, gc=False):
    """One pass over the image stack, timed on CLOCK_MONOTONIC of the worker's host."""

    elapsed_s: Seconds
    batch_s: tuple[float, ...] = ()  # one latency a batch, in order; empty where only the loop is known
    start_ns: int = 0  # 0: not known (imported)
    images: Count = 0  # images this loop inferred; 0: the record's `images`


class Prepare(msgspec.Struct, frozen=True, gc=False):
    """Seconds spent before any batch counts; never part of a latency."""

    load_s: float = 0.0  # import the framework, read the artifact; once a worker, told in each of its cells
    data_s: float = 0.0  # read and stack the input data; likewise
    compile_s: float = 0.0  # build for this batch size: trace, compile, allocate
    first_run_s: float = 0.0  # the first batch, where lazy frameworks do their real work
    warmup_s: float = 0.0
    cached: bool = False  # a compile cache of this run was already warm

    @property
    def total_s(self) -> float:
        """Return seconds from nothing to ready: load, compile and first run (warm-ups are not needed to serve)."""
        return self.load_s + self.compile_s + self.first_run_s


class Record(msgspec.Struct, frozen=True, gc=False):
    """One ended cell in one round: a line of cells.jsonl."""

    cell: Cell
    round: Round
    status: Status
    cause: str = ""
    images: Count = 0  # images a loop
    loops: tuple[Loop, ...] = ()
    prepare: Prepare | None = None
    parity: Parity | None = None
    actual: Actual | None = None
    memory: Memory | None = None
    energy: Energy | None = None
    phases: dict[str, float] = {}  # mean seconds a batch: copy_in, enqueue, compute, copy_out
    phase_batches: int = 0  # that `phases` are the mean of; 0: none, or not recorded
    flags: tuple[
        Flag, ...
    ] = ()  # what a reader must know: throttled, neighbour on GPU, last batch partial, ...
    published: dict[
        str, float
    ] = {}  # imported means without raw samples: throughput (images/s), power (W), ...
    started_at: str = ""  # ISO 8601, UTC
    elapsed_s: float = 0.0  # wall time of the whole cell, overheads included
    overhead_s: float = 0.0  # of which neither load, prepare, warm-up nor loops
    log: str = ""  # path of the worker's log, relative to the run directory
