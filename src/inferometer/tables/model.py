"""A metric's table as data: rows batch size x framework, columns machines, every mark decided (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from inferometer.errors import unknown
from inferometer.flags import ENERGY, Flag, flag
from inferometer.results.cells import CellSummary, Results
from inferometer.results.completeness import unfinished
from inferometer.results.estimates import Estimate
from inferometer.results.metrics import FORMER_NAMES, METRICS, Metric, Scale
from inferometer.results.ranking import Rank, rank_cells, several_measures
from inferometer.results.tie_test import group_of
from inferometer.tables.footnotes import Footnotes
from inferometer.tables.reference import most_wins, surely_better
from inferometer.units import significant


class TableCell(msgspec.Struct, frozen=True, gc=False):
    """What stands in one place of a table, and how it is marked."""

    summary: CellSummary
    text: str  # the number, or why there is none
    estimate: Estimate | None = None  # None: no number
    shade: float | None = None  # 0 worst .. 1 best of its batch size, ties as the best; None: nobody is best
    best: bool = False  # of its machine and batch size
    tie: bool = False  # cannot be told from that best
    best_overall: bool = False  # of its machine over all batch sizes
    judged: bool = True  # False: nothing is known of how the next process would change its place
    beats_reference: bool = False  # the same row on the reference machine is surely worse
    notes: tuple[int, ...] = ()  # numbers of its footnotes
    ends: str = ""  # of its interval, where the metric shows those: "[97.0, 98.8]"

    @property
    def note(self) -> str:
        """Return the numbers of the footnotes as they stand beside the cell: "1, 3"; "" without any."""
        return ", ".join(map(str, self.notes))

    @property
    def spread(self) -> str:
        """Return the half width of the interval as a share: "±1.2 %", or its ends; "" where it is not known."""
        if self.ends:
            return self.ends
        share = self.estimate.half_width if self.estimate else None
        if share is None:
            return ""
        half = 100 * share
        return f"±{significant(half, 2 if half >= 0.1 else 1)} %" if half < 1000 else "±>1000 %"


class TableRow(msgspec.Struct, frozen=True, gc=False):
    """One batch size and framework; a cell a machine, None where it was not asked for."""

    batch_size: int
    label: str
    cells: tuple[TableCell | None, ...]


@dataclass(frozen=True)
class Table:
    """A metric of one model and mode."""

    metric: Metric
    model: str
    mode: str
    scale: Scale
    machines: tuple[str, ...]
    reference: str | None  # None with one machine
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...]  # footnotes, numbered from 1
    within: bool = False  # every interval is one within a process; where some are, they have a footnote
    incomplete: tuple[str, ...] = ()  # a line a run that lacks planned measurements

    @property
    def is_empty(self) -> bool:
        """Return whether no cell has a value."""
        return not any(cell and cell.estimate for row in self.rows for cell in row.cells)

    def why_empty(self) -> str:
        """Return why cells have no value, each reason once: those of cells that ended well, if any did."""
        cells = [cell for row in self.rows for cell in row.cells if cell and not cell.estimate]
        measured = [cell for cell in cells if cell.summary.measured]
        if self.incomplete and not measured:
            return "; ".join(self.incomplete)
        cells = measured or cells
        reasons = dict.fromkeys(self.notes[cell.notes[0] - 1] if cell.notes else cell.text for cell in cells)
        return "; ".join(reasons) or "no cell at all"

    @property
    def title(self) -> str:
        """Return the heading, with the unit."""
        return f"{self.metric.title} [{self.scale.unit}], {self.model}, {self.mode} mode"


def build(results: Results, metric: Metric, reference: str | None = None) -> tuple[Table, ...]:
    """Return a table for every model and mode in ``results``; UsageError if ``reference`` names none."""
    if reference is not None:
        reference = machine_named(reference, results)
    return tuple(_build(results, metric, model, mode, reference) for model, mode in results.sections)


def machine_named(name: str, results: Results) -> str:
    """Return the label of the machine meant by ``name``: itself, or the only one that contains it (any case)."""
    if name in results.machines:
        return name
    near = [label for label in results.machines if name.lower() in label.lower()]
    if len(near) == 1:
        return near[0]
    raise unknown("machine", name, results.machines)


def metric_named(name: str) -> Metric:
    """Return a metric by name (dashes or underscores); UsageError names the nearest."""
    key = name.replace("-", "_")
    key = FORMER_NAMES.get(key, key)
    if key not in METRICS:
        raise unknown("metric", name, METRICS)
    return METRICS[key]


def _build(results: Results, metric: Metric, model: str, mode: str, reference: str | None) -> Table:
    summaries = results.select(model=model, mode=mode)
    places = rank_cells(summaries, metric)
    machines = tuple(dict.fromkeys(s.machine for s in summaries))
    grid: dict[tuple[int, str], dict[str, CellSummary]] = defaultdict(dict)
    labels = {row: number for number, row in enumerate(dict.fromkeys(s.row for s in summaries))}
    for summary in summaries:
        grid[summary.cell.batch_size, summary.row][summary.machine] = summary
    if len(machines) < 2 or not metric.competes:
        reference = None
    elif reference not in machines:
        reference = most_wins(summaries, metric, places)
    scale = metric.scale_for([place.value for place in places.values()])
    known = [e for s in summaries if s.key in places and (e := metric.of(s)) and e.half_width is not None]
    within = [estimate.within_one_process for estimate in known]
    marks = _Marks(
        metric, places, _shades(summaries, metric, places), reference, scale, mixed=len(set(within)) > 1
    )
    meters = {s.meter for s in summaries if s.meter} if metric.metered else set()
    marks.meters = len(meters) > 1 or several_measures(summaries, metric)
    rows = tuple(
        TableRow(size, row, tuple(marks.cell(grid[size, row], machine) for machine in machines))
        for size, row in sorted(grid, key=lambda pair: (pair[0], labels[pair[1]]))
    )
    notes, incomplete = marks.footnotes.texts(), tuple(unfinished(results, summaries))
    return Table(
        metric, model, mode, scale, machines, reference, rows, notes, bool(within) and all(within), incomplete
    )


class _Marks:
    """Turns summaries into marked cells and numbers the footnotes on the way."""

    def __init__(
        self,
        metric: Metric,
        places: dict[str, Rank],
        shades: dict[str, float],
        reference: str | None,
        scale: Scale,
        *,
        mixed: bool,  # some intervals are over rounds, others within one process
    ) -> None:
        self.metric, self.places, self.shades = metric, places, shades
        self.reference, self.scale, self.mixed = reference, scale, mixed
        self.meters = False  # cells were measured by different ones
        self.footnotes = Footnotes()

    def cell(self, found: dict[str, CellSummary], machine: str) -> TableCell | None:
        summary = found.get(machine)
        if summary is None:
            return None
        place, estimate = self.places.get(summary.key), self.metric.of(summary)
        if place is None or estimate is None:
            word, reason = why_empty(summary, self.metric)
            return TableCell(summary, word, notes=self.footnotes.exactly(reason))
        flags = [f for f in summary.flags if self.metric.metered or f.scope != ENERGY]
        flags += [estimate.remark] if estimate.remark else []
        flags += [_measured_by(summary, self.metric)] if self.meters else []
        flags += [flag("one-process")] if self.mixed and estimate.within_one_process else []
        return TableCell(
            summary,
            self.scale.show(place.value),
            estimate,
            self.shades.get(summary.key),
            place.best,
            place.tie,
            place.best_overall,
            place.judged,
            self.reference is not None and surely_better(summary, found.get(self.reference), self.metric),
            self.footnotes.number(flags),
            self._ends(estimate),
        )

    def _ends(self, estimate: Estimate) -> str:
        low, high = estimate.low, estimate.high
        if not self.metric.shows_ends or low is None or high is None or low == high:
            return ""
        return f"[{', '.join(f'{end / self.scale.factor:.3g}' for end in (low, high))}]"


def _measured_by(summary: CellSummary, metric: Metric) -> Flag:
    if metric.metered:
        return flag("meter", meter=summary.meter)
    return flag("memory-source", source=metric.measure(summary))


def why_empty(summary: CellSummary, metric: Metric) -> tuple[str, str]:
    """Return a short word for the cell, and the whole reason."""
    if summary.status != "ok":
        return summary.status, summary.cause
    return metric.why_none(summary)


def _shades(summaries: Sequence[CellSummary], metric: Metric, places: dict[str, Rank]) -> dict[str, float]:
    """Return each cell's place between worst (0) and best (1) of its batch size, over all machines, linearly.

    Ties have the shade of the best that they cannot be told from. {} for a metric at which nobody is best.
    """
    if not metric.competes:
        return {}
    placed = [summary for summary in summaries if summary.key in places]
    best = {group_of(s, metric): places[s.key].value for s in placed if places[s.key].best}
    groups: dict[int, dict[str, float]] = defaultdict(dict)
    for summary in placed:
        place = places[summary.key]
        value = best[group_of(summary, metric)] if place.tie else place.value
        groups[summary.cell.batch_size][summary.key] = value
    shades: dict[str, float] = {}
    for values in groups.values():
        low, high = min(values.values()), max(values.values())
        for key, value in values.items():
            share = (value - low) / (high - low) if high > low else 1.0
            shades[key] = share if metric.higher_is_better or high == low else 1 - share
    return shades
