"""From `Results` to the figures of one section (one model in one mode): which panels, which series, which points.

Nothing is drawn here, and nothing is left out silently: what a figure cannot show is a sentence in its `omitted`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from inferometer.report.figures.chart import BEST, Axis, Chart, FigureSpec, Fit, PlotSeries, Point
from inferometer.report.figures.colours import framework_label
from inferometer.report.figures.phase_specs import phases
from inferometer.report.figures.section_cells import SectionCells, left_out
from inferometer.results.cells import CellSummary, Results
from inferometer.results.metrics import METRICS, POWER, Metric, Place, metrics_in
from inferometer.results.stats import regress

LOG_RANGE = 20.0  # values spread wider than this start on a logarithmic axis
MIN_FIT_POINTS = 3

_OF_LOOPS = ("speed", "latency", "energy")  # families that are measured over the timed loops
_BY_FRAMEWORK_LEAD = (
    "Choose a batch size, or leave each framework at the batch size where it is fastest on that machine."
)


def figure_specs(results: Results, model: str, mode: str) -> tuple[FigureSpec, ...]:
    """Return every figure of one section, in the report's order."""
    selected = [s for s in results.select(model=model, mode=mode) if s.measured]
    machines = tuple(dict.fromkeys(s.machine for s in results.select(model=model, mode=mode)))
    section = SectionCells(machines, tuple(selected))
    by_batch = [metric for metric in METRICS.values() if metric.by_batch]
    across = metrics_in(Place.ACROSS)
    return (
        power_throughput(section),
        *(by_batch_size(section, metric) for metric in by_batch if metric.family == "speed"),
        *(by_framework(section, metric) for metric in across if metric.family in _OF_LOOPS),
        *(by_batch_size(section, metric) for metric in by_batch if metric.family != "speed"),
        latency_distribution(section),
        phases(section),
        *(by_framework(section, metric) for metric in across if metric.family not in _OF_LOOPS),
    )


def power_throughput(section: SectionCells) -> FigureSpec:
    """Power against throughput: a panel a machine, a regression line a series, a marker a batch size."""
    charts = []
    for number, machine in enumerate(section.machines):
        series = tuple(_fitted(key, cells) for key, cells in section.rows(machine).items())
        series = tuple(s for s in series if s.points)
        if series:
            x, y = Axis("Throughput", "images/s"), Axis("Power", "W")
            charts.append(Chart(f"power-throughput-{number}", machine, "fit", x, y, series))
    lead = (
        "Power of the device that did the work while it did it. Larger markers are larger batches; the line is the "
        "least-squares fit of each framework, from three batch sizes on. A flatter line means that more speed costs less power."
    )
    return FigureSpec(
        "power-throughput", "Power against throughput", lead, tuple(charts), _without(section, POWER)
    )


def _fitted(key: tuple[str, str], cells: Sequence[CellSummary]) -> PlotSeries:
    points = []
    for cell in cells:
        if cell.throughput and cell.power:
            speed, power = cell.throughput, cell.power
            size = cell.cell.batch_size
            points.append(Point(size, power.value, power.low, power.high, speed.value, speed.low, speed.high))
    line = None
    if len(points) >= MIN_FIT_POINTS:
        line = regress([float(point.at) for point in points], [point.value for point in points])
    return PlotSeries(*key, tuple(points), Fit(line.slope, line.intercept, line.r2) if line else None)


def by_batch_size(section: SectionCells, metric: Metric) -> FigureSpec:
    """A metric against the batch size: a panel a machine, a line a series."""
    charts = []
    for number, machine in enumerate(section.machines):
        series = tuple(
            PlotSeries(*key, points)
            for key, cells in section.rows(machine).items()
            if (points := _points(cells, metric, lambda cell: cell.cell.batch_size))
        )
        if series:
            sizes = sorted({float(point.at) for s in series for point in s.points})
            values = [point.value for s in series for point in s.points]
            y = Axis(metric.title, metric.figure_scale.unit, _wide(values))
            x = Axis("Batch size", "", log=True, ticks=tuple(sizes))
            charts.append(Chart(f"{metric.name}-by-batch-{number}", machine, "lines", x, y, series))
    title = f"{metric.title} against batch size"
    panels = _same_scale(charts, "y")
    omitted = _without(section, metric)
    return FigureSpec(f"{metric.name}-by-batch", title, metric.by_batch, panels, omitted)


def by_framework(section: SectionCells, metric: Metric) -> FigureSpec:
    """A metric of every framework: a panel a machine, a row a series."""
    charts = []
    for number, machine in enumerate(section.machines):
        rows = ((key, _dots(cells, metric)) for key, cells in section.rows(machine).items())
        series = tuple(PlotSeries(*key, points) for key, points in rows if points)
        if series:
            values = [point.value for s in series for point in s.points]
            x = Axis(metric.title, metric.figure_scale.unit, _wide(values))
            ranked = _by_value(series, metric.higher_is_better)
            charts.append(Chart(f"{metric.name}-by-framework-{number}", machine, "dots", x, Axis(""), ranked))
    title = f"{metric.title} by framework"
    return FigureSpec(
        metric.name, title, _BY_FRAMEWORK_LEAD, _same_scale(charts, "x"), _without(section, metric)
    )


def _by_value(series: Iterable[PlotSeries], descending: bool) -> tuple[PlotSeries, ...]:
    def best(one: PlotSeries) -> float:
        values = [point.value for point in one.points if point.batch_size == BEST] or [0.0]
        return max(values) if descending else -min(values)

    return tuple(sorted(series, key=best, reverse=True))


def _dots(cells: Sequence[CellSummary], metric: Metric) -> tuple[Point, ...]:
    """Return the points of one framework on one machine: of the batch size where it is fastest, and of every one."""
    best = max(cells, key=_speed)
    at = lambda cell: 0.0  # noqa: E731
    return _points([best], metric, at, size=lambda _: BEST) + _points(cells, metric, at)


def _speed(cell: CellSummary) -> float:
    return cell.throughput.value if cell.throughput else 0.0


def latency_distribution(section: SectionCells) -> FigureSpec:
    """Latency of single batches: a panel a machine, a row a series, quantiles of the raw samples."""
    charts = []
    for number, machine in enumerate(section.machines):
        series = tuple(
            PlotSeries(*key, points)
            for key, cells in section.rows(machine).items()
            if (points := _boxes(cells))
        )
        if series:
            values = [value for s in series for point in s.points for value in point.quantiles]
            x = Axis("Latency per batch", "ms", _wide(values))
            series = _by_value(series, descending=False)
            charts.append(Chart(f"latency-distribution-{number}", machine, "boxes", x, Axis(""), series))
    lead = (
        "Every timed batch of every round. Thick bar: the middle half; thin line: from the 5th to the 99th "
        "percentile; marker: the median."
    )
    shown = {(s.framework, s.precision, c.title) for c in charts for s in c.series}
    bare = [c for c in section.cells if (framework_label(c), c.cell.precision, c.machine) not in shown]
    omitted = left_out(
        (c.machine, "no single batches were recorded, only whole loops or means") for c in bare
    )
    panels = _same_scale(charts, "x")
    return FigureSpec("latency-distribution", "Latency distribution", lead, panels, omitted)


def _boxes(cells: Sequence[CellSummary]) -> tuple[Point, ...]:
    points = []
    fastest = max(cells, key=_speed)
    for cell in cells:
        if not cell.batch_quantiles_s:
            continue
        quantiles = tuple(1e3 * found for found in cell.batch_quantiles_s)
        sizes = (BEST, cell.cell.batch_size) if fastest is cell else (cell.cell.batch_size,)
        points += [Point(size, quantiles[2], quantiles=quantiles) for size in sizes]
    return tuple(points)


def _points(
    cells: Iterable[CellSummary],
    metric: Metric,
    at: Callable[[CellSummary], float | str],
    size: Callable[[CellSummary], int] = lambda cell: cell.cell.batch_size,
) -> tuple[Point, ...]:
    scale = metric.figure_scale
    pairs = ((cell, metric.of(cell)) for cell in cells)
    return tuple(
        Point(size(cell), *scale.ends(estimate), at=at(cell)) for cell, estimate in pairs if estimate
    )


def _same_scale(charts: Iterable[Chart], letter: str) -> tuple[Chart, ...]:
    """Return panels whose axes are all logarithmic if one of them is, so that they can be compared."""
    panels = tuple(charts)
    log = any(getattr(chart, letter).log for chart in panels)
    axes = [replace(getattr(chart, letter), log=log) for chart in panels]
    return tuple(replace(chart, **{letter: axis}) for chart, axis in zip(panels, axes, strict=True))


def _wide(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) / min(values) > LOG_RANGE


def _without(section: SectionCells, metric: Metric) -> tuple[str, ...]:
    """Return why measured cells are missing from a metric's figure, by machine and reason."""
    missing = [cell for cell in section.cells if metric.of(cell) is None]
    unsaid = f"no {metric.title.lower()} was recorded"
    return left_out((cell.machine, metric.why_none(cell)[1] or unsaid) for cell in missing)
