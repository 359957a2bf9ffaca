"""What a run directory holds, as frozen, validated types.

Every stored key carries its SI unit (`_s`, `_ns`, `_j`, `_w`, `_bytes`, `_hz`). Raw samples are stored; statistics are
derived on reading (`inferometer.results.summary`). Unknown keys are ignored on reading, so that a newer minor version's extra
facts do not break an older reader; `SCHEMA` changes only when a reader would misread.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal, TypedDict

import msgspec

SCHEMA = 1

# limits are of what is read: a figure beyond them is damage that a reader would fail over, or wait for without end
ROUNDS_LIMIT = 10**6
Count = Annotated[int, msgspec.Meta(ge=0)]
Size = Annotated[int, msgspec.Meta(ge=1)]
Round = Annotated[int, msgspec.Meta(ge=0, le=ROUNDS_LIMIT)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]

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

EnergySource = Literal["counter", "sampled", "estimated", "unresolved", "none"]


class Cell(msgspec.Struct, frozen=True, order=True):
    """One point of the matrix; its text form is the key under which a run knows it."""

    model: str
    framework: str  # as asked: name[@version][:variant]
    precision: str
    batch_size: Size
    device: str  # "cpu" or "cuda:N"
    mode: str = "host"  # "host": numpy in, numpy out; "device": resident

    @property
    def key(self) -> str:
        """Return the cell as one string, unique within a run."""
        return "/".join(
            (self.model, self.framework, self.precision, str(self.batch_size), self.device, self.mode)
        )


class Loop(msgspec.Struct, frozen=True):
    """One pass over the image stack, timed on CLOCK_MONOTONIC of the worker's host."""

    elapsed_s: Seconds
    batch_s: tuple[float, ...] = ()  # one latency a batch, in order; empty where only the loop is known
    start_ns: int = 0  # 0: not known (imported)
    images: Count = 0  # images this loop inferred; 0: the record's `images`


class Prepare(msgspec.Struct, frozen=True):
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


class Parity(msgspec.Struct, frozen=True):
    """How far the outputs of this very cell are from the reference (Keras/TF fp32 on CPU, or as `reference` says)."""

    passed: bool
    max_abs: float | None  # None: not comparable (NaN, infinity, another shape)
    max_rel: float | None  # largest absolute error over the largest absolute reference value
    cosine: float  # smallest cosine similarity of any image's outputs
    top1: float  # share of images whose arg-max agrees; 1.0 where outputs are not class scores
    limit_rel: float
    images: int
    reference: str = ""
    cause: str = ""


class Actual(msgspec.Struct, frozen=True):
    """What the framework itself says it did, as read back after the cell was prepared."""

    device: str = ""
    device_uuid: str = ""
    precision: str = ""
    threads: int = 0
    version: str = ""
    versions: dict[str, str] = {}
    details: dict[
        str, Any
    ] = {}  # e.g. provider per node count, XLA flags, layout; shown, never computed with


class Memory(msgspec.Struct, frozen=True):
    """Peaks of a fresh process that served this and smaller batch sizes."""

    rss_peak_bytes: int | None = None
    device_peak_bytes: int | None = None  # by the framework's allocator
    device_used_bytes: int | None = None  # by the driver, this process
    asked_bytes: int | None = None  # of what was not to be had (out-of-memory), as far as the framework says
    free_bytes: int | None = None  # then: on the GPU by its driver, on the host by its kernel


class DeviceEnergy(msgspec.Struct, frozen=True):
    """Energy of one device over the timed loops of a cell; 95 % interval; never a guess."""

    device_uid: str
    device_name: str
    device_type: str  # gpu, cpu, dram, psys, external
    meter: str  # nvml, rapl, mqtt, ema, ...
    source: EnergySource
    seconds: float = 0.0  # length of the metered window
    images: int = 0  # images inferred within it
    energy_j: float | None = None
    low_j: float | None = None
    high_j: float | None = None
    idle_w: float | None = None  # this device at rest, model loaded where known
    reason: str = ""  # why unresolved or none


class Energy(msgspec.Struct, frozen=True):
    """All metered devices of a cell; `primary` is the uid of the device that did the work."""

    devices: tuple[DeviceEnergy, ...] = ()
    primary: str = ""
    reason: str = ""  # why there is no energy at all ("no meter: ...")
    idle_w: dict[str, float] = {}


class Record(msgspec.Struct, frozen=True):
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
        str, ...
    ] = ()  # what a reader must know: throttled, neighbour on GPU, last batch partial, ...
    published: dict[
        str, float
    ] = {}  # imported means without raw samples: throughput (images/s), power (W), ...
    started_at: str = ""  # ISO 8601, UTC
    elapsed_s: float = 0.0  # wall time of the whole cell, overheads included
    overhead_s: float = 0.0  # of which neither load, prepare, warm-up nor loops
    log: str = ""  # path of the worker's log, relative to the run directory


class Gpu(msgspec.Struct, frozen=True):
    """One GPU as the driver describes it."""

    index: int
    uuid: str
    name: str
    memory_bytes: int = 0
    driver: str = ""
    cuda: str = ""
    compute_capability: str = ""
    power_limit_w: float | None = None
    details: dict[str, Any] = {}  # ECC, persistence, MIG, clocks, temperature at the start of the run


class Machine(msgspec.Struct, frozen=True):
    """The host as found when the run began."""

    hostname: str = ""
    cpu: str = ""
    cpu_revision: str = ""  # family, model, stepping and microcode: CPUs of one name differ in them
    physical_cores: int = 0
    logical_cores: int = 0
    usable_cores: int = 0  # by affinity and cgroup quota
    governor: str = ""
    memory_bytes: int = 0
    os: str = ""
    kernel: str = ""
    python: str = ""
    virtualization: str = ""  # "" for bare metal as far as can be told
    load_1m: float = 0.0
    gpus: tuple[Gpu, ...] = ()
    name: str = ""  # a given name (import --gpu, --machine-name); shown instead of the hardware's

    @property
    def gpu_names(self) -> tuple[str, ...]:
        """Return the GPUs' names, alike ones once with their number: "2 x NVIDIA A2"."""
        counts = Counter(gpu.name for gpu in self.gpus)
        return tuple(name if count == 1 else f"{count} x {name}" for name, count in counts.items())

    @property
    def fingerprint(self) -> str:
        """Return what makes two hosts the same hardware for pooling: CPU, cores, memory (GiB), GPU names."""
        gpus = ",".join(gpu.name for gpu in self.gpus)
        return f"{self.name}|{self.cpu}|{self.physical_cores}|{round(self.memory_bytes / 2**30)}|{gpus}"


class Skip(msgspec.Struct, frozen=True):
    """A planned cell that cannot run, with its reason and remedy."""

    cell: Cell
    reason: str


class Protocol(msgspec.Struct, frozen=True):
    """How the cells were measured."""

    images: int = 512
    loops: int = 10
    warmup: int = 50  # batches
    rounds: Round = 3
    most_rounds: int = (
        0  # to which their own noise may raise them, once (`execution`: more if they are short); 0: never
    )
    seed: int = 0
    threads: int = 0  # 0: usable cores
    timeout_s: float = 600.0
    budget_s: float = 0.0  # cuts a slow cell: warm-ups at a third of it, loops at the whole; 0: never
    least_loops: int = 3  # that the budget leaves
    energy_window_s: float = 0.0


class InputFacts(TypedDict, total=False):
    """One input of the model, as its source describes it."""

    name: str
    shape: tuple[int | None, ...]  # None: the batch
    dtype: str


class ModelInfo(msgspec.Struct, frozen=True):
    """The model measured, by content."""

    name: str = ""
    source: str = ""  # keras.applications, FILE.onnx, FILE.keras
    weights: str = ""
    hash: str = ""  # of its content, the shapes of its inputs and the rows fed to it (`models.identity`)
    inputs: tuple[InputFacts, ...] = ()
    data: str = ""  # which images or generated data
    reference: str = ""
    conversions: dict[str, Any] = {}  # per artifact: step, parity against the source


class RunInfo(msgspec.Struct, frozen=True):
    """run.json: everything about a run but its measurements."""

    schema: int = SCHEMA
    tool: str = ""  # inferometer's version
    source: str = "measured"  # or "imported"
    created_at: str = ""
    command: str = ""
    model: ModelInfo = ModelInfo()
    protocol: Protocol = Protocol()
    machine: Machine = Machine()
    cells: tuple[Cell, ...] = ()
    skips: tuple[Skip, ...] = ()
    environments: dict[str, Any] = {}  # per framework as asked: environment, interpreter, pins, versions
    meters: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    request: dict[str, Any] = {}  # `request.RunRequest`, for --resume
    merged: bool = False  # of several runs: not every cell has every round, and none is still to come
    merged_at: tuple[int, ...] = ()  # the round that each of them begins with

    @property
    def first_rounds(self) -> int:
        """Return how many rounds were asked for; the others a second stage added."""
        protocol = self.request.get("protocol")
        asked = protocol.get("rounds") if isinstance(protocol, dict) else None
        return min(asked, self.protocol.rounds) if isinstance(asked, int) else self.protocol.rounds
