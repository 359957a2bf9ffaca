"""Where a batch's time goes: the phases of each framework's batch, a panel a machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from inferometer.report.figures.chart import Axis, Chart, FigureSpec, PlotSeries, Point
from inferometer.report.figures.section_cells import SectionCells, left_out
from inferometer.results.cells import CellSummary
from inferometer.results.metrics import PHASES, why_no_phase

_LEAD = (
    "Copy in, compute and copy out of one batch, as shares of their sum, which stands at the end of the bar. Sampled after "
    "the timed loops, waiting for the device between phases, so the sum is more than a batch took there. What a framework "
    "counts as copying differs."
)

_LEAD_ONE = (
    "How long one batch computes, the only phase that is known here: sampled after the timed loops, waiting for the device, so "
    "it is more than a batch took there."
)


def phases(section: SectionCells) -> FigureSpec:
    """Return the figure: a row a series, at first at the largest batch size that most rows of the machine have."""
    charts = []
    for number, machine in enumerate(section.machines):
        rows = ((key, _points(cells)) for key, cells in section.rows(machine).items())
        series = tuple(PlotSeries(*key, points) for key, points in rows if points)
        if series:
            charts.append(_panel(f"phases-{number}", machine, series))
    lead = _LEAD if len(parts_known(charts)) > 1 else _LEAD_ONE
    omitted = left_out((cell.machine, why_no_phase(cell)) for cell in section.cells if not cell.phases)
    return FigureSpec("phases", "Where a batch's time goes", lead, tuple(charts), omitted, optional=True)


def parts_known(charts: Iterable[Chart]) -> set[str]:
    """Return the phases that any batch has, without the call's return, which is a part of compute."""
    points = (point for chart in charts for series in chart.series for point in series.points)
    found = {
        name for point in points for name, ms in zip(PHASES, point.phases, strict=True) if ms is not None
    }
    return found - {"enqueue"}


def _panel(key: str, machine: str, series: Sequence[PlotSeries]) -> Chart:
    size = _common_size(series)
    x = Axis(f"Share of time, batch size {size}", "%")
    rows = tuple(sorted(series, key=lambda one: _at(one, size)))
    return Chart(key, machine, "phase_bars", x, Axis(""), rows, first_size=size)


def _common_size(series: Iterable[PlotSeries]) -> int:
    rows = Counter(point.batch_size for one in series for point in one.points)
    return max(rows, key=lambda size: (rows[size], size))


def _at(series: PlotSeries, size: int) -> float:
    return next((point.value for point in series.points if point.batch_size == size), float("inf"))


def _points(cells: Iterable[CellSummary]) -> tuple[Point, ...]:
    points = []
    for cell in cells:
        found = {name: 1e3 * estimate.value for name, estimate in cell.phases.items()}
        total = sum(ms for name, ms in found.items() if name != "enqueue")  # which is a part of compute
        if total > 0:
            points.append(Point(cell.cell.batch_size, total, phases=tuple(map(found.get, PHASES))))
    return tuple(points)
