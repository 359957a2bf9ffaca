"""What parent and child say to one another, a JSON line a message: requests to the child, and its answers.

A request is an object whose `op` names its type, an answer one whose `event` does; their other keys are the fields below.
    Call     -> Value
    Open     -> Phase*, Opened
    Measure  -> Phase*, Measured
    Evaluate -> Evaluated, after a Measure of the same batch size
    Rehearse -> Rehearsed, after a Measure
    RunScenario -> Served, after a Rehearse of its sizes
A worker of several instances (`Open.instances`) has workers of its own, of which it asks besides:
    AnswerBatch -> Answered, after a Rehearse
    CompareResponses -> Compared
Any of them may be answered by Failed instead; the child lives on. The parent, which trusts no child, checks the types of
what it is sent (`running/messages.py`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, is_dataclass
from typing import Any, Union

Facts = dict[str, Any]  # JSON values, checked where they become a record


@dataclass(frozen=True)
class Call:
    """Run `inferometer.<module>.run(request)`: a conversion step, or the probe of an interpreter."""

    module: str
    request: Facts


@dataclass(frozen=True)
class ArtifactFile:
    """The file or folder that a backend loads, and what it takes and gives."""

    form: str
    path: str
    layout: str  # of 4-D inputs: NHWC, NCHW or ""
    inputs: list[str]  # their names, in order
    outputs: list[str]
    fixed_batch: int | None = None  # the only batch size that it takes


@dataclass(frozen=True)
class Open:
    """Load a framework, an artifact and the input data."""

    backend: str  # its module in `worker/backends/`
    options: Facts
    artifact: ArtifactFile
    precision: str
    mode: str
    device: str  # "cpu" or "cuda"
    threads: int  # of all instances together
    inputs: str  # path of the rows to feed
    reference: str  # and of what the source made of them
    source_layout: str  # of both
    images: int  # a loop
    cache: str  # folder for compiled code
    checks: dict[str, str] = field(
        default_factory=dict
    )  # paths of what outputs are judged by besides; "stored": a precision
    tolerance: float | None = None  # relative error of outputs that is no fault, instead of all limits
    ragged: list[int] = field(default_factory=list)  # outputs whose size is each row's own (`worker.ragged`)
    instances: int = 1  # processes that load it, each with its share of threads and cores


@dataclass(frozen=True)
class Measure:
    """Measure one cell of what was opened."""

    batch_size: int
    loops: int
    warmup: int  # batches
    window_s: float  # for meters and clock: loops go on for at least so long
    updates_s: list[float]  # update periods that they must not keep step with
    budget_s: float  # 0: none
    least_loops: int  # that the budget leaves


@dataclass(frozen=True)
class Evaluate:
    """Answer a shard of the user's own data with what was opened."""

    batch_size: int
    rows: list[str]  # paths of .npy, one an input
    layout: str  # of 4-D rows: NHWC, NCHW or ""
    dtype: str  # that the model takes images in
    affine: (
        Facts  # what makes pixels the model's numbers: order, scale, mean, std; {}: rows are fed as they are
    )
    output: int  # which of the outputs is kept
    targets: str = ""  # path of .npy: what that output should be; "": it is class scores


@dataclass(frozen=True)
class Rehearse:
    """Compile the sizes in which requests are answered, and time each."""

    sizes: list[int]
    budget_s: float  # for the times of all sizes


@dataclass(frozen=True)
class RunScenario:
    """Let LoadGen run one test against what was opened."""

    loadgen: str  # folder of its module; "": the interpreter has it
    folder: str  # where it writes its logs
    settings: Facts  # fields of its TestSettings
    sizes: list[int]  # in which requests are answered, those that were rehearsed
    max_batch: int
    max_wait_s: float  # for which the oldest request waits for others
    keeps_responses: bool = False  # LoadGen logs them, and they are held against the reference
    samples: int = 0  # of which it asks; 0: all there are


@dataclass(frozen=True)
class AnswerBatch:
    """Answer samples as one batch, filled up to ``size``."""

    numbers: list[int]
    size: int
    keeps: bool  # the answer is wanted, not only that there is one


@dataclass(frozen=True)
class CompareResponses:
    """Hold the responses that LoadGen logged in a folder against the reference."""

    folder: str


@dataclass(frozen=True)
class Phase:
    """What the child does from now on."""

    phase: str


@dataclass(frozen=True)
class Value:
    """What a called module returned."""

    value: Facts


@dataclass(frozen=True)
class Opened:
    """Seconds that loading took: framework and artifact, then the input data."""

    load_s: float
    data_s: float


@dataclass
class Measured:
    """One cell as its record keeps it (`records.Record`), checked before its loops were timed."""

    prepare: Facts
    parity: Facts
    actual: Facts
    images: int
    status: str = "ok"  # or which check failed; then nothing was timed
    cause: str = ""
    flags: list[Any] = field(default_factory=list)
    loops: list[Any] = field(default_factory=list)
    memory: Facts = field(default_factory=dict)
    phases: Facts = field(default_factory=dict)
    phase_batches: int = 0


@dataclass
class Evaluated:
    """What each row was answered, in order."""

    first: list[Any] = field(default_factory=list)  # the classes of the five largest scores; -1: not finite
    squared_errors: list[Any] = field(default_factory=list)  # where there are targets; None: not finite
    cosines: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Rehearsed:
    """Seconds that compiling took, the median of a batch by its size, and what a batch of another size takes longer."""

    compile_s: float
    service_s: Facts
    switch_s: float
    samples: int = 0  # that may be asked for


@dataclass(frozen=True)
class Served:
    """What the system under test did in one test, between two stamps of CLOCK_MONOTONIC."""

    start_ns: int
    end_ns: int
    batches: Facts  # how many by size
    rows: int  # requests
    padded: int  # rows that were computed besides, to fill up batches
    busy_s: float  # summed over instances
    parity: Facts = field(default_factory=dict)  # of responses that were kept
    flags: list[Facts] = field(default_factory=list)


@dataclass(frozen=True)
class Answered:
    """The bytes of each sample's answer in hexadecimal digits, where they are wanted."""

    rows: list[str]


@dataclass(frozen=True)
class Compared:
    """What the comparison of responses found."""

    parity: Facts


@dataclass(frozen=True)
class Failed:
    """An exception: its status for the record, one line, its type; of memory that ran out what is known of it."""

    status: str
    cause: str = ""
    kind: str = ""
    asked_bytes: int | None = None
    host_free_bytes: int | None = None
    of_the_host: bool = False


Request = Union[  # noqa: UP007  (evaluated, also by Python 3.9)
    Call, Open, Measure, Evaluate, Rehearse, RunScenario, AnswerBatch, CompareResponses
]
Answer = Union[  # noqa: UP007
    Phase, Value, Opened, Measured, Evaluated, Rehearsed, Served, Answered, Compared, Failed
]

REQUESTS: dict[str, type[Request]] = {
    "call": Call,
    "open": Open,
    "measure": Measure,
    "evaluate": Evaluate,
    "rehearse": Rehearse,
    "scenario": RunScenario,
    "batch": AnswerBatch,
    "compare": CompareResponses,
}
EVENTS: dict[type[Answer], str] = {
    Phase: "phase",
    Value: "result",
    Opened: "opened",
    Measured: "result",
    Evaluated: "evaluated",
    Rehearsed: "rehearsed",
    Served: "served",
    Answered: "answered",
    Compared: "compared",
    Failed: "failed",
}
_OPERATIONS = {kind: name for name, kind in REQUESTS.items()}


def encode_request(request: Request) -> bytes:
    """Return a request as a line."""
    return _line({"op": _OPERATIONS[type(request)], **vars(request)})


def encode_answer(answer: Answer) -> bytes:
    """Return an answer as a line; TypeError for a value that JSON does not have."""
    return _line({"event": EVENTS[type(answer)], **vars(answer)})


def decode_request(line: str) -> Request:
    """Return the request that a line holds, as the parent wrote it; ValueError for one that is unknown."""
    fields: Facts = json.loads(line)
    operation = fields.pop("op")
    if operation not in REQUESTS:
        raise ValueError(f"unknown request {operation!r}")
    if operation == "open":
        fields["artifact"] = ArtifactFile(**fields["artifact"])
    return REQUESTS[operation](**fields)


def _line(message: Facts) -> bytes:
    return json.dumps(message, default=_fields_of).encode() + b"\n"


def _fields_of(value: Any) -> Facts:
    if is_dataclass(value):
        return vars(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
