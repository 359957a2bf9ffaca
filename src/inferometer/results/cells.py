"""What is known of each cell of a set of runs: its estimates, or why there are none."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inferometer.flags import Flag
from inferometer.records import Actual, Cell, Machine, Parity, Record
from inferometer.results.accuracy import Accuracy
from inferometer.results.estimates import Estimate, Good, Key, PrepareEstimate, Series
from inferometer.storage.run_directory import StoredRun

Scope = tuple[str, str, str]  # machine, model, mode


class CellSummary(msgspec.Struct, frozen=True, eq=False, gc=False, array_like=True):
    """One cell on one machine: estimates with intervals, or the status and cause of why there are none."""

    key: str  # unique within a Results
    cell: Cell
    row: str  # what a table's row is called: framework, with version and precision where needed to tell rows apart
    machine: str  # label of the machine or GPU that did the work; a key of Results.machines
    model: str  # label of the model
    model_hash: str  # of its content; "" where unknown
    paths: tuple[Path, ...]  # run directories pooled here
    status: str  # a records.Status; only "ok" ever competes
    cause: str = ""
    rounds: int = 0  # fresh processes that measured it
    loops: int = 0
    throughput: Estimate | None = None  # images/s, all images over all time of a round
    throughput_study: Estimate | None = None  # images/s, mean over loops of their rates (the study's)
    latency_image: Estimate | None = None  # s, inverse of throughput
    latency_batch: Estimate | None = None  # s a full batch, mean
    p50: Estimate | None = None  # s a full batch
    p90: Estimate | None = None
    p99: Estimate | None = None
    prepare: PrepareEstimate | None = None
    power: Estimate | None = None  # W, of the device that did the work, over the timed loops
    energy_image: Estimate | None = None  # J
    energy_net: Estimate | None = None  # J an image beyond what the device takes at rest
    energy_share: Estimate | None = None  # J an image, the worker's by processor time; estimated
    energy_time: Estimate | None = None  # J s, energy per image x time per image
    images_per_joule: Estimate | None = None
    images_per_watt: Estimate | None = None  # images/s per W
    idle_power: Estimate | None = None  # W, of that device at rest
    meter: str = ""  # what metered power and energy, and of which kind of device: "nvml (gpu)"
    energy_reason: str = ""  # why there is no energy: "no meter: ...", "unresolved: ..."
    energy_absence: str = ""  # the same in two words: "no meter", "unresolved"
    memory: Estimate | None = None  # bytes, peak
    parity: Parity | None = None  # the worst round's
    agreement: Estimate | None = None  # top-1 agreement with the reference, 0 to 1
    accuracy: Estimate | None = None  # top-1 on the user's own data, or published
    evaluated: Accuracy | None = None  # all that is known of it on the user's own data
    not_evaluated: str = ""  # why it is not, where there is a data set
    flags: tuple[Flag, ...] = ()  # of all rounds; those told as one are not joined yet
    actual: Actual | None = None
    phases: dict[str, Estimate] = {}  # s a batch, of those of `metrics.PHASES` sampled
    series: dict[str, Series] = {}  # per round: what each estimate is the mean of
    batches: int = 0  # timed in all, those included that are not full
    batches_worth: float = (
        0.0  # how many independent ones they tell as much as; 0: they were not timed one by one
    )
    longest_batch_s: float | None = None  # of the full ones
    full_batches: int = 0  # timed one by one
    batch_quantiles_s: tuple[
        float, ...
    ] = ()  # of the full ones at `samples.QUANTILES`; empty for fewer than two
    shortest_loop_s: float | None = None  # of the rounds that ended well
    log: str = ""  # of the first of its records that has one
    records: Sequence[Record] = ()
    keys: tuple[Key, ...] = ()  # (run, round) of each record
    best: bool = False  # highest throughput of its machine, model, mode and batch size
    tie: bool = False  # of two or more that the data cannot tell from the best (the best included)
    judged: bool = True  # False: nothing is known of how the next process would change its place
    best_overall: bool = False  # highest throughput of its machine, model and mode over all batch sizes

    @property
    def name(self) -> str:
        """Return framework (and precision) and batch size, in words."""
        return f"{self.row} at batch size {self.cell.batch_size}"

    @property
    def measured(self) -> bool:
        """Return whether the cell ended well, so that each metric it has an estimate of counts."""
        return self.status == "ok"

    @property
    def good(self) -> Good:
        """Return its rounds that ended well."""
        return [at for at in zip(self.keys, self.records, strict=True) if at[1].status == "ok"]

    @property
    def ranked(self) -> bool:
        """Return whether the cell may be chosen: it ended well and has a throughput, which imported figures may lack."""
        return self.measured and self.throughput is not None


@dataclass(frozen=True, eq=False)
class Results:
    """Any number of runs, summarised: cells in plan order, machines by label."""

    summaries: tuple[CellSummary, ...]
    runs: tuple[StoredRun, ...]
    machines: dict[str, Machine]

    @functools.cached_property
    def batch_sizes(self) -> tuple[int, ...]:
        """Return every batch size, ascending."""
        return tuple(sorted({s.cell.batch_size for s in self.summaries}))

    @functools.cached_property
    def rows(self) -> tuple[str, ...]:
        """Return every row label (framework, with precision or version where needed), in order of appearance."""
        return tuple(dict.fromkeys(s.row for s in self.summaries))

    def select(self, *, model: str | None = None, mode: str | None = None) -> tuple[CellSummary, ...]:
        """Return the summaries of one model label and mode."""
        found = self._selected.get((model, mode))
        if found is None:
            found = self._selected[model, mode] = tuple(
                s
                for s in self.summaries
                if (model is None or s.model == model) and (mode is None or s.cell.mode == mode)
            )
        return found

    @functools.cached_property
    def _selected(self) -> dict[tuple[str | None, str | None], tuple[CellSummary, ...]]:
        """Return what `select` returned before: a report asks for the same cells again and again."""
        return {}

    @functools.cached_property
    def scopes(self) -> dict[Scope, list[CellSummary]]:
        """Return the cells of every machine, model and mode: figures of two of them are not compared."""
        found: dict[Scope, list[CellSummary]] = defaultdict(list)
        for summary in self.summaries:
            found[summary.machine, summary.model, summary.cell.mode].append(summary)
        return dict(found)

    @functools.cached_property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """Return the (model, mode) pairs present: figures of two of them are never ranked against each other."""
        return tuple(dict.fromkeys((s.model, s.cell.mode) for s in self.summaries))
