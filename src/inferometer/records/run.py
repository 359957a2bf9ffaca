"""run.json: everything about a run but its measurements."""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec

from inferometer.records.accuracy import DatasetInfo
from inferometer.records.cell import Cell
from inferometer.records.limits import Round
from inferometer.records.machine import Machine

SCHEMA = 1


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
    time_limit_s: float = 0.0  # no round begins that would end later; 0: none
    least_s: float = 0.0  # that a cell's loops last together, so that no few calls decide; 0: no such least

    @property
    def clock_window_s(self) -> float:
        """Return for how long (s) a cell's loops go on at least, whatever meters need; a shorter budget cuts it."""
        return min(self.least_s, self.budget_s) if self.budget_s else self.least_s


class InputFacts(TypedDict, total=False):
    """One input of the model, as its source describes it."""

    name: str
    shape: tuple[int | None, ...]  # None: the batch
    dtype: str
    drawn: str  # what generated values are, as in "0 to 30521" or "normal(0, 1)"


class ModelInfo(msgspec.Struct, frozen=True):
    """The model measured, by content."""

    name: str = ""
    source: str = ""  # keras.applications, FILE.onnx, FILE.keras
    weights: str = ""
    hash: str = ""  # of its content, the shapes of its inputs and the rows fed to it (`models.identity`)
    parameters: int | None = None  # None: not counted
    macs: int | None = None  # multiply-accumulates of one row; None: not counted
    inputs: tuple[InputFacts, ...] = ()
    data: str = ""  # which images or generated data
    inputs_note: str = ""  # what a reader of a table must know of the inputs
    reference: str = ""
    conversions: dict[str, dict[str, Any]] = {}  # per artifact: step, parity against the source


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
    dataset: DatasetInfo | None = None  # the user's own data on which rows are evaluated
    environments: dict[
        str, dict[str, Any]
    ] = {}  # per framework as asked: environment, interpreter, pins, versions
    meters: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    jobs: tuple[dict[str, str], ...] = ()  # of a batch system, that it was measured in (`host.scheduler`)
    request: dict[str, Any] = {}  # `request.RunRequest`, for --resume
    merged: bool = False  # of several runs: not every cell has every round, and none is still to come
    merged_at: tuple[int, ...] = ()  # the round that each of them begins with

    @property
    def asked_rounds(self) -> int:
        """Return how many rounds were asked for; a second stage may have added some, a time limit have cut some."""
        protocol = self.request.get("protocol")
        asked = protocol.get("rounds") if isinstance(protocol, dict) else None
        return asked if isinstance(asked, int) else self.protocol.rounds

    @property
    def first_rounds(self) -> int:
        """Return how many rounds the first stage has; the others a second stage added."""
        return min(self.asked_rounds, self.protocol.rounds)
